"""Locks: written beside a configuration, compared with what there is now, and taken by a pack."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from bundler.api.image_names import ImageName
from bundler.api.packing import Applications
from bundler.api.registry_access import DEFAULT_ACCESS, AccessOptions, open_access, registries_of
from bundler.api.resolving import Resolved, Resolver, described
from bundler.api.source_set import SourceSet
from bundler.bundle.names import check_application_name
from bundler.content.files import disk_errors, rewrite_file
from bundler.errors import ConfigError, NotFound, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.packing.locking.comparison import LockChange, changes_between, with_times_of
from bundler.packing.locking.lock_file import LOCK_FILE, Lock, LockEntry, parse_lock, write_lock
from bundler.packing.planning.image_entry import ImageEntry, check_entry, entry_of
from bundler.progress import SILENT, Progress

_NO_LOCK = Lock(())


def lock_path(config: Path | str | None) -> Path:
    """Return where the lock of a configuration lies: beside it; without one in the current directory."""
    return (Path(config).parent if config is not None else Path()) / LOCK_FILE


def read_lock(path: Path | str, limits: Limits = DEFAULT_LIMITS) -> Lock:
    """Read a lock.

    Raises:
        NotFound: there is none. DiskError: it cannot be read.
        ConfigError: it is none.
    """
    file = Path(path)
    try:
        with disk_errors(file), file.open("rb") as stream:
            raw = stream.read(limits.config_bytes + 1)
    except NotFound as error:
        raise NotFound(f"there is no lock {file}", advice="Make it with `airbundle lock`.") from error
    if len(raw) > limits.config_bytes:
        raise ConfigError(str(beyond(limits.config_bytes, f"{file} is larger than any lock")))
    return parse_lock(raw, str(file), limits)


def make_lock(
    applications: Applications,
    *,
    access: AccessOptions = DEFAULT_ACCESS,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> Lock:
    """Resolve every image and return what it stands for now; no layer is read.

    The time is SOURCE_DATE_EPOCH, if that is set.

    Raises:
        NotFound: an image is not there, or no tag fits. Unreachable, Unauthorised, Refused: a source.
        ConfigError: the applications contradict themselves or the rules for names.
        UsageError: SOURCE_DATE_EPOCH is no number of seconds.
    """
    now = _now()
    entries = []
    registries = registries_of(entry_of(image).image for images in applications.values() for image in images)
    reached = open_access(access, registries, limits=limits, progress=progress)
    # What refers to images says nothing of what their names stand for.
    with SourceSet(access=reached, limits=limits, progress=progress, referrers=False) as sources:
        resolver = Resolver(sources)
        for application, images in applications.items():
            check_application_name(application)
            for image in images:
                check_entry(image)
                entry = entry_of(image)
                entries.append(_locked(application, entry, resolver.find(application, entry), now))
    return Lock.of(entries)


def update_lock(path: Path | str, now: Lock, limits: Limits = DEFAULT_LIMITS) -> tuple[LockChange, ...]:
    """Write a lock, whole or not at all, and return what is otherwise than in the one that was there.

    Entries that are as before keep their time, so that locking again changes no byte.

    Raises:
        ConfigError: what is there is no lock, and not overwritten; or no lock can hold this.
        DiskError: it cannot be written.
    """
    before = _lock_if_any(Path(path), limits)
    rewrite_file(Path(path), write_lock(with_times_of(now, before), limits))
    return changes_between(before, now)


def check_lock(path: Path | str, now: Lock, limits: Limits = DEFAULT_LIMITS) -> tuple[LockChange, ...]:
    """Return what locking anew would change; nothing is written.

    Raises:
        NotFound: there is no lock. ConfigError: it is none. DiskError: it cannot be read.
    """
    return changes_between(read_lock(path, limits), now)


def _lock_if_any(path: Path, limits: Limits) -> Lock:
    try:
        return read_lock(path, limits)
    except NotFound:
        return _NO_LOCK


def _locked(application: str, entry: ImageEntry, found: Resolved, now: str) -> LockEntry:
    name = ImageName.parse(entry.image)
    where = name.location
    if found.source.kind == "registry":
        where = found.images[0].reference.registry
    elif not where:
        where = "engine"
    return LockEntry(
        application=application,
        image=entry.image,
        version=entry.version,
        tags=entry.tags,
        source=found.source.kind,
        where=where,
        resolved=now,
        images=tuple(sorted(map(described, found.images), key=lambda image: image.reference)),
    )


def _now() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        moment = datetime.now(timezone.utc)
    elif epoch.isascii() and epoch.isdecimal() and len(epoch) < 12:
        moment = datetime.fromtimestamp(int(epoch), timezone.utc)
    else:
        raise UsageError(f"SOURCE_DATE_EPOCH is {epoch!r:.50}, which is no number of seconds")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
