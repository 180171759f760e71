"""What a medium has: how much room, and which parts of a bundle lie there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from bundler.bundle.copying.media.room import Room, Volume
from bundler.bundle.manifest import Part
from bundler.content.files import disk_errors, partial, whole_name
from bundler.content.free_space import nearest_existing, taken_bytes
from bundler.errors import NotFound

#: Answers how much room there is at a directory, which need not exist yet.
Measure = Callable[[Path], Volume]

_MOUNTS = Path("/proc/self/mountinfo")
#: Types of file systems that are FAT: their files are smaller than 4 GiB.
_FAT = frozenset({"vfat", "msdos", "fuse.fusefat"})
_LARGEST_ON_FAT = (4 << 30) - 1
#: No file system in use has larger ones; what a driver says beyond that is not believed.
_LARGEST_CLUSTER = 32 << 20


def measure(directory: Path) -> Volume:
    """Return what the file system has that the directory lies on, or will lie on once it is made.

    Raises:
        NotFound: a file stands in its way. DiskError: the disk refused.
    """
    existing = nearest_existing(directory)
    with disk_errors(directory):
        usage, device = shutil.disk_usage(existing), existing.stat().st_dev
        largest = _LARGEST_ON_FAT if _type_of(device) in _FAT else None
        return Volume(device, usage.total, usage.free, _cluster(existing), largest)


def room_at(directory: Path, parts: Iterable[Part], tables: Iterable[tuple[str, int]], measure: Measure) -> Room:
    """Return the room that a directory has for a bundle.

    Args:
        directory: Need not exist.
        parts: Everything of the bundle that travels like a part.
        tables: Name and size in bytes of each file that will lie beside the parts.
        measure: Asks the file system.

    Raises:
        DiskError: the disk refused.
    """
    volume = measure(directory)
    lying = _files(directory)
    needed = [size for name, size in tables if not {name, whole_name(name)} & lying.keys()]
    # Each is written beside the one that it replaces: for a moment there may be two of the largest.
    needed.append(max(needed, default=0))
    rounded = sum(map(volume.taken, needed))
    return Room(directory, volume, held_parts(directory, parts, lying), rounded)


def held_parts(directory: Path, parts: Iterable[Part], lying: dict[str, int] | None = None) -> dict[str, int]:
    """Return for each of some parts that lies in a directory, whole or unfinished, how many bytes of it are there.

    That they are right nobody looked at. ``{}`` where there is no such directory.

    Raises:
        DiskError: the disk refused.
    """
    found = _files(directory) if lying is None else lying
    held = {}
    for part in parts:
        size = max(found.get(part.file, 0), found.get(partial(Path(part.file)).name, 0))
        if size:
            held[part.file] = min(size, part.size)
    return held


def mount_point(directory: Path) -> Path | None:
    """Return where the file system of a directory is mounted; ``None`` for the one of the system itself."""
    for candidate in (directory.absolute(), *directory.absolute().parents):
        if os.path.ismount(candidate):
            return None if candidate == candidate.parent else candidate
    return None


def _files(directory: Path) -> dict[str, int]:
    """Return the bytes on the medium of each regular file in a directory; an unfinished one may have holes."""
    try:
        with disk_errors(directory), os.scandir(directory) as entries:
            found = {}
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    found[entry.name] = taken_bytes(directory / entry.name)
            return found
    except NotFound:
        return {}


def _cluster(directory: Path) -> int:
    if not hasattr(os, "statvfs"):
        return 1
    return max(1, min(os.statvfs(directory).f_frsize, _LARGEST_CLUSTER))


def _type_of(device: int) -> str:
    """Return the type of the mounted file system of this device; ``""`` where the system does not tell."""
    if not hasattr(os, "major"):
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        mount, _, described = line.partition(" - ")
        if mount.split()[2:3] == [wanted]:
            return described.split(" ", 1)[0]
    return ""
