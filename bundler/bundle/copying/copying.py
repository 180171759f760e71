"""Copies parts into one directory, block by block: what lies there and is right is kept, the rest is written.

The destination itself tells what is there; no journal is kept that could be lost or wrong.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from bundler.bundle.block_reader import BlockFailure
from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.copying.pipeline.medium_check import MediumCheck
from bundler.bundle.copying.pipeline.part_file import PartFile
from bundler.bundle.copying.pipeline.source_blocks import SourceBlocks
from bundler.bundle.copying.pipeline.tally import Tally
from bundler.bundle.copying.pipeline.write_pipeline import WritePipeline
from bundler.bundle.copying.report import CopyReport
from bundler.bundle.manifest import BundleManifest, Part
from bundler.bundle.repair.source_mender import SourceMender
from bundler.content.files import disk_errors, sync_file
from bundler.content.free_space import taken_bytes
from bundler.content.hashing import block_sum
from bundler.content.read_back import MediumReader
from bundler.errors import DamagedBundle, DiskError, NoSpace, NotReadable, UsageError
from bundler.model.sizes import format_size
from bundler.progress import Task


def refuse_overlap(sources: Sequence[Path], destination: Path) -> None:
    """Refuse to copy a directory into itself; call it before ``CopyDestination.prepare`` (copy_parts does too).

    Raises:
        UsageError: the destination is one of the sources, or lies inside one.
        DiskError: the disk refused.
    """
    with disk_errors(destination):
        here = destination.resolve()
        around = [path.stat() for path in (here, *here.parents) if path.exists()]
        for source in sources:
            if not source.exists():
                continue
            facts = source.stat()
            if any(os.path.samestat(facts, one) for one in around):
                raise UsageError(f"{destination} is, or lies inside, the source {source}")


def copy_parts(
    manifest: BundleManifest,
    sources: Sequence[Path],
    destination: CopyDestination,
    parts: Sequence[Part],
    *,
    read_back: bool = True,
    tries: int = 3,
    mender: SourceMender | None = None,
    task: Task,
) -> CopyReport:
    """Bring parts to the destination, as far as the sources can give them.

    Afterwards each of these parts that is whole and right lies there under its own name, durably. A part that
    lacks blocks lies there as ``*.partial`` with the blocks that could be had, or not at all; the report says
    what is lacking. If any part had to be touched, no ``bundle.json`` stands there before
    ``CopyDestination.finish``.

    Args:
        manifest: The bundle's table of contents.
        sources: Directories, one or more; a block is taken from the first one where it is right, files
            ``*.partial`` included.
        destination: Prepared for this manifest.
        parts: Parts of the manifest, in the order in which they are to be copied.
        read_back: Whether what was written is read from the medium and compared.
        tries: How often a source is asked for a block that it refuses or gives wrong, 1 or more.
        mender: Makes blocks from parity that no source has right; without it they are left out.
        task: Is told every byte that was dealt with; what no source has is none of them.

    Raises:
        UsageError: there is no source, or the destination is one or lies inside one.
        NoSpace: the parts do not fit, which is found out before anything is written where it can be.
        FileTooLarge: the file system holds no file as large as a part.
        NotReadable: this user may not read a file that no other source makes up for. All the rest is copied.
        DiskError: the destination is gone, refused something else, or does not keep what is written to it.
            What was written stays as ``*.partial``; called again, the copy goes on from there.
    """
    if not sources:
        raise UsageError("there is nothing to copy from")
    refuse_overlap(sources, destination.path)
    with destination.watched():
        _check_space(destination, parts)
    tally = Tally(parts, manifest.block_bytes, task)
    check = MediumCheck(sources, manifest.block_bytes, tries, tally, read_back=read_back)
    blocks = SourceBlocks(sources, manifest.block_bytes, tries)
    with destination.watched(), contextlib.ExitStack() as cleanup:
        pipeline = WritePipeline(manifest.block_bytes, check)
        cleanup.callback(blocks.close)
        cleanup.callback(pipeline.close)
        reader = _PartCopier(blocks, pipeline, tally, manifest.block_bytes, mender, around_cache=read_back)
        cleanup.callback(reader.close)
        for part in parts:
            reader.copy(PartFile(destination, part))
        pipeline.finish()
        destination.directory.require()
    if reader.denied is not None:
        raise NotReadable(reader.denied.found)
    return replace(tally.report(), gone=tuple(blocks.gone))


class _PartCopier:
    """Decides for each block whether it is kept, copied or left out."""

    def __init__(
        self,
        sources: SourceBlocks,
        pipeline: WritePipeline,
        tally: Tally,
        block_bytes: int,
        mender: SourceMender | None,
        *,
        around_cache: bool,
    ) -> None:
        self._sources = sources
        self._pipeline = pipeline
        self._tally = tally
        self._block_bytes = block_bytes
        self._mender = mender
        self._around_cache = around_cache
        #: Blocks of the part that no source has right.
        self._failures: dict[int, BlockFailure] = {}
        #: One that nobody could check, which is not the same as bad.
        self.denied: BlockFailure | None = None

    def copy(self, file: PartFile) -> None:
        """Bring one part to the destination, as far as it can be had."""
        self._tally.turn_to(file.part)
        existing = file.existing()
        size = self._look_into(file, existing) if existing is not None else 0
        for number in range(len(file.part.blocks)):
            if number * self._block_bytes < size and self._is_kept(file.part, number):
                self._tally.kept(file.part, number)
            else:
                self._fetch(file, number)
        self._settle_failures(file)
        if existing is not None and not file.is_open and not self._is_in_place(file, existing, size):
            # Nothing is written to it, and still it must have the other name: what is not right no final one,
            # what is right no unfinished one.
            self._pipeline.begin(file)
        if file.is_open:
            self._pipeline.end(file)
        elif existing is not None:
            file.discard_leftover()

    def close(self) -> None:
        """Close what is open at the destination."""
        self._medium.close()

    @cached_property
    def _medium(self) -> MediumReader:
        return MediumReader(self._block_bytes, around_cache=self._around_cache)

    def _look_into(self, file: PartFile, path: Path) -> int:
        """Open what lies at the destination; return its size."""
        if self._around_cache:
            # An error of an earlier run that nobody heard of would come with the next sync, and be taken for ours.
            # It says nothing that reading from the medium does not show.
            with contextlib.suppress(OSError):
                sync_file(path)
        return file.show(self._medium, path)

    def _is_in_place(self, file: PartFile, existing: Path, size: int) -> bool:
        return existing == file.path and size == file.part.size and not self._tally.lacks(file.part)

    def _is_kept(self, part: Part, number: int) -> bool:
        length = self._tally.length(part, number)
        try:
            found = self._medium.read(number * self._block_bytes, length)
        except DiskError:
            # A bad sector; written again it may be another one.
            return False
        return len(found) == length and block_sum(found) == part.blocks[number]

    def _fetch(self, file: PartFile, number: int) -> None:
        buffer = self._pipeline.buffer()
        failure = self._sources.read(file.part, number, buffer)
        if failure is None:
            self._pipeline.begin(file)
            self._pipeline.put(file, number, buffer)
            return
        self._pipeline.give_back(buffer)
        self._failures[number] = failure
        if self._sources.lost:
            here = {key[1] for key in self._sources.lost if key[0] == file.part.file}
            self._failures |= dict.fromkeys(here, failure)
            self._tally.correct((key for key in self._sources.lost if key[0] != file.part.file), failure)
            self._sources.lost = []

    def _settle_failures(self, file: PartFile) -> None:
        """Make from parity what no source has right; what cannot be made is left out."""
        failures, self._failures = self._failures, {}
        for number in self._made(file, failures) if self._mender and failures else ():
            del failures[number]
        for number, failure in failures.items():
            self._tally.left_out(file.part, number, failure)
            if failure.code == "denied":
                self.denied = self.denied or failure

    def _made(self, file: PartFile, failures: Collection[int]) -> Iterator[int]:
        """Make blocks, and yield those that came out right; they are handed on to be proven on the medium."""
        assert self._mender is not None
        part = file.part
        numbers = self._mender.can_make(part, failures)
        if not numbers:
            return
        self._pipeline.begin(file)
        with contextlib.suppress(DamagedBundle):
            self._mender.make(part, numbers, file.write)
        for number in numbers:
            block = memoryview(bytearray(self._tally.length(part, number)))
            if file.read(number * self._block_bytes, block) and block_sum(block) == part.blocks[number]:
                self._tally.made(part, number)
                self._pipeline.add_written(file, number)
                yield number


def _check_space(destination: CopyDestination, parts: Sequence[Part]) -> None:
    needed = 0
    for part in parts:
        existing = PartFile(destination, part).existing()
        needed += max(part.size - taken_bytes(existing), 0) if existing is not None else part.size
    free = destination.free_bytes()
    if needed > free:
        raise NoSpace(
            f"{destination.path}: {format_size(needed)} are needed, {format_size(free)} are free: "
            f"{format_size(needed - free)} are missing"
        )
