"""What tests read of a bundle: with json and os alone, as a stranger's script would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PARTIAL = ".partial"


def table(bundle: Path) -> dict[str, Any]:
    """Return bundle.json."""
    value = json.loads((bundle / "bundle.json").read_bytes())
    assert isinstance(value, dict)
    return value


def total_bytes(directory: Path) -> int:
    """Return the bytes of all files below a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def parts(bundle: Path, archive: str) -> list[dict[str, Any]]:
    """Return the parts of an archive, in order."""
    found = next(entry for entry in table(bundle)["archives"] if entry["name"] == archive)
    return list(found["parts"])


def blobs_by_digest(bundle: Path) -> dict[str, dict[str, Any]]:
    """Return where each blob lies."""
    return {blob["digest"]: blob for blob in table(bundle)["blobs"]}


def images(bundle: Path) -> dict[str, dict[str, Any]]:
    """Return every image by its reference."""
    return {image["reference"]: image for app in table(bundle)["applications"] for image in app["images"]}


def blobs_within(bundle: Path, archive: str, start: int, end: int) -> set[str]:
    """Return the digests of the blobs that have a byte in a range of an archive."""
    return {
        blob["digest"]
        for blob in table(bundle)["blobs"]
        if blob["archive"] == archive and blob["offset"] < end and blob["offset"] + blob["size"] > start
    }


def finished_files(directory: Path) -> list[str]:
    """Return the names of files that stand under a final name; none in a directory that is not there."""
    if not directory.is_dir():
        return []
    return sorted(path.name for path in directory.iterdir() if not path.name.endswith(PARTIAL))
