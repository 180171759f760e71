"""Bundles whose blocks are bad, by index of the part and number of the block, and what an answer holds of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.requests.block_ranges import BlockAt, BlockRanges
from bundler.bundle.requests.request_file import BlockRequest


def spoil(directory: Path, manifest: BundleManifest, blocks: Iterable[BlockAt]) -> None:
    """Flip one byte in each of some blocks."""
    for part, number in blocks:
        row = manifest.parts[part]
        start = number * manifest.block_bytes
        length = min(manifest.block_bytes, row.size - start)
        with (directory / row.file).open("r+b") as file:
            file.seek(start + (part * 31 + number * 7) % length)
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 0xFF]))


def all_blocks(manifest: BundleManifest) -> list[BlockAt]:
    """Return every block of a bundle."""
    return [(index, number) for index, part in enumerate(manifest.parts) for number in range(len(part.blocks))]


def block_bytes_of(directory: Path, manifest: BundleManifest, block: BlockAt) -> bytes:
    """Return what lies at the place of a block."""
    data = (directory / manifest.parts[block[0]].file).read_bytes()
    return data[block[1] * manifest.block_bytes :][: manifest.block_bytes]


def request_for(manifest: BundleManifest, blocks: Iterable[BlockAt]) -> BlockRequest:
    """Make the request for some blocks."""
    return BlockRequest(manifest.id, BlockRanges.of(blocks))


def blocks_of_answer(directory: Path) -> dict[BlockAt, bytes]:
    """Read an answer as a stranger would, from what docs/format.md says; blocks under ``missing`` are left out."""
    table: dict[str, Any] = json.loads((directory / "answer.json").read_bytes())
    data = b"".join((directory / row["file"]).read_bytes() for row in table["files"])
    assert [(directory / row["file"]).stat().st_size for row in table["files"]] == [
        row["size"] for row in table["files"]
    ]
    absent = {
        (row["part"], number)
        for row in table.get("missing", [])
        for first, count in row["blocks"]
        for number in range(first, first + count)
    }
    found: dict[BlockAt, bytes] = {}
    position = 0
    for row in table["parts"]:
        for first, count in row["blocks"]:
            for number in range(first, first + count):
                length = min(table["block_bytes"], row["size"] - number * table["block_bytes"])
                if (row["part"], number) not in absent:
                    found[row["part"], number] = data[position : position + length]
                position += length
    assert position == len(data)
    return found
