"""The one place where hashes are made.

sha256 proves (it names content in the OCI specifications); xxh3 only locates damage, at the speed of memory.
All of them release the interpreter lock while they work on more than a few bytes.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import xxhash

from bundler.model.digest import Digest

ReadableBuffer = bytes | bytearray | memoryview


class _Hash(Protocol):
    def update(self, data: ReadableBuffer, /) -> None: ...

    def hexdigest(self) -> str: ...


class Sha256:
    """A running sha256."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, data: ReadableBuffer) -> None:
        """Add bytes."""
        self._hash.update(data)

    @property
    def digest(self) -> Digest:
        """The digest of all bytes so far."""
        return Digest.from_hex(self._hash.hexdigest())


def sha256(data: ReadableBuffer) -> Digest:
    """Return the digest of some bytes."""
    return Digest.from_hex(hashlib.sha256(data).hexdigest())


def block_sum(data: ReadableBuffer) -> str:
    """Return the xxh3-64 of one block as 16 hexadecimal digits, most significant first."""
    return xxhash.xxh3_64_hexdigest(data)


def new_part_sum() -> _Hash:
    """Begin an xxh3-128 of a part; its ``hexdigest`` has 32 digits."""
    return xxhash.xxh3_128()
