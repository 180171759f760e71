"""Packing from an engine, from what `docker save` wrote, and again after a change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.images import CHANGED, LITTLE, SHARING
from benchmark.measuring import BrokenRun, Usage, warm
from benchmark.stage import Stage, short
from benchmark.table import Row, Skipped, times
from benchmark.turns import Side

_SYNCED = "ours ends when all is on the disk, theirs when it is in the page cache"
_MB = 1e6


def from_engine(stage: Stage) -> Iterator[Row | Skipped]:
    """Pack three images that share a base."""
    work = "pack, 3 images from an engine"
    sides = [
        _pack(stage, "airbundle pack", SHARING),
        replace(_save(stage, SHARING, "gzip"), goal=5.5, note=_SYNCED),
        replace(_save(stage, SHARING, "zstd -T0 -3 -q"), goal=1.05, note="theirs checks nothing"),
        replace(_save(stage, SHARING), goal=0.95, note="the limit of a single request"),
        replace(_skopeo(stage, SHARING), goal=2.2),
    ]
    usages = _in_turn(stage, sides)
    ours, gzip, *_, skopeo = usages
    for side, theirs in zip(sides[1:], usages[1:], strict=True):
        yield times(work, side.name, ours, theirs, side.goal, side.note)
    for peer, theirs, goal in (("docker save | gzip", gzip, 0.95), ("three archives of skopeo", skopeo, 0.8)):
        sizes = ours.output_bytes / _MB, theirs.output_bytes / _MB
        yield Row("size of the bundle", peer, *sizes, "MB", goal, at_most=True)


def little_shared(stage: Stage) -> Iterator[Row | Skipped]:
    """Pack three images that share nothing, where several requests in flight can help."""
    ours, theirs = _in_turn(stage, [_pack(stage, "airbundle pack", LITTLE), side := _save(stage, LITTLE)])
    yield times("pack, 3 images that share nothing", side.name, ours, theirs, 1.2)


def small(stage: Stage) -> Iterator[Row | Skipped]:
    """Pack as small as it gets."""
    work = "size of the bundle, --small"
    if "--small" not in stage.options_of_pack:
        yield Skipped(work, "this release has no `pack --small`")
        return
    gzip = _save(stage, SHARING, "gzip")
    ours, theirs = _in_turn(stage, [_pack(stage, "airbundle pack --small", SHARING, "--small"), gzip])
    sizes = ours.output_bytes / _MB, theirs.output_bytes / _MB
    yield Row(work, "docker save | gzip", *sizes, "MB", 0.8, at_most=True)
    yield times("pack --small, 3 images from an engine", gzip.name, ours, theirs, None)


def from_archive(stage: Stage) -> Iterator[Row | Skipped]:
    """Pack the file that `docker save` wrote."""
    archive = stage.images.sharing

    def pack(output: Path) -> Sequence[str]:
        source = f"set=docker-archive:{archive}"
        return stage.airbundle("pack", source, "-o", output / "bundle", "--part-size", stage.part_size, "--quiet")

    def pipe(output: Path) -> Sequence[str]:
        return stage.shell(f"cat {archive} | zstd -T0 -3 -q | {stage.split} - {output}/part.")

    sides = [
        Side("airbundle pack", pack, lambda output: stage.check_bundle(output / "bundle")),
        Side("cat | zstd -T0 -3 | split", pipe, lambda output: _check_stream(stage, output, "zstd")),
    ]
    ours, theirs = stage.turns().of(sides, settle=lambda: warm([archive]))
    yield times("pack from the docker save file", sides[1].name, ours, theirs, 1.0, _SYNCED)


def again(stage: Stage) -> Iterator[Row | Skipped]:
    """Pack a new version, of which the last bundle has most."""
    work = "pack again, one image of three changed"
    if "--reuse" not in stage.options_of_pack:
        yield Skipped(work, "this release has no `pack --reuse`")
        return
    last = stage.work / "last"
    stage.run(["env", f"DOCKER_HOST={stage.engine.host}", *_pack_command(stage, last, SHARING)])
    names = (*SHARING[:2], CHANGED)
    sides = [
        _pack(stage, "airbundle pack --reuse", names, "--reuse", str(last)),
        _pack(stage, "airbundle pack", names),
    ]

    ours, theirs = _in_turn(stage, sides, last)
    yield times(work, "pack from nothing", ours, theirs, 2.5)


def _pack_command(stage: Stage, target: Path, names: Sequence[str], *options: str) -> list[str]:
    images = [f"{short(name)}=docker-daemon:{name}" for name in names]
    return stage.airbundle("pack", *images, "-o", target, "--part-size", stage.part_size, "--quiet", *options)


def _pack(stage: Stage, title: str, names: Sequence[str], *options: str) -> Side:
    return Side(
        title,
        lambda output: _pack_command(stage, output / "bundle", names, *options),
        lambda output: stage.check_bundle(output / "bundle"),
    )


def _save(stage: Stage, names: Sequence[str], compressor: str = "") -> Side:
    """Return `docker save` through a compressor into parts, or to nothing."""
    save = f"docker save {' '.join(names)}"
    if not compressor:
        return Side("docker save >/dev/null of the three", lambda _: stage.shell(f"{save} >/dev/null"))
    return Side(
        f"docker save | {compressor.removesuffix(' -q')} | split",
        lambda output: stage.shell(f"{save} | {compressor} | {stage.split} - {output}/part."),
        lambda output: _check_stream(stage, output, compressor.split()[0], len(names)),
    )


def _skopeo(stage: Stage, names: Sequence[str]) -> Side:
    def command(output: Path) -> Sequence[str]:
        copy = f"skopeo --insecure-policy copy --quiet --src-daemon-host {stage.engine.host}"
        return stage.shell(
            "; ".join(f"{copy} docker-daemon:{name} oci-archive:{output}/{short(name)}.tar" for name in names)
        )

    def check(output: Path) -> None:
        for name in names:
            index = json.loads(stage.run(["tar", "-xOf", str(output / f"{short(name)}.tar"), "index.json"]))
            if len(index["manifests"]) != 1:
                raise BrokenRun(f"skopeo wrote {len(index['manifests'])} images for {name}")

    return Side("skopeo copy docker-daemon: oci-archive:, each image", command, check)


def _check_stream(stage: Stage, output: Path, program: str, images: int = len(SHARING)) -> None:
    """Check that parts join to what was compressed, and that it lists so many images."""
    manifest = stage.run(stage.shell(f"cat {output}/part.* | {program} -dc | tar -xOf - manifest.json"))
    if len(json.loads(manifest)) != images:
        raise BrokenRun(f"{len(json.loads(manifest))} images went through the pipe, not {images}")


def _in_turn(stage: Stage, sides: Sequence[Side], *inputs: Path) -> list[Usage]:
    """Run sides that read from the engine, whose files and other inputs are in the page cache."""

    def settle() -> None:
        stage.warm_engine()
        warm(inputs)

    turns = stage.turns(DOCKER_HOST=stage.engine.host)
    return turns.of(sides, [stage.engine], settle=settle)
