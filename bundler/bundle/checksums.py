"""SHA256SUMS: what users of sha256sum check a bundle with."""

from __future__ import annotations

import re

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import BUNDLE_JSON

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)", re.ASCII)


def write_checksums(manifest: BundleManifest) -> bytes:
    """Return the file: every part and bundle.json, sorted by name."""
    sums = {part.file: part.sha256 for part in manifest.parts} | {BUNDLE_JSON: manifest.id.hex}
    return "".join(f"{sums[file]}  {file}\n" for file in sorted(sums)).encode("ascii")


def sum_of_bundle_json(raw: bytes) -> str | None:
    """Return the sum that the file gives for bundle.json, 64 digits; ``None`` where it gives none."""
    for line in raw.decode("ascii", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match and match[2] == BUNDLE_JSON:
            return match[1]
    return None
