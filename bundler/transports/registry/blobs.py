"""Blobs at a registry (distribution-spec, "Pulling blobs")."""

from __future__ import annotations

import re

from bundler.content.streams import BUFFER_BYTES, ByteStream, MemoryStream, VerifiedStream
from bundler.errors import DamagedContent, NotFound, ProtocolError, Unreachable
from bundler.model.descriptor import Descriptor
from bundler.transports.registry.client import Repository
from bundler.transports.registry.retries import PASSING, Attempts
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
        size, said, kind = repository.ask(
            "HEAD",
            _path(repository, descriptor),
            lambda answer: tuple(map(answer.header, ("Content-Length", "Docker-Content-Digest", "Content-Type"))),
            expected=(200,),
            what=f"blob {descriptor.digest}",
        )
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
    return repository.retries.run(lambda: _open_once(repository, descriptor, offset))


def _open_once(repository: Repository, descriptor: Descriptor, offset: int) -> _BlobStream:
    answer = repository.request(
        "GET",
        _path(repository, descriptor),
        expected=(200, 206, 416) if offset else (200,),
        what=f"blob {descriptor.digest}",
        headers={"Range": f"bytes={offset}-"} if offset else None,
    )
    stream = _BlobStream(repository, answer, descriptor)
    try:
        stream.start(offset)
    except BaseException:
        stream.close()
        raise
    return stream


class _BlobStream:
    """The body of an answer from an offset on, never beyond the size of the blob by more than a byte.

    When the connection breaks it goes on with another request, as long as each of them brings something.
    """

    def __init__(self, repository: Repository, answer: Answer, descriptor: Descriptor) -> None:
        self._repository = repository
        self._answer: Answer | None = answer
        self._descriptor = descriptor
        self._position = 0
        self._name = f"{repository}: blob {descriptor.digest}"
        self._attempts = Attempts(repository.retries)

    def start(self, offset: int) -> None:
        """Check what the registry made of the Range, and go to the offset."""
        answer = self._open()
        if answer.status == 416:
            raise DamagedContent(f"{self._name} ends before byte {offset}")
        if answer.status == 206:
            if range_start(answer.header("Content-Range")) != offset:
                got = clean(answer.header("Content-Range")) or "none"
                raise ProtocolError(f"{self._name}: asked for bytes from {offset} on, got range {got}")
            self._position = offset
        buffer = memoryview(bytearray(min(BUFFER_BYTES, offset - self._position)))
        while self._position < offset:
            # The registry ignored the Range: what was not asked for is read and dropped.
            count = answer.readinto(buffer[: offset - self._position])
            if not count:
                raise DamagedContent(f"{self._name} ends before byte {offset}")
            self._position += count

    def readinto(self, buffer: memoryview) -> int:
        # One byte more may be read, so that a blob that goes on behind its size is noticed.
        buffer = buffer[: self._descriptor.size + 1 - self._position]
        while True:
            self._attempts.begin()
            try:
                count = self._open().readinto(buffer)
                break
            except PASSING as error:
                self.close()
                if self._position >= self._descriptor.size:
                    raise  # there is nothing left to ask for
                self._attempts.failed(error)
        self._position += count
        self._attempts.gained(count)
        if count == 0 and len(buffer) and self._position < self._descriptor.size:
            raise Unreachable(
                f"{self._name} ended after {self._position} of {self._descriptor.size} bytes",
                advice="Try again; if it ends there again, the registry's copy is damaged.",
            )
        return count

    def _open(self) -> Answer:
        if self._answer is None:
            self._answer = _open_once(self._repository, self._descriptor, self._position)._answer
            assert self._answer is not None
        return self._answer

    def close(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.close()


def range_start(header: str) -> int | None:
    """Return the first byte that a Content-Range header names (RFC 9110 §14.4); ``None`` where it names none."""
    match = _CONTENT_RANGE.match(header)
    return int(match[1]) if match else None


def _path(repository: Repository, descriptor: Descriptor) -> str:
    return repository.path(f"blobs/{descriptor.digest}")
