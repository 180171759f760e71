"""Answers a request from a bundle that is there, whole or not: what can be answered is."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.bundle.block_reader import BlockFailure, BlockReader
from bundler.bundle.reader import Bundle
from bundler.bundle.requests.answers.destination import AnswerDestination
from bundler.bundle.requests.answers.layout import AnswerLayout
from bundler.bundle.requests.block_ranges import NO_BLOCKS, BlockAt, BlockRanges
from bundler.bundle.requests.survey import is_right
from bundler.content.files import PARTIAL_SUFFIX
from bundler.errors import AirbundleError, DamagedBundle, ExitStatus, IncompleteBundle, UsageError
from bundler.progress import SILENT, Progress, Task

#: A block that is refused or wrong is asked for again: nobody may come a second time for it.
_TRIES = 3


@dataclass(frozen=True)
class AnswerReport:
    """What became of an answer.

    Attributes:
        blocks: how many were asked for.
        size: bytes of them.
        kept: how many were there from an earlier run.
        written: how many this run wrote.
        missing: that could not be had.
        is_damaged: of these one at least is damaged, and not only not there.
    """

    blocks: int
    size: int
    kept: int
    written: int
    missing: BlockRanges = NO_BLOCKS
    is_damaged: bool = False

    @classmethod
    def of_finished(cls, layout: AnswerLayout) -> AnswerReport:
        """Report an answer that was there already."""
        return cls(layout.blocks.count, layout.size, kept=layout.blocks.count, written=0)

    @property
    def exit_status(self) -> ExitStatus:
        """What the command says."""
        if not self.missing:
            return ExitStatus.DONE
        return ExitStatus.DAMAGED if self.is_damaged else ExitStatus.INCOMPLETE


def answer_from(bundle: Bundle, destination: AnswerDestination, progress: Progress = SILENT) -> AnswerReport:
    """Write the blocks of a request, each checked against its sum, into the directory of its answer.

    What is there already and right is not written again; what the bundle does not hold right is left out, and
    the same call with another copy of it goes on.

    Args:
        bundle: Where the blocks are; it may be damaged or incomplete.
        destination: Of the request; it is released at the end.
        progress: Is told the bytes of blocks that were read.

    Raises:
        UsageError: the request is for another bundle, or for blocks that it does not have; or the directory is
            one of the bundle's own.
        OutputExists: the directory holds something else, or another run is writing there.
        DamagedBundle, IncompleteBundle: not one of the blocks can be had; nothing is written.
        NotReadable: a part may not be read. DiskError: the disk refused; the same call goes on.
    """
    destination.request.check_against(bundle.manifest)
    if destination.path.resolve() in [directory.resolve() for directory in bundle.locations.directories]:
        raise UsageError(f"{destination.path} is the bundle itself", advice="Name another directory.")
    layout = AnswerLayout.of(destination.request.blocks, bundle.manifest)
    try:
        destination.prepare()
        if (there := destination.finished(bundle.manifest)) is not None:
            return AnswerReport.of_finished(there)
        with progress.task("answer", layout.size) as task:
            return _write(bundle, destination, layout, task)
    finally:
        destination.release()


def _write(bundle: Bundle, destination: AnswerDestination, layout: AnswerLayout, task: Task) -> AnswerReport:
    manifest = bundle.manifest
    parts = manifest.parts
    kept = destination.begin(layout, manifest)
    written = 0
    failures: dict[BlockAt, BlockFailure] = {}
    reader = BlockReader(bundle.locations, manifest.block_bytes, tries=_TRIES)
    buffer = memoryview(bytearray(manifest.block_bytes))
    try:
        for index, number in layout.blocks:
            length = reader.length(parts[index], number)
            if (index, number) not in kept:
                task.describe(parts[index].file)
                failure = reader.read(parts[index], number, buffer)
                if failure is None:
                    destination.put((index, number), buffer[:length])
                    written += 1
                elif not is_right(failure):
                    failures[index, number] = failure
            task.advance(length)
    finally:
        reader.close()
    missing = BlockRanges.of(failures)
    is_damaged = not all(map(_is_absence, failures.values()))
    if not kept and not written:
        destination.discard()
        raise _nothing(missing, is_damaged)
    destination.finish(manifest, missing)
    return AnswerReport(layout.blocks.count, layout.size, len(kept), written, missing, is_damaged)


def _is_absence(failure: BlockFailure) -> bool:
    return failure.code == "missing" or failure.path.suffix == PARTIAL_SUFFIX


def _nothing(missing: BlockRanges, is_damaged: bool) -> AirbundleError:
    said = f"the bundle holds not one of the {missing.count} blocks that are asked for"
    advice = "Name a whole copy of the bundle, or pack it again with --config."
    return (DamagedBundle if is_damaged else IncompleteBundle)(said, advice=advice)
