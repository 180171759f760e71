"""What must be asked for so that a bundle becomes whole: what is missing, less what parity can make again."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.bundle.choice import ALL_FILES, Choice
from bundler.bundle.parity.search import read_parity
from bundler.bundle.reader import Bundle
from bundler.bundle.requests.block_ranges import BlockRanges, without
from bundler.bundle.requests.fewest import SpareParity, fewest, without_hope
from bundler.bundle.requests.request_file import BlockRequest
from bundler.bundle.requests.survey import find_missing
from bundler.progress import SILENT, Progress


@dataclass(frozen=True)
class Lack:
    """What a bundle lacks.

    Attributes:
        missing: blocks of parts that are right in no directory.
        missing_bytes: bytes of them.
        needed: of these the ones that must come: parity can make the others then.
        needed_bytes: bytes of them.
        has_parity: whether there is parity that can be used.
    """

    missing: BlockRanges
    missing_bytes: int
    needed: BlockRanges
    needed_bytes: int
    has_parity: bool

    @property
    def is_mendable(self) -> bool:
        """Whether nothing must come: parity alone can make everything that is missing."""
        return not self.needed


def find_lack(bundle: Bundle, progress: Progress = SILENT, choice: Choice = ALL_FILES) -> Lack:
    """Read all parts of a bundle once, and the parity of damaged stripes; say what is missing and what must come.

    Args:
        bundle: In one directory or several; unfinished copies count as far as they are right.
        progress: Is told the bytes of parts that were looked at.
        choice: Parts that are left out are not missing. Parity of stripes that they have lost blocks in is not
            counted on.

    Raises:
        NotFound: the bundle has no such application.
        NotReadable: a file may not be read: what is missing is not known then.
    """
    manifest = bundle.manifest
    parts = manifest.parts
    with progress.task("look", sum(part.size for part in parts)) as task:
        lost = find_missing(bundle.locations, parts, manifest.block_bytes, task)
    chosen, _ = choice.of(manifest, (), bundle.locations)
    names = {part.file for part in chosen}
    others = [block for block in lost if parts[block[0]].file not in names]
    missing = without(lost, others)
    parity = read_parity(bundle.locations.directories, manifest.id, bundle.limits).table
    needed = missing
    if missing and parity is not None:
        spare = SpareParity(bundle.locations, parity)
        try:
            needed = fewest(parity, missing, without_hope(parity, others, spare))
        finally:
            spare.close()
    return Lack(
        missing=missing,
        missing_bytes=missing.size(parts, manifest.block_bytes),
        needed=needed,
        needed_bytes=needed.size(parts, manifest.block_bytes),
        has_parity=parity is not None,
    )


def make_request(bundle: Bundle, lack: Lack, *, everything: bool = False) -> BlockRequest | None:
    """Return the request for what must come, or for everything that is missing; ``None`` if that is nothing."""
    blocks = lack.missing if everything else lack.needed
    return BlockRequest(bundle.manifest.id, blocks) if blocks else None
