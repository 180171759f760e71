"""Makes the parity of a bundle that is there, or goes on with it where it was cut; checks parity that is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.manifest import Part
from bundler.bundle.names import BUNDLE_JSON, PARITY_JOURNAL, PARITY_JSON
from bundler.bundle.parity.beginning import Beginning, begin, clear, forget_journal
from bundler.bundle.parity.encoding import ParityEncoder, Record
from bundler.bundle.parity.files import ParityFiles
from bundler.bundle.parity.joined import JoinedParts
from bundler.bundle.parity.journal import Journal, identity_of
from bundler.bundle.parity.proven_bytes import PartBytes
from bundler.bundle.parity.strength import Strength, strength_of
from bundler.bundle.parity.table import ParityTable, write_parity_table
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.presence import Presence
from bundler.bundle.reader import Bundle
from bundler.coding.codec import Codec
from bundler.content.file_lock import FileLock
from bundler.content.files import is_regular, write_file
from bundler.content.free_space import free_bytes
from bundler.errors import DamagedContent, DiskError, IncompleteBundle, MendableBundle, NoSpace
from bundler.model.sizes import format_size
from bundler.progress import SILENT, Progress, Task


@dataclass(frozen=True)
class ParityOutcome:
    """What a run came to.

    Attributes:
        table: parity.json as it lies there now.
        bytes_written: of parity blocks, by this run.
        bytes_kept: that were there and right.
    """

    table: ParityTable
    bytes_written: int
    bytes_kept: int

    @property
    def strength(self) -> Strength:
        """What it mends."""
        return strength_of(self.table.geometry, self.table.data, self.table.parity)


def make_parity(
    bundle: Bundle, wish: ParityWish, *, restart: bool = False, progress: Progress = SILENT
) -> ParityOutcome:
    """Make parity beside the parts of a bundle, or what is missing or damaged of it.

    Afterwards every parity file lies there whole and durable, and parity.json, which comes last, says so. What an
    earlier run made is compared with what it noted, and kept where it is right; parity that is there already is
    checked likewise. Nothing else is touched: the bundle's id and signature stay what they are.

    Args:
        bundle: The bundle, in one directory.
        wish: How much; one that is open takes what is there, or was begun.
        restart: Remove what is there, and begin anew.
        progress: Is told the bytes of parts that were read.

    Raises:
        OutputExists: there is parity of another layout or another bundle, or another run is writing there.
        MendableBundle: bundle.json or what goes with it is damaged.
        IncompleteBundle, DamagedBundle: a part is missing, or a block wrong. No parity is made then.
        UsageError: no layout is what was wished for.
        NoSpace, DiskError: the disk refused. What is there stays, for the next run to go on.
    """
    _refuse_findings(bundle)
    _refuse_absence(bundle)
    with _locked(bundle.directory):
        return _Making(bundle, begin(bundle, wish, restart=restart)).run(progress)


def make_parity_again(bundle: Bundle, progress: Progress = SILENT) -> ParityOutcome:
    """Make parity whose table is lost, as much as there was, in a directory that the caller has locked.

    Raises:
        As :func:`make_parity` says.
    """
    _refuse_absence(bundle)
    return _Making(bundle, begin(bundle, ParityWish(), restart=False)).run(progress)


def _refuse_findings(bundle: Bundle) -> None:
    if bundle.is_unfinished:
        raise IncompleteBundle(f"{bundle.directory} holds a copy that was cut; run it again to finish it")
    for finding in bundle.findings:
        raise MendableBundle(
            f"{bundle.directory}: {finding.file} is damaged or missing", advice="Run `airbundle repair` first."
        )


def _refuse_absence(bundle: Bundle) -> None:
    """Refuse a bundle that lacks parts, though parity that is whole is found so without a look at them."""
    if missing := Presence(bundle).missing_parts():
        more = f", nor are {len(missing) - 1} more parts" if len(missing) > 1 else ""
        raise IncompleteBundle(
            f"{bundle.directory}: {missing[0]} is not there{more}; parity is made of whole bundles only",
            advice="Run `airbundle repair` first, or bring the missing parts.",
            parts=missing,
        )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep copies, repairs and others that make parity away: all of them lock the table of contents."""
    lock = FileLock(directory / BUNDLE_JSON, create=False)
    try:
        yield
    finally:
        lock.release()


class _Making:
    """One run, in a directory that is locked."""

    def __init__(self, bundle: Bundle, beginning: Beginning) -> None:
        self._bundle = bundle
        self._directory = bundle.directory
        self._beginning = beginning
        self._geometry = beginning.geometry
        self._files = ParityFiles(bundle.directory, beginning.sizes)
        #: Of each stripe that is right, the sums of its parity blocks.
        self._right: dict[int, Sequence[str]] = {}

    def run(self, progress: Progress) -> ParityOutcome:
        self._files.prepare()
        self._keep_what_is_right(progress)
        stripes = [stripe for stripe in range(self._geometry.stripes) if stripe not in self._right]
        if stripes:
            self._check_space()
            self._make(stripes, progress)
        table = self._publish()
        written = len(stripes) * self._geometry.m * self._geometry.block_bytes
        return ParityOutcome(table, written, self._geometry.parity_bytes - written)

    def _keep_what_is_right(self, progress: Progress) -> None:
        """Compare all parity blocks that should be there with their sums, file by file."""
        block, rows = self._geometry.block_bytes, range(self._geometry.m)
        said = self._beginning.sums
        right = {
            stripe
            for stripe, sums in said.items()
            if 0 <= stripe < self._geometry.stripes and len(sums) == len(rows)
        }
        if not right:
            return
        with progress.task("parity: checking what is there", len(right) * len(rows) * block) as task:
            for row in rows:
                for stripe in sorted(right):
                    if self._files.sum_of(self._geometry.parity_offset(stripe, row), block) != said[stripe][row]:
                        right.discard(stripe)
                    task.advance(block)
        self._right = {stripe: said[stripe] for stripe in right}

    def _check_space(self) -> None:
        needed, free = self._files.lacking_bytes, free_bytes(self._directory)
        if needed > free:
            raise NoSpace(f"{self._directory}: {format_size(needed)} are needed, {format_size(free)} are free")

    def _make(self, stripes: Sequence[int], progress: Progress) -> None:
        geometry, manifest = self._geometry, self._bundle.manifest
        source = PartBytes(self._directory, JoinedParts(manifest.parts), manifest.block_bytes)
        total = min(geometry.size, len(stripes) * geometry.k * geometry.block_bytes)
        with closing(source), self._recording() as record, progress.task("parity", total) as task:
            try:
                self._encode(source, stripes, record, task)
            except (DamagedContent, IncompleteBundle):
                if self._beginning.table is None and self._beginning.is_alone:
                    clear(self._directory)
                raise

    def _encode(self, source: PartBytes, stripes: Sequence[int], record: Record, task: Task) -> None:
        codec = Codec(self._geometry.k, self._geometry.m)
        ParityEncoder(codec, self._geometry, self._files, record, task).run(source, stripes)

    @contextmanager
    def _recording(self) -> Iterator[Record]:
        """Note stripes as they are made: in a journal, where no table says what they must be."""
        with ExitStack() as cleanup:
            journal: Journal | None = None
            if self._beginning.table is None:
                identity = identity_of(self._bundle.manifest.id, self._geometry.k, self._geometry.m)
                journal = Journal(self._directory / PARITY_JOURNAL, identity, self._beginning.journal_bytes)
                cleanup.callback(journal.close)

            def record(stripe: int, sums: Sequence[str]) -> None:
                self._right[stripe] = sums
                if journal is not None:
                    journal.stripe(stripe, sums)

            yield record

    def _publish(self) -> ParityTable:
        """Give all files their final names, each after it was read once more; then write the table."""
        files = []
        for number in range(len(self._beginning.sizes)):
            file = self._files.describe(number, self._geometry.block_bytes)
            self._check_written(file, number)
            self._files.seal(number)
            files.append(file)
        table = write_parity_table(self._bundle.manifest, self._geometry, files, self._bundle.limits)
        path = self._directory / PARITY_JSON
        if self._beginning.table is None or self._beginning.table.raw != table.raw or not is_regular(path):
            write_file(path, table.raw)
        self._files.remove(surplus_only=True)
        forget_journal(self._directory)
        return table

    def _check_written(self, file: Part, number: int) -> None:
        """Compare what a file holds with what was made."""
        block, stripes = self._geometry.block_bytes, self._geometry.stripes
        if any(size % block for size in self._beginning.sizes):
            return  # its blocks are pieces of parity blocks, which have other sums
        first = number * self._beginning.sizes[0] // block
        for place, found in enumerate(file.blocks, first):
            row, stripe = divmod(place, stripes)
            if found != self._right[stripe][row]:
                raise DiskError(
                    f"{file.file} does not hold what was written to it, in stripe {stripe}",
                    advice="Run the command again; if that does not help, the disk keeps not what it is given.",
                )
