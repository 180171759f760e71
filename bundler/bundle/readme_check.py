"""README.txt is for people: anybody may change it, and no sum covers it. But what a medium did to it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import README
from bundler.bundle.opening import read_small
from bundler.errors import DamagedContent, DiskError, NotFound, NotReadable
from bundler.model.limits import DEFAULT_LIMITS, Limits

#: Makes README.txt for a bundle.
MakeReadme = Callable[[BundleManifest], bytes]
#: What a sector is filled with that was never written; no text has so many.
_ZEROS = bytes(16)


def is_damaged_readme(raw: bytes, expected: bytes) -> bool:
    """Tell whether these bytes were cut or overwritten with zeros, given what is written for this bundle.

    Another text may be that of another version, or of a person: it stays as it is.
    """
    return _ZEROS in raw or (raw != expected and expected.startswith(raw))


def check_readme(directory: Path, expected: bytes, limits: Limits = DEFAULT_LIMITS) -> Finding | None:
    """Return what is wrong with the README.txt in a directory (check 3); that there is none is nobody's loss."""
    try:
        raw = read_small(directory / README, limits.document_bytes)
    except (NotFound, NotReadable):
        return None
    except (DamagedContent, DiskError) as error:
        found = str(error)
    else:
        if not is_damaged_readme(raw, expected):
            return None
        found = "zeros in it" if _ZEROS in raw else f"the first {len(raw)} of {len(expected)} bytes"
    return Finding(3, "damaged-readme", README, expected="the text for this bundle", found=found, mendable=True)
