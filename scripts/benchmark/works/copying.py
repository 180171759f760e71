"""Copying a bundle to a medium, and finding that nothing is to be done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.measuring import warm
from benchmark.stage import Stage
from benchmark.table import Row, Skipped, times
from benchmark.turns import Side


def copy(stage: Stage) -> Iterator[Row | Skipped]:
    """Copy with proof that it arrived; then the same again with nothing to do."""
    bundle = stage.bundle

    def check(output: Path) -> None:
        stage.run(stage.shell(f"cd {output}/copy && sha256sum --quiet -c SHA256SUMS"))

    # Only the copied files are synced: the dirty pages of others are nobody's cost.
    proven = "cp -r {0} {1} && sync {1}/* && cd {1} && sha256sum --quiet -c SHA256SUMS"
    rsync = "rsync --archive --checksum {0}/ {1}/ && sync {1}/*"
    sides = [
        Side("airbundle copy", lambda out: stage.airbundle("copy", "--quiet", bundle, out / "copy"), check),
        Side(
            "cp + sync + sha256sum -c", lambda out: stage.shell(proven.format(bundle, out / "copy")), check,
            goal=3.5, note="theirs reads back from the page cache, not from the medium",
        ),
        Side(
            "rsync --checksum + sync", lambda out: stage.shell(rsync.format(bundle, out / "copy")), check,
            goal=2.5, note="theirs does not read back",
        ),
    ]  # fmt: skip
    ours, *others = stage.turns().of(sides, settle=lambda: warm([bundle]))
    for side, theirs in zip(sides[1:], others, strict=True):
        yield times("copy with read-back", side.name, ours, theirs, side.goal, side.note)
    yield from _nothing_to_do(stage)


def _nothing_to_do(stage: Stage) -> Iterator[Row]:
    bundle, copies = stage.bundle, [stage.work / "copied-ours", stage.work / "copied-theirs"]
    again = [
        stage.airbundle("copy", "--quiet", bundle, copies[0]),
        ["rsync", "--archive", "--checksum", f"{bundle}/", f"{copies[1]}/"],
    ]
    for command in again:
        stage.run(command)
    sides = [
        Side("airbundle copy again", lambda _: again[0]),
        Side("rsync --checksum again", lambda _: again[1]),
    ]
    ours, theirs = stage.turns().of(sides, settle=lambda: warm([bundle, *copies]))
    yield times("copy, nothing to do", "rsync --checksum", ours, theirs, 2.0)
