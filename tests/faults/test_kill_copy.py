"""The copy command, killed at random moments and started again."""

from __future__ import annotations

from pathlib import Path

from tests.builders import contents_of
from tests.copies import BLOCK, make_bundle, right_bytes
from tests.faults.kills import Command, Killer


def test_copy(tmp_path: Path, kills: int) -> None:
    manifest = make_bundle(tmp_path / "source", size=700 * BLOCK - 999, part_bytes=150 * BLOCK)
    total = sum(part.size for part in manifest.parts)
    right = contents_of(tmp_path / "source")

    def command(place: Path) -> Command:
        return Command.of("copy", tmp_path / "source", place, "--json", "--quiet")

    seconds = command(tmp_path / "undisturbed").seconds()
    killer = Killer(kills, "copy")
    number = 0
    while killer.goes_on:
        number += 1
        place = tmp_path / str(number)
        killer.kill(command(place), seconds)
        kept = right_bytes(manifest, place) if place.exists() else 0
        said = command(place).finish()
        assert contents_of(place) == right
        assert (said["bytes_kept"], said["bytes_copied"], said["bytes_bad"]) == (kept, total - kept, 0)
