"""Check 3, the other way round: nothing is named like a part or parity that is none of this bundle."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from bundler.bundle.findings import Finding
from bundler.bundle.names import is_parity_name, is_part_name, is_system_file
from bundler.content.files import disk_errors


def find_strangers(
    directory: Path, files: Collection[str], *, with_parity: bool
) -> tuple[list[Finding], list[str]]:
    """Look at the names in one directory of a bundle; unfinished files are not judged.

    Args:
        directory: The directory.
        files: The names of all parts of the bundle, and of its parity files.
        with_parity: Whether those are known, so that others named like them are strangers.

    Returns:
        A finding for each stranger, and the names of what systems leave on media.
    """
    with disk_errors(directory):
        names = sorted(path.name for path in directory.iterdir())
    present = set(names)

    def is_known(name: str) -> bool:
        # A file system may give names back in capitals; one that knows both cases may hold both.
        return name in files or (name.lower() in files and name.lower() not in present)

    strangers = [
        Finding(3, "stranger", name, expected="no such part", found="a file")
        for name in names
        if (is_part_name(name) or (with_parity and is_parity_name(name)))
        and not is_system_file(name)
        and not is_known(name)
    ]
    return strangers, [name for name in names if is_system_file(name)]
