"""From ``--locked`` and ``--lock-file`` to a lock; and how the changes of one are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bundler.api.locking import lock_path, read_lock
from bundler.cli.console import Console
from bundler.cli.request import config_file
from bundler.model.limits import Limits
from bundler.packing.locking.comparison import LockChange
from bundler.packing.locking.lock_file import Lock


def wanted_lock(locked: bool, file: Path | None, items: Sequence[str], limits: Limits) -> Lock | None:
    """Return the lock that a pack must keep to; ``None`` if it may take what there is.

    Raises:
        NotFound: there is none. DiskError: it cannot be read.
        ConfigError: it is none.
    """
    if not locked and file is None:
        return None
    return read_lock(file or lock_path(config_file(items)), limits)


def show_changes(console: Console, changes: Sequence[LockChange]) -> None:
    """Print what is otherwise, the details of each change below it."""
    for change in changes:
        console.line(f"{change.kind:8} {change.title}")
        for detail in change.details:
            console.line(f"         {detail}")


def changes_document(changes: Sequence[LockChange]) -> list[dict[str, object]]:
    """Return what JSON says of changes."""
    return [{"kind": one.kind, "image": one.title, "details": list(one.details)} for one in changes]
