"""Finds the parity of a bundle that lies in one directory or in several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.names import PARITY_JSON
from bundler.bundle.opening import read_small
from bundler.bundle.parity.table import ParityTable, parse_parity_table
from bundler.content.files import partial
from bundler.errors import DamagedContent, DiskError, NotFound, UnsupportedVersion
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class UnusableTable:
    """A parity.json that does not count.

    Attributes:
        path: where it lies.
        code: ``damaged-table``; ``unreadable``, which the disk refused; ``other-version``; ``other-bundle``,
            of which it is; ``other-parity``, right, but another one than that which counts.
        found: what is there, for people.
    """

    path: Path
    code: str
    found: str


@dataclass(frozen=True)
class FoundParity:
    """What a search for parity.json came to.

    Attributes:
        table: the first that is right and of the wanted bundle; ``None``: the bundle has no parity that is usable.
        places: the directories that hold this table.
        unusable: the other ones that were found.
    """

    table: ParityTable | None = None
    places: tuple[Path, ...] = ()
    unusable: tuple[UnusableTable, ...] = ()


def read_parity(
    directories: Sequence[Path], bundle: Digest | None = None, limits: Limits = DEFAULT_LIMITS
) -> FoundParity:
    """Look for parity.json in each directory, in this order; that there is none is no error.

    Nothing is raised: a table that cannot be read or is wrong is reported in the answer.

    Args:
        directories: Where to look; one that is not there holds none.
        bundle: The id that it must be for; ``None``: that of the first table that is right.
        limits: Bounds the tables.
    """
    table: ParityTable | None = None
    places: list[Path] = []
    unusable: list[UnusableTable] = []
    for directory in directories:
        found = _read(directory, limits)
        if isinstance(found, UnusableTable):
            unusable.append(found)
        elif found is not None:
            wanted = bundle or (table.bundle if table else found.bundle)
            if found.bundle != wanted:
                unusable.append(UnusableTable(directory / PARITY_JSON, "other-bundle", str(found.bundle)))
            elif table is not None and found.raw != table.raw:
                unusable.append(UnusableTable(directory / PARITY_JSON, "other-parity", _words(found)))
            else:
                table = table or found
                places.append(directory)
    return FoundParity(table, tuple(places), tuple(unusable))


def _read(directory: Path, limits: Limits) -> ParityTable | UnusableTable | None:
    """Read the table of one directory; where a copy of a bundle was cut it has the name of an unfinished file."""
    path = directory / PARITY_JSON
    for candidate in (path, partial(path)):
        try:
            return parse_parity_table(read_small(candidate, limits.parity_table_bytes), limits)
        except NotFound:
            continue
        except UnsupportedVersion as error:
            return UnusableTable(candidate, "other-version", str(error))
        except DamagedContent as error:
            return UnusableTable(candidate, "damaged-table", str(error))
        except DiskError as error:
            return UnusableTable(candidate, "unreadable", str(error))
    return None


def _words(table: ParityTable) -> str:
    return f"parity of {table.geometry.k} and {table.geometry.m} blocks"
