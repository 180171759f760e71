"""A whole copy: each destination gets its share, from media that may change meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bundler.bundle.copying.copying import copy_parts, refuse_overlap
from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.copying.media.changing import MediaChanger
from bundler.bundle.copying.media.medium import held_parts
from bundler.bundle.copying.media.placement import Placement, Share
from bundler.bundle.copying.outcome import CopyOutcome, DestinationOutcome, after_retry
from bundler.bundle.copying.report import CopyReport
from bundler.bundle.copying.sources import CopySources
from bundler.bundle.manifest import Part
from bundler.bundle.repair.source_mender import SourceMender
from bundler.progress import SILENT, Progress


class CopyRun:
    """Copies from the same sources, one share after another."""

    def __init__(
        self,
        sources: CopySources,
        small_files: Mapping[str, bytes],
        *,
        read_back: bool = True,
        changer: MediaChanger | None = None,
        progress: Progress = SILENT,
    ) -> None:
        """Prepare a copy.

        Args:
            sources: Where the parts are.
            small_files: What lies beside them at each destination, by name; without bundle.json.
            read_back: Read from the medium what was written.
            changer: Brings other media; without it what is missing stays missing.
            progress: Is told what goes on, in bytes of parts.
        """
        self._sources = sources
        self._small_files = small_files
        self._read_back = read_back
        self._changer = changer
        self._progress = progress
        self._parity = sources.parity.files if sources.parity else ()

    def to_all(self, placement: Placement) -> CopyOutcome:
        """Give each directory its share; nothing is written to one before all are known to be usable.

        Raises:
            UsageError, OutputExists: a directory cannot be a destination.
            DiskError: a destination refused; what is there stays, and the next copy goes on.
        """
        with ExitStack() as held:
            ready = [
                (share, held.enter_context(self._prepared(share.room.directory)) if share.parts else None)
                for share in placement.shares
            ]
            outcomes = [
                self._fill(share, destination)
                if destination is not None
                else DestinationOutcome(share.room.directory, (), CopyReport())
                for share, destination in ready
            ]
        return CopyOutcome(self._sources.manifest, tuple(outcomes), placement.left, self._parity)

    def spanning(self, first: Share, parts: Sequence[Part], changer: MediaChanger) -> CopyOutcome:
        """Fill one medium after another at one place, until all parts have found room or none is brought.

        Raises:
            As :meth:`to_all`.
        """
        directory = first.room.directory
        tables = self._sources.tables(self._small_files)
        outcomes = []
        share: Share | None = first
        waiting = list(parts)
        # Where all finds room it is the sources that are changed: what is bad on one may be right on the next.
        heals = len(first.parts) == len(waiting)
        while share is not None:
            if share.parts:
                with self._prepared(directory) as destination:
                    outcomes.append(self._fill(share, destination, heals=heals))
                changer.remember(share.parts)
            placed = {part.file for part in share.parts}
            waiting = [part for part in waiting if part.file not in placed]
            share = changer.next_destination(directory, waiting, tables) if waiting else None
        return CopyOutcome(self._sources.manifest, tuple(outcomes), tuple(waiting), self._parity)

    @contextmanager
    def _prepared(self, directory: Path) -> Iterator[CopyDestination]:
        refuse_overlap(self._sources.directories, directory)
        destination = CopyDestination(directory)
        try:
            destination.prepare(self._sources.manifest)
            if self._sources.parity is not None:
                names = {file.file for file in self._parity}
                destination.drop_other_parity(self._sources.parity.raw, names)
            yield destination
        finally:
            destination.release()

    def _fill(self, share: Share, destination: CopyDestination, *, heals: bool = False) -> DestinationOutcome:
        report = self._copy(self._sources.directories, destination, share.parts)
        while self._changer is not None and (lacking := report.lacking if heals else {*report.missing}):
            missing = [part for part in share.parts if part.file in lacking]
            found = self._changer.next_source(self._sources.directories, missing)
            if not found:
                break
            retried = _unsettled(share.parts, report, self._held(found))
            report = after_retry(report, share.parts, retried, self._copy(found, destination, retried))
        if not report.lacking - {file.file for file in self._parity}:
            # What parity lacks can be made again there; the bundle is whole without it.
            destination.finish(self._small_files)
        return DestinationOutcome(share.room.directory, share.parts, report)

    def _copy(self, sources: Sequence[Path], destination: CopyDestination, parts: Sequence[Part]) -> CopyReport:
        label = f"copy to {destination.path.name or destination.path}"
        with ExitStack() as held:
            task = held.enter_context(self._progress.task(label, self._bytes_at_hand(sources, destination, parts)))
            return copy_parts(
                self._sources.manifest,
                sources,
                destination,
                parts,
                read_back=self._read_back,
                mender=self._mender(sources, destination, held),
                task=task,
            )

    def _mender(
        self, sources: Sequence[Path], destination: CopyDestination, held: ExitStack
    ) -> SourceMender | None:
        """Return who makes blocks from parity; nobody where a medium that is still to come may have them."""
        if self._sources.spare is None or self._changer is not None:
            return None
        mender = SourceMender(self._sources.spare, [*sources, destination.path])
        held.callback(mender.close)
        return mender

    def _bytes_at_hand(self, sources: Sequence[Path], destination: CopyDestination, parts: Sequence[Part]) -> int:
        """Return how many bytes there are to deal with: what nobody has is not waited for."""
        there = held_parts(destination.path, parts)
        held = self._held(sources)
        return sum(part.size if part.file in held else there.get(part.file, 0) for part in parts)

    def _held(self, directories: Sequence[Path]) -> set[str]:
        return {file for directory in directories for file in held_parts(directory, self._sources.files)}


def _unsettled(parts: Sequence[Part], report: CopyReport, held: set[str]) -> list[Part]:
    """Return the parts that are missing or bad and that some source has now: also a bad one may be right there."""
    open_files = {*report.missing, *(bad.file for bad in report.bad)}
    return [part for part in parts if part.file in open_files and part.file in held]
