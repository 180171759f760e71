"""A list of the servers that run, kept on disk, so that a test run that is killed leaves none behind.

``scripts/test`` sets ``AIRBUNDLE_TEST_SERVERS`` to a directory. Every server writes a file there while it runs:
its process id in the first line, its own directory in the second. When the script ends, however it ends, it
stops every process on the list whose command line still names that directory, unmounts what is mounted below
the directory and removes it.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "AIRBUNDLE_TEST_SERVERS"


def record(pid: int, directory: Path) -> None:
    """Put a server on the list; nothing happens where nobody keeps one."""
    if listed := _file(pid):
        listed.write_text(f"{pid}\n{directory}\n")


def forget(pid: int) -> None:
    """Take a server that was stopped from the list."""
    if listed := _file(pid):
        listed.unlink(missing_ok=True)


def _file(pid: int) -> Path | None:
    directory = os.environ.get(VARIABLE)
    return Path(directory, f"{pid}.server") if directory else None
