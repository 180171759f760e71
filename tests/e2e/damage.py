"""Repeatable damage. Bits are flipped, never overwritten by a fixed byte that may already be there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import xxhash


def flip_byte(path: Path, offset: int) -> None:
    """Flip every bit of one byte."""
    with path.open("r+b") as file:
        file.seek(offset)
        (value,) = file.read(1)
        file.seek(offset)
        file.write(bytes([value ^ 0xFF]))


def cut(path: Path, count: int) -> None:
    """Take the last ``count`` bytes off."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - count)


def lengthen(path: Path, count: int) -> None:
    """Put zeros behind the end, which tar readers do not notice."""
    with path.open("ab") as file:
        file.write(bytes(count))


def swap(one: Path, other: Path) -> None:
    """Exchange the contents of two files."""
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def forge_tables(bundle: Path, file: str, *, with_sha256: bool) -> None:
    """Make the tables fit a part that was changed: its xxh3 sums, and its sha256 if wanted."""
    table = json.loads((bundle / "bundle.json").read_bytes())
    for archive in table["archives"]:
        for part in archive["parts"]:
            if part["file"] == file:
                _forge_part(part, (bundle / file).read_bytes(), table["block_bytes"], with_sha256)
    raw = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    sums = {part["file"]: part["sha256"] for archive in table["archives"] for part in archive["parts"]}
    sums["bundle.json"] = hashlib.sha256(raw).hexdigest()
    names = [line.split()[1].lstrip("*") for line in (bundle / "SHA256SUMS").read_text().splitlines()]
    (bundle / "SHA256SUMS").write_text("".join(f"{sums[name]}  {name}\n" for name in names))
    for name in ("bundle.json", "bundle.json.bak"):
        (bundle / name).write_bytes(raw)


def _forge_part(part: dict[str, Any], data: bytes, block: int, with_sha256: bool) -> None:
    part["blocks"] = [
        xxhash.xxh3_64_hexdigest(data[start : start + block]) for start in range(0, len(data), block)
    ]
    part["xxh3_128"] = xxhash.xxh3_128_hexdigest(data)
    if with_sha256:
        part["sha256"] = hashlib.sha256(data).hexdigest()
