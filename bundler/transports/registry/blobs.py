"""Blobs at a registry (distribution-spec, "Pulling blobs")."""

from __future__ import annotations

import re

from bundler.content.streams import BUFFER_BYTES, ByteStream, MemoryStream, VerifiedStream
from bundler.errors import DamagedContent, NotFound, ProtocolError, Unreachable
from bundler.model.descriptor import Descriptor
from bundler.transports.registry.client import Repository
from bundler.transports.registry.wire import Answer
from bundler.transports.registry.words import clean

_CONTENT_RANGE = re.compile(r"bytes\s+([0-9]{1,19})-[0-9]{1,19}/", re.ASCII)


def has_blob(repository: Repository, descriptor: Descriptor) -> bool:
    """Tell whether the repository has a blob.

    Raises:
        ProtocolError: something is there, but cannot be this blob.
        Unreachable, Refused: the registry.
    """
    try:
        with repository.request(
            "HEAD", _path(repository, descriptor), expected=(200,), what=f"blob {descriptor.digest}"
        ) as answer:
            size = answer.header("Content-Length")
            said = answer.header("Docker-Content-Digest")
            kind = answer.header("Content-Type")
    except NotFound:
        return False
    # A portal or a web server may answer 200 to whatever is asked.
    if kind.startswith("text/html") or (said.startswith("sha256:") and said != descriptor.digest):
        raise ProtocolError(f"{repository}: what answers for {descriptor.digest} is no registry")
    if size.isdecimal() and int(size) not in (0, descriptor.size):
        raise ProtocolError(
            f"{repository}: the blob {descriptor.digest} has {int(size)} bytes there, "
            f"and must have {descriptor.size}",
            advice="The registry holds a damaged blob: have it deleted there, then try again.",
        )
    return True


def open_blob(repository: Repository, descriptor: Descriptor, offset: int = 0) -> ByteStream:
    """Open a blob at an offset, 0 ≤ offset ≤ size; from 0 the stream is verified. The caller closes it.

    Raises:
        NotFound: the repository has no such blob.
        DamagedContent: the blob there ends before the offset.
        ProtocolError: another range came than was asked for.
        Unreachable, Refused: the registry.
    """
    raw = open_raw_blob(repository, descriptor, offset)
    return raw if offset else VerifiedStream(raw, descriptor.size, descriptor.digest, f"{repository}: blob")


def open_raw_blob(repository: Repository, descriptor: Descriptor, offset: int = 0) -> ByteStream:
    """Open a blob as :func:`open_blob` does, but unverified: for a consumer that verifies itself."""
    if offset and offset == descriptor.size:
        return MemoryStream(b"")
    answer = repository.request(
        "GET",
        _path(repository, descriptor),
        expected=(200, 206, 416) if offset else (200,),
        what=f"blob {descriptor.digest}",
        headers={"Range": f"bytes={offset}-"} if offset else None,
    )
    stream = _BlobStream(answer, descriptor, offset, str(repository))
    try:
        stream.start()
    except BaseException:
        stream.close()
        raise
    return stream


class _BlobStream:
    """The body of an answer from an offset on, never beyond the size of the blob by more than a byte."""

    def __init__(self, answer: Answer, descriptor: Descriptor, offset: int, where: str) -> None:
        self._answer = answer
        self._descriptor = descriptor
        self._offset = offset
        self._position = 0
        self._name = f"{where}: blob {descriptor.digest}"

    def start(self) -> None:
        """Check what the registry made of the Range, and go to the offset."""
        if self._answer.status == 416:
            raise DamagedContent(f"{self._name} ends before byte {self._offset}")
        if self._answer.status == 206:
            if range_start(self._answer.header("Content-Range")) != self._offset:
                got = clean(self._answer.header("Content-Range")) or "none"
                raise ProtocolError(f"{self._name}: asked for bytes from {self._offset} on, got range {got}")
            self._position = self._offset
        buffer = memoryview(bytearray(min(BUFFER_BYTES, self._offset - self._position)))
        while self._position < self._offset:
            # The registry ignored the Range: what was not asked for is read and dropped.
            if not self.readinto(buffer[: self._offset - self._position]):
                raise DamagedContent(f"{self._name} ends before byte {self._offset}")

    def readinto(self, buffer: memoryview) -> int:
        # One byte more may be read, so that a blob that goes on behind its size is noticed.
        most = self._descriptor.size + 1 - self._position
        count = self._answer.readinto(buffer[:most])
        self._position += count
        if count == 0 and len(buffer) and self._position < self._descriptor.size:
            raise Unreachable(
                f"{self._name} ended after {self._position} of {self._descriptor.size} bytes",
                advice="Try again; if it ends there again, the registry's copy is damaged.",
            )
        return count

    def close(self) -> None:
        self._answer.close()


def range_start(header: str) -> int | None:
    """Return the first byte that a Content-Range header names (RFC 9110 §14.4); ``None`` where it names none."""
    match = _CONTENT_RANGE.match(header)
    return int(match[1]) if match else None


def _path(repository: Repository, descriptor: Descriptor) -> str:
    return repository.path(f"blobs/{descriptor.digest}")
