"""Pushing three images to a registry that has nothing, and to one that has all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmark.images import SHARING
from benchmark.measuring import warm
from benchmark.servers import EachTimeEmpty
from benchmark.stage import Stage
from benchmark.table import Row, Skipped, times
from benchmark.turns import Clock, Side
from benchmark.works.loading import archive_of_engine
from benchmark.works.other_peers import pushes

Command = Callable[[str], Sequence[str]]


def push(stage: Stage) -> Iterator[Row | Skipped]:
    """Push into an empty registry; then the same again."""
    registry = EachTimeEmpty(stage.work)
    stage.ends.callback(registry.stop)
    engine, carried = stage.far_engine, archive_of_engine(stage)
    archives = [path for _, path in stage.oci_archives()]

    def prepare(_: Path) -> None:
        engine.empty()
        registry.renew()
        stage.forget_state()

    def side(name: str, command: Command, goal: float | None = None) -> Side:
        return Side(
            name, lambda _: command(registry.address), lambda _: registry.expect(len(SHARING)), prepare, goal
        )

    sides = [
        side("airbundle push", lambda address: _push(stage, address)),
        side("docker load + docker push", lambda address: _docker(stage, carried, address), 15.0),
        side("skopeo copy oci-archive: docker://, each image", lambda address: _skopeo(stage, address), 1.8),
    ]
    sides += _others(stage, registry, prepare)
    turns = stage.turns(DOCKER_HOST=engine.host)
    clocks: list[Clock] = [registry, engine]
    ours, *others = turns.of(sides, clocks, settle=lambda: warm([stage.bundle, carried, *archives]))
    for peer, theirs in zip(sides[1:], others, strict=True):
        yield times("push to an empty registry", peer.name, ours, theirs, peer.goal)
    registry.stop()
    yield from _again(stage)


def _again(stage: Stage) -> Iterator[Row]:
    registries = EachTimeEmpty(stage.work), EachTimeEmpty(stage.work)
    push_ours, push_theirs = partial(_push, stage), partial(_skopeo, stage)
    for registry, command in zip(registries, (push_ours, push_theirs), strict=True):
        stage.ends.callback(registry.stop)
        registry.renew()
        stage.run(command(registry.address))
    sides = [
        _pushed_again("airbundle push again", push_ours, registries[0]),
        _pushed_again("skopeo copy again, each image", push_theirs, registries[1]),
    ]
    ours, theirs = stage.turns().of(sides, registries)
    yield times("push again, nothing new", sides[1].name, ours, theirs, 5.0)


def _pushed_again(name: str, command: Command, registry: EachTimeEmpty) -> Side:
    return Side(name, lambda _: command(registry.address), lambda _: registry.expect(len(SHARING)))


def _push(stage: Stage, address: str) -> Sequence[str]:
    return stage.airbundle("push", "--quiet", "--plain-http", stage.bundle, address)


def _docker(stage: Stage, carried: Path, address: str) -> Sequence[str]:
    lines = [f"docker load --quiet --input {carried}"]
    for name in SHARING:
        lines += [f"docker tag {name} {address}/{name}", f"docker push --quiet {address}/{name}"]
    return stage.shell("\n".join(lines))


def _skopeo(stage: Stage, address: str) -> Sequence[str]:
    copy = "skopeo --insecure-policy copy --quiet --dest-tls-verify=false"
    lines = [f"{copy} oci-archive:{path}:{name} docker://{address}/{name}" for name, path in stage.oci_archives()]
    return stage.shell("\n".join(lines))


def _others(stage: Stage, registry: EachTimeEmpty, prepare: Callable[[Path], None]) -> list[Side]:
    """Return the sides of tools that are installed; their commands are made when the address is known."""
    names = [side.name for side in pushes(stage, [], "")]

    def command(output: Path, name: str) -> Sequence[str]:
        every = {side.name: side for side in pushes(stage, stage.layouts, registry.address)}
        return every[name].command(output)

    def side(name: str) -> Side:
        expect = registry.expect
        return Side(name, lambda output: command(output, name), lambda _: expect(len(SHARING)), prepare)

    return [side(name) for name in names]
