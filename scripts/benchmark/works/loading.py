"""Loading three images into an engine that has none of them, and into one that lacks one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.images import SHARING
from benchmark.measuring import BrokenRun, warm
from benchmark.stage import Stage
from benchmark.table import Row, Skipped, times
from benchmark.turns import Side

_FIRST_WITH_ZSTD = 23


def archive_of_engine(stage: Stage) -> Path:
    """Return what `docker save` wrote, compressed as the engine reads it."""
    source = stage.images.sharing
    if stage.far_engine.version[0] >= _FIRST_WITH_ZSTD:
        return stage.kept(
            "sharing.tar.zst", lambda target: ["zstd", "-T0", "-3", "-q", str(source), "-o", str(target)]
        )
    return stage.kept("sharing.tar.gz", lambda target: stage.shell(f"gzip -c {source} >{target}"))


def load(stage: Stage) -> Iterator[Row | Skipped]:
    """Load all; then load all where only the third image is new."""
    engine, carried = stage.far_engine, archive_of_engine(stage)
    wanted = [stage.images.ids[name] for name in SHARING]

    def check(_: Path) -> None:
        if engine.ids(SHARING) != wanted:
            raise BrokenRun("the engine holds other images than were packed")

    def lack_third(_: Path) -> None:
        if not all(engine.holds(name) for name in SHARING):
            engine.docker("load", "--input", str(stage.images.sharing))
        engine.docker("rmi", SHARING[2])

    turns = stage.turns(DOCKER_HOST=engine.host)
    states = [
        ("load into an empty engine", lambda _: engine.empty(), 1.0),
        ("load, one image of three new", lack_third, 2.0),
    ]
    for work, prepare, goal in states:
        sides = [
            Side("airbundle load", lambda _: stage.airbundle("load", "--quiet", stage.bundle), check, prepare),
            Side("docker load", lambda _: ["docker", "load", "-q", "-i", str(carried)], check, prepare),
        ]
        ours, theirs = turns.of(sides, [engine], settle=lambda: warm([stage.bundle, carried]))
        yield times(work, f"docker load of the docker save file ({carried.suffix[1:]})", ours, theirs, goal)
