"""Small file systems of several kinds, in files: what a machine cannot mount is a skip with its reason."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.requirements import require, why_no_program, why_not_root


@dataclass(frozen=True)
class Mounted:
    """A file system that is mounted.

    Attributes:
        place: where.
        image: the file that is its medium.
        device: the loop device between them.
    """

    place: Path
    image: Path
    device: str

    def read_only(self) -> None:
        """Mount it again, so that nothing can be written."""
        run("mount", "-o", "remount,ro", str(self.place))


def run(*command: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def memory(place: Path, size: int) -> Iterator[Path]:
    """Mount a file system in memory that has ``size`` bytes; :func:`resize` changes that."""
    require(why_not_root() or why_no_program("mount", "umount"))
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    require(f"cannot mount a file system: {mounted.stderr.strip()}" if mounted.returncode else None)
    try:
        yield place
    finally:
        run("umount", str(place))


def resize(place: Path, size: int) -> None:
    """Give a file system in memory another size."""
    run("mount", "-o", f"remount,size={size}", str(place))


@contextmanager
def ext4(directory: Path, size: int) -> Iterator[Mounted]:
    """Mount a file system on a loop device, below a directory for its files."""
    with (
        _medium(directory, size, "mkfs.ext4", "-q", "-O", "^has_journal") as (image, device),
        _mounted(directory, image, device, "mount", "-t", "ext4") as mounted,
    ):
        yield mounted


@contextmanager
def exfat(directory: Path, size: int) -> Iterator[Mounted]:
    """Mount exFAT through FUSE, as sticks are formatted."""
    require(why_no_program("mount.exfat-fuse"))
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("no /dev/fuse")
    with (
        _medium(directory, size, "mkfs.exfat") as (image, device),
        _mounted(directory, image, device, "mount.exfat-fuse") as mounted,
    ):
        yield mounted


@contextmanager
def vfat(directory: Path, size: int) -> Iterator[Mounted]:
    """Mount FAT32 where the kernel has it."""
    with (
        _medium(directory, size, "mkfs.vfat", "-F", "32") as (image, device),
        _mounted(directory, image, device, "mount", "-t", "vfat") as mounted,
    ):
        yield mounted


@contextmanager
def _medium(directory: Path, size: int, *maker: str) -> Iterator[tuple[Path, str]]:
    require(why_not_root() or why_no_program("mount", "umount", "losetup", maker[0]))
    directory.mkdir(exist_ok=True)
    image = directory / "image"
    with image.open("wb") as file:
        file.truncate(size)
    run(*maker, str(image))
    attached = subprocess.run(
        ["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False
    )
    if attached.returncode:
        pytest.skip(f"no loop devices: {attached.stderr.strip()}")
    try:
        yield image, attached.stdout.strip()
    finally:
        run("losetup", "--detach", attached.stdout.strip())


@contextmanager
def _mounted(directory: Path, image: Path, device: str, *mounter: str) -> Iterator[Mounted]:
    place = directory / "mounted"
    place.mkdir()
    mounted = subprocess.run([*mounter, device, str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.strip()}")
    try:
        yield Mounted(place, image, device)
    finally:
        run("umount", str(place))
