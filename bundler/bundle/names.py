"""File names inside a bundle: made by these rules only, never taken from outside as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bundler.errors import ConfigError, MalformedDocument

BUNDLE_JSON = "bundle.json"
BUNDLE_JSON_COPY = "bundle.json.bak"
SIGNATURE = "bundle.json.sig"
CHECKSUMS = "SHA256SUMS"
README = "README.txt"
PARITY_JSON = "parity.json"
#: What an unfinished pack has done so far, so that it can go on.
PACK_JOURNAL = "pack-journal.partial"
#: The same of parity.
PARITY_JOURNAL = "parity-journal.partial"
SHARED = "shared"
_ARCHIVE_SUFFIX = ".oci.tar"
#: Three digits, and more only where more are needed; all parts of one archive have the same number of them.
_FEWEST_DIGITS = 3

_PORTABLE = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
_LONGEST_NAME = 60
_SMOKE_WORDS, _SMOKE_WORD_CHARS = 100, 4_096
# Windows opens a device for these, whatever follows the first dot.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.ASCII)
_SYSTEM_FILES = frozenset(
    {
        "lost+found", "system volume information", "$recycle.bin", "recycler", "thumbs.db", "desktop.ini",
        ".ds_store", ".fseventsd", ".spotlight-v100", ".trashes", ".trash-0", ".trash-1000",
    }
)  # fmt: skip
_PARITY = re.compile(r"parity\.([0-9]{3,9})", re.ASCII)
_PART = re.compile(r"([a-z0-9][a-z0-9._-]*)\.oci\.tar(?:\.([0-9]{3,9}))?", re.ASCII)


def check_application_name(name: str) -> None:
    """Refuse a name that could not be the name of a file on every file system.

    Raises:
        ConfigError: not ``[a-z0-9][a-z0-9._-]*``, over 60 characters, or reserved.
    """
    if not _PORTABLE.fullmatch(name) or len(name) > _LONGEST_NAME or name.endswith("."):
        raise ConfigError(
            f"not a name for an application: {name!r:.100}",
            advice=f"Use up to {_LONGEST_NAME} of a-z, 0-9 and . - _, a letter or digit first.",
        )
    if name == SHARED or _DEVICES.fullmatch(name) or _ARCHIVE_SUFFIX in f"{name}.":
        raise ConfigError(f"the application name {name!r} is reserved", advice="Choose another name.")


def archive_file(archive: str) -> str:
    """Return the name of an archive that needs no cut."""
    return archive + _ARCHIVE_SUFFIX


def part_file(archive: str, number: int, count: int) -> str:
    """Return the name of part ``number`` (from 1) of an archive that has ``count`` of them so far."""
    digits = max(_FEWEST_DIGITS, len(str(count)))
    return f"{archive_file(archive)}.{number:0{digits}d}"


def part_files(archive: str, count: int) -> list[str]:
    """Return the names of all parts of an archive that has ``count`` of them, in order."""
    if count == 1:
        return [archive_file(archive)]
    return [part_file(archive, number, count) for number in range(1, count + 1)]


def part_number(file: str, archive: str) -> int | None:
    """Return the number (from 1) of a part of this archive by its name; ``None`` for any other file."""
    match = _PART.fullmatch(file)
    return None if match is None or match[1] != archive else int(match[2] or 1)


def parity_files(count: int) -> list[str]:
    """Return the names of all parity files of a bundle that has ``count`` of them, in order."""
    digits = max(_FEWEST_DIGITS, len(str(count)))
    return [f"parity.{number:0{digits}d}" for number in range(1, count + 1)]


def is_parity_name(file: str) -> bool:
    """Tell whether a file is named like a parity file of some bundle, whatever the case of its letters."""
    return _PARITY.fullmatch(file.lower()) is not None


def is_part_name(file: str) -> bool:
    """Tell whether a file is named like a part of some archive, whatever the case of its letters."""
    return _PART.fullmatch(file.lower()) is not None


def is_system_file(file: str) -> bool:
    """Tell whether systems leave a file or directory of this name on media by themselves."""
    return file.startswith("._") or file.lower() in _SYSTEM_FILES


def check_part_name(file: str, archive: str) -> None:
    """Refuse a part name in a bundle's table that was not made by the rules of this module.

    Raises:
        MalformedDocument: it belongs to no part of this archive.
    """
    match = _PART.fullmatch(file)
    if match is None or match[1] != archive or _DEVICES.fullmatch(file):
        raise MalformedDocument(f"bundle.json names a part {file!r:.100} in the archive {archive!r:.100}")


def check_smoke(words: Sequence[str], whose: str) -> None:
    """Refuse a smoke test that no engine could run; none at all, ``()``, is right.

    Raises:
        ConfigError: its first word is empty, one has a NUL or more than 4096 characters, or there are over 100.
    """
    too_much = len(words) > _SMOKE_WORDS or any(len(word) > _SMOKE_WORD_CHARS for word in words)
    if words and (not words[0] or too_much or any("\0" in word for word in words)):
        raise ConfigError(f"{whose}: smoke is no command", advice='Write its words as a list: ["nginx", "-v"].')
