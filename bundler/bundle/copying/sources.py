"""The directories that a bundle is copied from: media that together hold one bundle, each as much as it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.bundle.checksums import write_checksums
from bundler.bundle.copying.holdings import UNFINISHED
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest, Part
from bundler.bundle.names import BUNDLE_JSON_COPY, CHECKSUMS, PARITY_JSON, README, SIGNATURE
from bundler.bundle.opening import open_manifests, read_small
from bundler.bundle.parity.check import check_parity_tables
from bundler.bundle.parity.search import read_parity
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.readme_check import is_damaged_readme
from bundler.errors import DamagedContent, DiskError, NotFound
from bundler.model.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class CopySources:
    """Where a bundle is read from.

    Attributes:
        directories: in the order in which a block is looked for.
        manifest: the table of contents, which they share.
        findings: what is wrong with the tables of some of them; those of another one are right.
        beside: README.txt and the signature, by name, as far as a source has them: no sum covers them.
        parity: what the parity files cover, which travel like parts; ``None``: there are none.
        spare: parity from which blocks may be made on the way, whether or not it travels.
    """

    directories: tuple[Path, ...]
    manifest: BundleManifest
    findings: tuple[Finding, ...]
    beside: Mapping[str, bytes]
    parity: ParityTable | None = None
    spare: ParityTable | None = None

    @property
    def files(self) -> tuple[Part, ...]:
        """Everything that travels like a part: the parts themselves and the parity files."""
        return (*self.manifest.parts, *(self.parity.files if self.parity else ()))

    def small_files(self, readme: bytes) -> dict[str, bytes]:
        """Return the files that lie beside the parts at every destination, without the table and its copy.

        ``readme`` is the README.txt for this bundle, where no source has one that is right.
        """
        parity = {PARITY_JSON: self.parity.raw} if self.parity else {}
        beside = {
            name: raw for name, raw in self.beside.items() if name != README or not is_damaged_readme(raw, readme)
        }
        return {README: readme, **beside, CHECKSUMS: write_checksums(self.manifest), **parity}

    def tables(self, small_files: Mapping[str, bytes]) -> list[tuple[str, int]]:
        """Return name and size of each file that a destination gets beside the parts."""
        size = len(self.manifest.raw)
        sizes = [(name, len(content)) for name, content in small_files.items()]
        return [*sizes, (BUNDLE_JSON_COPY, size), (UNFINISHED, size)]


def open_sources(directories: Sequence[Path], limits: Limits = DEFAULT_LIMITS) -> CopySources:
    """Read the tables of contents, and the other small files, of media that together hold one bundle.

    A source whose own table is damaged is taken as it is, if another one's can be read: every block that comes
    from it is checked by that one.

    Raises:
        UsageError: no directory is named, or two hold different bundles.
        NotFound: a directory is not there. NotABundle: it holds no bundle.
        UnsupportedVersion, IncompleteBundle, DamagedBundle: no table can be read.
    """
    manifest, findings = open_manifests(directories, limits)
    found = read_parity(directories, manifest.id, limits)
    findings += [replace(finding, directory=str(place)) for finding, place in check_parity_tables(found)]
    beside = files_beside(directories, limits)
    return CopySources(tuple(directories), manifest, tuple(findings), beside, found.table, found.table)


def files_beside(directories: Sequence[Path], limits: Limits) -> dict[str, bytes]:
    """Return README.txt and the signature, by name, each from the first directory that has it."""
    found = {}
    for name, limit in ((README, limits.document_bytes), (SIGNATURE, limits.signature_bytes)):
        for directory in directories:
            try:
                found[name] = read_small(directory / name, limit)
            except (NotFound, DamagedContent, DiskError):
                continue  # another source may have it
            break
    return found
