"""How the making of parity begins: anew, where it was cut, or with parity that is there and may be damaged."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.names import PARITY_JOURNAL, PARITY_JSON
from bundler.bundle.parity.files import cut_sizes, lying_files
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.journal import Records, identity_of, read_journal
from bundler.bundle.parity.remains import geometry_of_remains
from bundler.bundle.parity.search import read_parity
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import Bundle
from bundler.content.files import PARTIAL_SUFFIX, disk_errors, partial, sync_directory
from bundler.errors import OutputExists

_RESTART = "Repeat the command without options to go on with what is there, or begin anew with --restart."


@dataclass(frozen=True)
class Beginning:
    """What is to be made, and what is said to be there.

    Attributes:
        geometry: the layout.
        sizes: bytes of each parity file.
        sums: of stripes that should be there, the sums of their parity blocks; nobody has compared them.
        table: parity.json, if it is there.
        journal_bytes: how much of a journal is to be kept; 0: there is none.
        is_alone: whether no parity file has its final name, so that what lies there is of no use by itself.
    """

    geometry: Geometry
    sizes: tuple[int, ...]
    sums: Mapping[int, Sequence[str]]
    table: ParityTable | None
    journal_bytes: int
    is_alone: bool


def begin(bundle: Bundle, wish: ParityWish, *, restart: bool) -> Beginning:
    """Look at what lies beside a bundle; nobody else changes it.

    Raises:
        OutputExists: there is parity of another layout or another bundle, or the beginning of it.
        UsageError: no layout is what was wished for.
        DiskError: the disk refused.
    """
    directory, manifest = bundle.directory, bundle.manifest
    if restart:
        clear(directory)
    table = _table_in(bundle)
    records = None if table else _records_in(bundle)
    size = sum(archive.size for archive in manifest.archives)
    there = table.geometry if table else None
    if records is not None:
        there = Geometry(size, manifest.block_bytes, records.identity.k, records.identity.m)
    if there is None and wish.is_open:
        there = geometry_of_remains(directory, manifest)
    if there is None or not wish.is_open:
        largest = max((part.size for part in manifest.parts), default=0)
        wanted = wish.geometry(size, manifest.block_bytes, largest, len(manifest.parts))
        if there is not None and there != wanted:
            have, want = (f"{one.m} blocks for each {one.k}" for one in (there, wanted))
            raise OutputExists(f"{directory} holds parity of {have}, not of {want}", advice=_RESTART)
        there = wanted
    return Beginning(
        geometry=there,
        sizes=tuple(file.size for file in table.files) if table else tuple(cut_sizes(there, manifest.part_bytes)),
        sums=_sums_of(table) if table else records.sums if records else {},
        table=table,
        journal_bytes=records.length if records else 0,
        is_alone=all(path.suffix == PARTIAL_SUFFIX for path in lying_files(directory)),
    )


def clear(directory: Path) -> None:
    """Remove all parity from a directory: its table first, so that nobody relies on what is left.

    Raises:
        OutputExists: a link or a directory has the name of a parity file.
        DiskError: the disk refused.
    """
    files = lying_files(directory)
    table = directory / PARITY_JSON
    with disk_errors(directory):
        for path in (table, partial(table)):
            path.unlink(missing_ok=True)
        sync_directory(directory)
        for path in (*files, directory / PARITY_JOURNAL):
            path.unlink(missing_ok=True)


def forget_journal(directory: Path) -> None:
    """Remove the journal of parity that is finished; a disk that refuses this harms nothing any more."""
    with contextlib.suppress(OSError):
        (directory / PARITY_JOURNAL).unlink(missing_ok=True)


def _table_in(bundle: Bundle) -> ParityTable | None:
    found = read_parity([bundle.directory], bundle.manifest.id, bundle.limits)
    for unusable in found.unusable:
        if unusable.code in ("other-bundle", "other-version"):
            what = "bundle" if unusable.code == "other-bundle" else "version"
            raise OutputExists(
                f"{unusable.path} is of another {what}: {unusable.found}", advice="Remove it, or give --restart."
            )
    return found.table


def _records_in(bundle: Bundle) -> Records | None:
    records = read_journal(bundle.directory / PARITY_JOURNAL, bundle.limits)
    if records is None:
        return None
    expected = identity_of(bundle.manifest.id, records.identity.k, records.identity.m)
    if records.identity != expected:
        raise OutputExists(
            f"{bundle.directory} holds unfinished parity of another bundle", advice="Begin anew with --restart."
        )
    return records


def _sums_of(table: ParityTable) -> Mapping[int, Sequence[str]]:
    """Return the sums of parity blocks that the table has; none where its files cut through blocks."""
    geometry = table.geometry
    if any(file.size % geometry.block_bytes for file in table.files):
        return {}
    sums = [one for file in table.files for one in file.blocks]
    return {stripe: sums[stripe :: geometry.stripes] for stripe in range(geometry.stripes)}
