"""Part sizes, and the bounds of everything that decides the bytes of a bundle."""

from __future__ import annotations

import pytest

from bundler.errors import UsageError
from bundler.packing.planning.options import DEFAULT_PART_SIZE, PackOptions, parse_part_size, suited_block_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("fat32", 3900 << 20),
        ("FAT32", 3900 << 20),
        (" dvd ", 4_400_000_000),
        ("bd", 24_800_000_000),
        ("none", 0),
        ("64KiB", 65536),
        ("65536", 65536),
        ("4GiB", 4 << 30),
        ("4GB", 4 * 10**9),
        ("1.5 GiB", 3 << 29),
        (DEFAULT_PART_SIZE, 3900 << 20),
    ],
)
def test_part_sizes(text: str, size: int) -> None:
    assert parse_part_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "64KB", "65535", "1", "-1", "4G", "floppy", "4 GiB x", "none none", "1e9"]
)
def test_what_is_no_part_size(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_part_size(text)
    assert caught.value.advice


def test_presets_fit_their_media() -> None:
    assert PackOptions().part_bytes == parse_part_size("fat32") < 4 << 30
    assert parse_part_size("dvd") < 4_700_000_000
    assert parse_part_size("bd") < 25_000_000_000


@pytest.mark.parametrize(
    "change",
    [
        {"part_bytes": 1},
        {"part_bytes": -1},
        {"part_bytes": 65535},
        {"block_bytes": 0},
        {"block_bytes": 65535},
        {"block_bytes": (64 << 20) + 1},
        {"name": "two\nlines"},
        {"name": "\x1b[31m"},
        {"name": "x" * 201},
        {"version": "\0"},
        {"version": "x" * 201},
    ],
    ids=str,
)
def test_bounds(change: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        PackOptions(**change)  # type: ignore[arg-type]


def test_the_smallest_and_largest_that_are_taken() -> None:
    PackOptions(part_bytes=0, block_bytes=65536, name="Werk 7 Süd", version="2026.11.1")
    PackOptions(part_bytes=65536, block_bytes=64 << 20)


KIB, MIB = 1 << 10, 1 << 20


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (0, 4 * MIB),
        (3900 * MIB, 4 * MIB),
        (256 * MIB, 4 * MIB),
        (256 * MIB - 1, 2 * MIB),
        (128 * MIB, 2 * MIB),
        (64 * MIB, MIB),
        (100 * MIB, MIB),
        (5 * MIB, 64 * KIB),
        (8 * MIB, 128 * KIB),
        (64 * KIB, 64 * KIB),
    ],
)
def test_blocks_that_suit_the_parts(part: int, block: int) -> None:
    assert suited_block_bytes(part) == PackOptions(part_bytes=part).block_bytes == block


def test_blocks_that_suit_are_as_few_as_can_be() -> None:
    for part in range(64 * KIB, 300 * MIB, 999_983):
        block = suited_block_bytes(part)
        assert block & (block - 1) == 0
        assert 64 * KIB <= block <= 4 * MIB
        assert block == 64 * KIB or part // block >= 64
        assert block == 4 * MIB or part // (2 * block) < 64
