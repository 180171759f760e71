"""What a lock says otherwise than another one. Pure: no I/O."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from bundler.packing.locking.lock_file import Lock, LockEntry


@dataclass(frozen=True)
class LockChange:
    """One image that a new lock would have otherwise.

    Attributes:
        kind: ``added``, ``removed`` or ``changed``.
        title: which image of which application.
        details: of a change, what is otherwise, one line each.
    """

    kind: str
    title: str
    details: tuple[str, ...] = ()


def changes_between(before: Lock, now: Lock) -> tuple[LockChange, ...]:
    """Return what is otherwise, in the order of the entries; times do not count."""
    changes = []
    for key in sorted({*before.by_key, *now.by_key}):
        old, new = before.by_key.get(key), now.by_key.get(key)
        if old is None and new is not None:
            changes.append(LockChange("added", new.title, tuple(_lines(new))))
        elif new is None and old is not None:
            changes.append(LockChange("removed", old.title, tuple(_lines(old))))
        elif old is not None and new is not None and (details := _differences(old, new)):
            changes.append(LockChange("changed", new.title, details))
    return tuple(changes)


def with_times_of(now: Lock, before: Lock) -> Lock:
    """Return a new lock in which what is as before keeps its time: locking again then changes nothing."""
    return Lock(tuple(_with_time(entry, before.by_key.get(entry.key)) for entry in now.entries))


def _with_time(entry: LockEntry, before: LockEntry | None) -> LockEntry:
    if before is None or _differences(before, entry):
        return entry
    return msgspec.structs.replace(entry, resolved=before.resolved)


def _differences(old: LockEntry, new: LockEntry) -> tuple[str, ...]:
    found = []
    if (old.source, old.where) != (new.source, new.where):
        found.append(f"from {new.source} {new.where}, before from {old.source} {old.where}")
    gone = [line for line in _lines(old) if line not in set(_lines(new))]
    come = [line for line in _lines(new) if line not in set(_lines(old))]
    return (*found, *(f"- {line}" for line in gone), *(f"+ {line}" for line in come))


def _lines(entry: LockEntry) -> list[str]:
    return [
        f"{image.reference} {image.digest or f'image ID {image.image_id}'} {','.join(image.platforms)}".rstrip()
        for image in sorted(entry.images)
    ]
