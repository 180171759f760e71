"""Blobs in a directory, each a file under its digest that appears only when it is whole and right."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from bundler.content.files import disk_errors, partial, sync_directory, write_all
from bundler.content.regular_file import RegularFileStream
from bundler.content.streams import BUFFER_BYTES, ByteStream, VerifiedStream
from bundler.errors import DamagedContent, NotFound
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.progress import Task

_UNFINISHED = re.compile(r"[0-9a-f]{64}\.partial", re.ASCII)


class BlobDirectory:
    """A directory of blobs, ``blobs/sha256`` of a layout. It is made when the first blob is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._proven: set[Digest] = set()

    def holds(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there and right: a file of another run or tool is read once to be sure.

        Raises:
            DiskError: the disk refused.
        """
        if descriptor.digest in self._proven:
            return True
        try:
            stream = RegularFileStream(self._path / descriptor.digest.hex)
        except (NotFound, DamagedContent):
            return False
        try:
            for _ in _pieces(VerifiedStream(stream, descriptor.size, descriptor.digest)):
                pass
        except DamagedContent:
            return False
        finally:
            stream.close()
        self._proven.add(descriptor.digest)
        return True

    def write(self, descriptor: Descriptor, stream: ByteStream, task: Task) -> None:
        """Verify a stream into a blob, durable but for its name, and close it. A wrong blob is replaced.

        Raises:
            DamagedContent: the stream has other bytes than the descriptor says; no file is left.
            DiskError: the disk refused; no file is left.
        """
        target = self._path / descriptor.digest.hex
        beside = partial(target)
        verified = VerifiedStream(stream, descriptor.size, descriptor.digest, "blob")
        try:
            with disk_errors(self._path):
                self._path.mkdir(parents=True, exist_ok=True)
                beside.unlink(missing_ok=True)
            _write_new(beside, verified, task)
            with disk_errors(target):
                beside.replace(target)
        finally:
            verified.close()
            with disk_errors(beside):
                beside.unlink(missing_ok=True)
        self._proven.add(descriptor.digest)

    def sync(self) -> None:
        """Make the names of all blobs durable.

        Raises:
            DiskError: the disk refused.
        """
        with disk_errors(self._path):
            if self._path.exists():
                sync_directory(self._path)

    def sweep(self) -> None:
        """Remove what a killed run left unfinished.

        Raises:
            DiskError: the disk refused.
        """
        with disk_errors(self._path):
            for file in self._path.glob("*.partial"):
                if _UNFINISHED.fullmatch(file.name):
                    file.unlink(missing_ok=True)


def _write_new(path: Path, stream: ByteStream, task: Task) -> None:
    # EXCL: a link of this name in a foreign layout must not be written through.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with disk_errors(path):
        file = os.open(path, flags, 0o666)
    try:
        for piece in _pieces(stream):
            with disk_errors(path):
                write_all(file, piece)
            task.advance(len(piece))
        with disk_errors(path):
            os.fsync(file)
    finally:
        os.close(file)


def _pieces(stream: ByteStream) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(BUFFER_BYTES))
    while count := stream.readinto(buffer):
        yield buffer[:count]
