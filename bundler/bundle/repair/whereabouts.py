"""Where each block of a bundle is right: what a scan found, and for the rest what reading shows."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bundler.bundle.block_reader import BlockFailure, PartLocations
from bundler.bundle.manifest import Part
from bundler.bundle.part_scan import ScannedPart
from bundler.bundle.repair.file_ranges import FileRanges
from bundler.bundle.repair.scanned_blocks import bad_blocks, is_suspicious
from bundler.content.hashing import block_sum
from bundler.errors import NotReadable

#: How often a block is looked for that was right a moment ago and is not any more.
_TRIES = 3
_UNKNOWN, _ABSENT, _ELSEWHERE = -1, -2, -3


class OtherSource(Protocol):
    """Blocks that do not lie in files named like parts, such as those of an answer to a request."""

    def read(self, part: Part, number: int, buffer: memoryview) -> BlockFailure | None:
        """Fill the beginning of a buffer with a block, checked; ``None`` if that could be done."""

    def close(self) -> None:
        """Close all files."""


@dataclass
class _Known:
    """What is known of one file's blocks.

    Attributes:
        candidates: files that may hold them.
        states: of each block the index of the candidate where it is right, or one of the three words above.
        scanned: candidates that a scan read: what it did not find right there is not looked for again.
        elsewhere: sources of blocks that no candidate holds.
    """

    candidates: list[Path]
    states: array[int]
    scanned: set[Path] = field(default_factory=set)
    elsewhere: dict[int, OtherSource] = field(default_factory=dict)


class Whereabouts:
    """Knows where blocks are right, and reads them. What nobody told it, it finds out by reading, once.

    For one thread at a time.
    """

    def __init__(self, directories: Sequence[Path], block_bytes: int, others: Sequence[OtherSource] = ()) -> None:
        """Look into these directories, in this order, and then into other sources, which it closes in the end."""
        self.block_bytes = block_bytes
        self._ranges = FileRanges()
        self._locations = PartLocations(directories)
        self._others = tuple(others)
        self._distrusted: set[Path] = set()
        self._files: dict[str, _Known] = {}
        self._buffer = memoryview(bytearray(block_bytes))

    def learn(self, part: Part, scanned: ScannedPart) -> None:
        """Take over what a scan of some copies of a file found, so that they are not read again for that.

        A copy whose sha256 is wrong although its blocks seem right is not used at all: nobody knows which of
        them is not what it seems.
        """
        suspicious = {copy.path for copy in scanned.copies if is_suspicious(copy, scanned)}
        self._distrusted |= suspicious
        known = self._known(part)
        for copy in scanned.copies:
            if copy.path in suspicious or copy.path not in known.candidates:
                continue
            known.scanned.add(copy.path)
            index, bad = known.candidates.index(copy.path), bad_blocks(copy, self.block_bytes)
            for number, state in enumerate(known.states):
                if state == _UNKNOWN and number not in bad:
                    known.states[number] = index

    def is_there(self, part: Part, number: int) -> bool:
        """Tell whether a file may hold a block, without a look into it."""
        known = self._known(part)
        return known.states[number] != _ABSENT and bool(known.candidates or self._others)

    def has(self, part: Part, number: int) -> bool:
        """Tell whether block ``number`` (from 0) of a file is right somewhere."""
        known = self._known(part)
        if known.states[number] == _UNKNOWN:
            known.states[number] = self._search(known, part, number)
        return known.states[number] != _ABSENT

    def is_in(self, path: Path, part: Part, number: int) -> bool:
        """Tell whether this very file is where a block is taken from."""
        known = self._known(part)
        return (
            self.has(part, number) and known.states[number] >= 0 and known.candidates[known.states[number]] == path
        )

    def absent(self, part: Part, advance: Callable[[int], None] = lambda count: None) -> list[int]:
        """Return the numbers of the blocks that are right nowhere, ascending; ``advance`` is told what is read."""
        absent = []
        for number in range(len(part.blocks)):
            is_known = self._known(part).states[number] != _UNKNOWN
            if not self.has(part, number):
                absent.append(number)
            if not is_known:
                advance(self.length(part, number))
        return absent

    def unknown_bytes(self, part: Part) -> int:
        """Return the bytes of blocks of which nothing is known yet."""
        states = self._known(part).states
        return sum(self.length(part, number) for number, state in enumerate(states) if state == _UNKNOWN)

    def read(self, part: Part, number: int, buffer: memoryview) -> bool:
        """Fill the beginning of a buffer with a block, checked; tell whether that could be done."""
        block = buffer[: self.length(part, number)]
        for _ in range(_TRIES):
            if not self.has(part, number):
                return False
            if self.read_range(part, number, 0, block) and block_sum(block) == part.blocks[number]:
                return True
            self.forget(part, [number])
        return False

    def read_range(self, part: Part, number: int, start: int, target: memoryview) -> bool:
        """Fill a buffer from byte ``start`` of a block that was found; tell whether that could be done.

        The bytes are not checked: they may be others than when it was found.
        """
        known = self._known(part)
        state = known.states[number]
        if state >= 0:
            return self._ranges.read(known.candidates[state], number * self.block_bytes + start, target)
        if state != _ELSEWHERE:
            return False
        block = self._buffer[: self.length(part, number)]
        if known.elsewhere[number].read(part, number, block) is not None:
            return False
        target[:] = block[start : start + len(target)]
        return True

    def length(self, part: Part, number: int) -> int:
        """Return the bytes of a block; only the last one of a file may have fewer than the others."""
        return min(self.block_bytes, part.size - number * self.block_bytes)

    def forget(self, part: Part, numbers: Iterable[int]) -> None:
        """Look for some blocks anew, on the media themselves, when they are asked for next."""
        known = self._known(part)
        known.scanned.clear()
        for number in numbers:
            if known.states[number] >= 0:
                path = known.candidates[known.states[number]]
                self._ranges.refresh(path, number * self.block_bytes, self.length(part, number))
            known.states[number] = _UNKNOWN

    def settle(self, part: Part, path: Path) -> None:
        """Say that a file is whole and proven at this place, and that nothing else is needed for it."""
        for candidate in (*self._known(part).candidates, path):
            self._ranges.forget(candidate)
        self._files[part.file] = _Known([path], array("h", bytes(2 * len(part.blocks))), {path})

    @property
    def denied(self) -> NotReadable | None:
        """The first refusal because this user may not read a file; its blocks count as not found."""
        return self._ranges.denied

    def close(self) -> None:
        """Close all files."""
        self._ranges.close()
        for other in self._others:
            other.close()

    def _known(self, part: Part) -> _Known:
        if part.file not in self._files:
            candidates = [path for path in self._locations.candidates(part.file) if path not in self._distrusted]
            self._files[part.file] = _Known(candidates, array("h", [_UNKNOWN]) * len(part.blocks))
        return self._files[part.file]

    def _search(self, known: _Known, part: Part, number: int) -> int:
        block = self._buffer[: self.length(part, number)]
        for index, path in enumerate(known.candidates):
            if (
                path not in known.scanned
                and self._ranges.read(path, number * self.block_bytes, block)
                and block_sum(block) == part.blocks[number]
            ):
                return index
        for other in self._others:
            if other.read(part, number, block) is None:
                known.elsewhere[number] = other
                return _ELSEWHERE
        return _ABSENT
