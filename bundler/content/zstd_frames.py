"""Follows the frames of a zstd stream (RFC 8878 §3.1) to know whether it may end where it ends.

The decompressor reports every broken frame but not one that stops too early: that looks like a shorter layer.
"""

from __future__ import annotations

_MAGIC_AND_DESCRIPTOR_BYTES = 5
_SKIPPABLE_HEADER_BYTES = 8
_SKIPPABLE_MAGIC = range(0x184D2A50, 0x184D2A60)
_BLOCK_HEADER_BYTES = 3
_RLE_BLOCK = 1
_DICTIONARY_BYTES = (0, 1, 2, 4)
_CHECKSUM_BYTES = 4


class FrameTracker:
    """Is fed the compressed bytes in pieces of any size. It judges no frame, it only finds where each ends."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._skip = 0
        self._in_blocks = False
        self._checksum = 0

    @property
    def at_end(self) -> bool:
        """Whether the bytes so far are whole frames."""
        return not (self._head or self._skip or self._in_blocks)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        rest = memoryview(data)
        while rest:
            if self._skip:
                step = min(self._skip, len(rest))
                self._skip -= step
            else:
                step = min(self._needed() - len(self._head), len(rest))
                self._head += rest[:step]
                if len(self._head) == self._needed():
                    self._read_head()
            rest = rest[step:]

    def _needed(self) -> int:
        if self._in_blocks:
            return _BLOCK_HEADER_BYTES
        magic = int.from_bytes(self._head[:4], "little")
        return _SKIPPABLE_HEADER_BYTES if magic in _SKIPPABLE_MAGIC else _MAGIC_AND_DESCRIPTOR_BYTES

    def _read_head(self) -> None:
        head = bytes(self._head)
        self._head.clear()
        if self._in_blocks:
            header = int.from_bytes(head, "little")
            is_last, kind, size = header & 1, header >> 1 & 3, header >> 3
            self._skip = (1 if kind == _RLE_BLOCK else size) + (self._checksum if is_last else 0)
            self._in_blocks = not is_last
        elif len(head) == _SKIPPABLE_HEADER_BYTES:
            self._skip = int.from_bytes(head[4:], "little")
        else:
            descriptor = head[4]
            is_single = descriptor >> 5 & 1
            content_size = (is_single, 2, 4, 8)[descriptor >> 6]
            self._skip = (1 - is_single) + _DICTIONARY_BYTES[descriptor & 3] + content_size
            self._checksum = _CHECKSUM_BYTES if descriptor >> 2 & 1 else 0
            self._in_blocks = True
