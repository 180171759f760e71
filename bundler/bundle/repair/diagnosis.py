"""What is wrong with a bundle, and what of it can be had again; everything is read, nothing written."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.block_reader import PartLocations
from bundler.bundle.choice import Choice
from bundler.bundle.copying.media.travel_order import needed_parts
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest, Part
from bundler.bundle.names import PARITY_JSON
from bundler.bundle.parity.check import with_tables_judged
from bundler.bundle.parity.search import FoundParity, read_parity
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.reader import Bundle
from bundler.bundle.repair.erasures import Erasures
from bundler.bundle.repair.opening import Patient
from bundler.bundle.repair.parity_again import is_parity_lost
from bundler.bundle.repair.plan import FilePlan, absent_blocks, plan_files
from bundler.bundle.repair.stripe_map import StripeBlock, StripeMap
from bundler.bundle.repair.verdicts import judged, with_copy_judged
from bundler.bundle.repair.whereabouts import Whereabouts
from bundler.bundle.requests.block_ranges import BlockRanges
from bundler.bundle.requests.fewest import fewest, without_hope
from bundler.bundle.verify import examine
from bundler.content.files import partial
from bundler.model.limits import Limits
from bundler.progress import Progress


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, and what can be done.

    Attributes:
        findings: everything that is wrong; ``mendable`` is whether it can be put right with what was given.
        plans: for each part and parity file that is not whole.
        blocks_needed: how many more right blocks would do.
        where: knows where the blocks are.
        stripes: of the parity; ``None`` if there is none that can be used.
        parity_json: the table of the parity, where the bundle's own is missing or damaged.
        is_parity_lost: there is, or was, parity, and nowhere a table of it that can be used.
        left_out: files that are not asked for; nothing is said of them, and no plan is for them.
        is_all_meant: whether no part is left out that the applications which are asked for need.
    """

    findings: tuple[Finding, ...]
    plans: tuple[FilePlan, ...]
    blocks_needed: int
    where: Whereabouts
    stripes: StripeMap | None
    parity_json: bytes | None
    is_parity_lost: bool
    left_out: tuple[str, ...]
    is_all_meant: bool


@contextmanager
def diagnose(
    patient: Patient, own: Sequence[Path], choice: Choice, readme: bytes, limits: Limits, progress: Progress
) -> Iterator[Diagnosis]:
    """Check a bundle, and look elsewhere for what it lacks; the files stay open inside the block.

    Args:
        patient: The bundle.
        own: The directories in which its files should be: its own and, where it is mended into another, that.
        choice: Files that are left out of it are not mended; what is wrong with them counts where parity is used.
        readme: What is written into README.txt of this bundle.
        limits: Bounds on what is read.
        progress: Is told the bytes that are read.

    Raises:
        NotReadable: this user may not read a file that matters, which is not the same as bad.
        NotFound: the bundle has no such application.
    """
    manifest = patient.manifest
    parity = read_parity([*own, *patient.others], manifest.id, limits)
    table, has_parity = parity.table, _has_parity(own, parity.table)
    own_parity = _own_parity(parity, own) if has_parity else FoundParity()
    bundle = Bundle(own, manifest, patient.findings, limits)
    examination = examine(bundle, "full", readme=readme, parity=own_parity, files_only=True, progress=progress)
    parity_files = own_parity.table.files if own_parity.table else ()
    files, left_out = choice.of(manifest, parity_files, PartLocations(own))
    is_all_meant = not any(file in left_out for file in needed_parts(manifest, choice.applications))
    where = Whereabouts([*own, *patient.others], manifest.block_bytes, patient.answers)
    try:
        for file in (*files, *left_out):
            where.learn(file, examination.scans[file.file])
        stripes = StripeMap(table) if table else None
        with progress.task("look elsewhere", sum(map(where.unknown_bytes, files))) as task:
            absent = absent_blocks(where, files, stripes, task.advance)
        erasures = Erasures(stripes, absent) if stripes else None

        def can_make(file: Part, number: int) -> bool:
            return erasures is not None and erasures.can_make(file, number)

        plans = plan_files(files, examination.scans, absent, can_make, manifest.block_bytes)
        if where.denied is not None and any(plan.lost for plan in plans):
            # What could not be looked at may be right.
            raise where.denied
        names = {file.file for file in left_out}
        of_chosen = [found for found in examination.report.findings if found.file not in names]
        found = [*of_chosen, *_lacks_table(own, own_parity)]
        found = judged(found, {file.file: file for file in files}, absent, can_make, where.block_bytes)
        yield Diagnosis(
            findings=tuple(with_tables_judged(with_copy_judged(found) if is_all_meant else found)),
            plans=tuple(plans),
            blocks_needed=_blocks_needed(table, manifest, files, absent),
            where=where,
            stripes=stripes,
            parity_json=_table_to_write(own, own_parity),
            is_parity_lost=table is None and is_parity_lost(found),
            left_out=tuple(file.file for file in left_out),
            is_all_meant=is_all_meant,
        )
    finally:
        where.close()


def _blocks_needed(
    table: ParityTable | None, manifest: BundleManifest, files: Sequence[Part], absent: Mapping[str, Sequence[int]]
) -> int:
    """Return how many blocks of parts must come, as a request would ask for them."""
    index = {part.file: number for number, part in enumerate(manifest.parts)}
    chosen = {file.file for file in files}
    lost = [(index[name], number) for name, numbers in absent.items() if name in index for number in numbers]
    missing = BlockRanges.of(block for block in lost if manifest.parts[block[0]].file in chosen)
    if table is None:
        return missing.count
    stripes = StripeMap(table)
    bad: dict[int, set[StripeBlock]] = defaultdict(set)
    for file in table.files:
        for number in absent.get(file.file, ()):
            for block in stripes.touched(file, number):
                bad[block.stripe].add(block)
    others = [block for block in lost if manifest.parts[block[0]].file not in chosen]
    spare = without_hope(table, others, lambda stripe: table.geometry.m - len(bad[stripe]))
    return fewest(table, missing, spare).count


def _has_parity(own: Sequence[Path], table: ParityTable | None) -> bool:
    """Tell whether parity lies, or lay, where the bundle does."""
    names = [PARITY_JSON] if table is None else [PARITY_JSON, *(file.file for file in table.files)]
    return any(
        os.path.lexists(path)
        for directory in own
        for name in names
        for path in (directory / name, partial(directory / name))
    )


def _own_parity(parity: FoundParity, own: Sequence[Path]) -> FoundParity:
    unusable = tuple(one for one in parity.unusable if one.path.parent in own)
    return FoundParity(parity.table, parity.places, unusable)


def _lacks_table(own: Sequence[Path], parity: FoundParity) -> Iterator[Finding]:
    if _table_to_write(own, parity) is not None and not parity.unusable:
        yield Finding(
            3, "missing", PARITY_JSON, expected="the table of these parity files", found="nothing", mendable=True
        )


def _table_to_write(own: Sequence[Path], parity: FoundParity) -> bytes | None:
    if parity.table is None:
        return None
    # Under its unfinished name it counts, but a bundle that is whole has it under its own.
    if any(directory in parity.places and os.path.lexists(directory / PARITY_JSON) for directory in own):
        return None
    return parity.table.raw
