"""What a repair can do, decided before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bundler.bundle.findings import Finding
from bundler.bundle.impact import Impact, ImpactMap
from bundler.bundle.manifest import BundleManifest, Part
from bundler.bundle.part_scan import ScannedPart
from bundler.bundle.repair.scanned_blocks import is_whole, lost_blocks
from bundler.bundle.repair.stripe_map import StripeBlock, StripeMap, blocks_of
from bundler.bundle.repair.whereabouts import Whereabouts


@dataclass(frozen=True)
class FilePlan:
    """What becomes of a file that is not whole.

    Attributes:
        part: the part or parity file.
        wrong: numbers of its blocks that are not right where it lies, ascending.
        absent: those that no other place has either.
        lost: those that parity cannot make again.
        is_absence: none of it lies there under its final name.
        is_nothing: nor unfinished.
    """

    part: Part
    wrong: tuple[int, ...]
    absent: tuple[int, ...]
    lost: tuple[int, ...]
    is_absence: bool
    is_nothing: bool = False

    @property
    def had(self) -> list[int]:
        """The wrong blocks that can be had again."""
        lost = set(self.lost)
        return [number for number in self.wrong if number not in lost]


def plan_files(
    files: Iterable[Part],
    scans: Mapping[str, ScannedPart],
    absent: Mapping[str, Collection[int]],
    can_make: Callable[[Part, int], bool],
    block_bytes: int,
) -> list[FilePlan]:
    """Return a plan for each file of which no whole copy lies where the bundle does. Pure."""
    plans = []
    for file in files:
        scanned = scans[file.file]
        if any(is_whole(copy, file) for copy in scanned.copies):
            continue
        nowhere = sorted(absent[file.file])
        plans.append(
            FilePlan(
                file,
                tuple(sorted(lost_blocks(file, scanned, block_bytes))),
                tuple(nowhere),
                tuple(number for number in nowhere if not can_make(file, number)),
                all(copy.is_unfinished for copy in scanned.copies),
                not scanned.copies,
            )
        )
    return plans


def absent_blocks(
    where: Whereabouts, files: Sequence[Part], stripes: StripeMap | None, advance: Callable[[int], None]
) -> dict[str, list[int]]:
    """Return, by file, the blocks that are right nowhere.

    Args:
        where: Is asked, and reads what it does not know.
        files: The files that are to be whole.
        stripes: With parity; of all other files those blocks are looked at whose stripes lost some.
        advance: Is told the bytes that had to be looked for.
    """
    absent = {file.file: where.absent(file, advance) for file in files}
    for file, numbers in _blocks_beside(stripes, absent) if stripes else ():
        absent[file.file] = [number for number in sorted(numbers) if not where.has(file, number)]
    return absent


def lost_ranges(
    plan: FilePlan, impact: ImpactMap, manifest: BundleManifest, *, all_of_it: bool
) -> Iterator[Finding]:
    """Yield the ranges of a file that are lost, neighbours together, with whom they hit.

    Args:
        plan: For the file.
        impact: Of the bundle.
        manifest: The bundle's table of contents.
        all_of_it: Whether what could have been had was not had either.
    """
    size = manifest.block_bytes
    for first, last in _runs(plan.wrong if all_of_it else plan.lost):
        start, end = first * size, min((last + 1) * size, plan.part.size)
        hit = _hit(plan.part, start, end, impact, manifest)
        yield Finding(
            check=3 if plan.is_absence else 4,
            code="missing" if plan.is_absence else "damaged-block",
            file=plan.part.file,
            offset=start,
            length=end - start,
            expected="the bytes that were packed",
            found="right blocks nowhere, and not enough parity",
            blobs=hit.blobs,
            applications=hit.applications,
            images=hit.images,
        )


def _blocks_beside(stripes: StripeMap, absent: Mapping[str, Collection[int]]) -> list[tuple[Part, set[int]]]:
    """Return the blocks of files that nothing is known of, in stripes that lost some."""
    geometry = stripes.geometry
    first = 0 if any(part.file not in absent for part in stripes.data_files) else geometry.k
    damaged = {
        block.stripe
        for file, numbers in absent.items()
        for number in numbers
        for block in stripes.touched(stripes.files[file], number)
    }
    found: dict[str, set[int]] = {}
    for stripe in damaged:
        for index in range(first, geometry.k + geometry.m):
            for piece in stripes.pieces(StripeBlock(stripe, index)):
                if piece.part.file not in absent:
                    found.setdefault(piece.part.file, set()).update(blocks_of(piece, geometry.block_bytes))
    return [(stripes.files[name], numbers) for name, numbers in found.items()]


def _hit(part: Part, start: int, end: int, impact: ImpactMap, manifest: BundleManifest) -> Impact:
    for archive in manifest.archives:
        before = 0
        for one in archive.parts:
            if one.file == part.file:
                return impact.of_range(archive.name, before + start, before + end)
            before += one.size
    return Impact()


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for place, number in enumerate(numbers):
        start = number if start is None else start
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            yield start, number
            start = None
