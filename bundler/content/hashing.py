"""The one place where hashes are made.

sha256 proves (it names content in the OCI specifications); xxh3 only locates damage, at the speed of memory.
All of them release the interpreter lock while they work on more than a few bytes.
"""

from __future__ import annotations

import hashlib

import xxhash

from bundler.model.digest import Digest

ReadableBuffer = bytes | bytearray | memoryview


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


class BlockSum:
    """A running xxh3-64 of one block."""

    def __init__(self) -> None:
        self._hash = xxhash.xxh3_64()

    def update(self, data: ReadableBuffer) -> None:
        """Add bytes."""
        self._hash.update(data)

    def copy(self) -> BlockSum:
        """Return a sum of the same bytes that goes on by itself."""
        other = BlockSum()
        other._hash = self._hash.copy()
        return other

    @property
    def value(self) -> str:
        """The sum so far, as :func:`block_sum` writes it."""
        return self._hash.hexdigest()


class PartSums:
    """The sums of one part, made in one pass: sha256, xxh3-128, and the xxh3-64 of each block."""

    def __init__(self, block_bytes: int) -> None:
        """Begin; a block has ``block_bytes``, only the last one may have fewer."""
        self._block_bytes = block_bytes
        self._sha256 = hashlib.sha256()
        self._xxh3_128 = xxhash.xxh3_128()
        self._block = xxhash.xxh3_64()
        self._blocks: list[str] = []
        self.size = 0

    def update(self, data: memoryview) -> None:
        """Add bytes, of any number."""
        self._sha256.update(data)
        self._xxh3_128.update(data)
        while len(data):
            room = self._block_bytes - self.size % self._block_bytes
            piece = data[:room]
            self._block.update(piece)
            self.size += len(piece)
            if len(piece) == room:
                self._blocks.append(self._block.hexdigest())
                self._block = xxhash.xxh3_64()
            data = data[room:]

    @property
    def sha256(self) -> str:
        """The sha256 so far, 64 hexadecimal digits."""
        return self._sha256.hexdigest()

    @property
    def xxh3_128(self) -> str:
        """The xxh3-128 so far, 32 hexadecimal digits."""
        return self._xxh3_128.hexdigest()

    @property
    def blocks(self) -> tuple[str, ...]:
        """The xxh3-64 of each block so far, the last one as it stands."""
        return (*self._blocks, self._block.hexdigest()) if self.size % self._block_bytes else tuple(self._blocks)
