"""A whole repair: what is wrong, what can be done about it, and only then is anything written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bundler.bundle.choice import ALL_FILES, Choice
from bundler.bundle.copying.sources import CopySources, files_beside
from bundler.bundle.findings import Finding
from bundler.bundle.impact import ImpactMap
from bundler.bundle.names import PARITY_JSON, README
from bundler.bundle.readme_check import MakeReadme
from bundler.bundle.repair.diagnosis import Diagnosis, diagnose
from bundler.bundle.repair.file_maker import FileMaker
from bundler.bundle.repair.new_file import NewFile
from bundler.bundle.repair.opening import Patient, open_patient
from bundler.bundle.repair.parity_again import make_lost_parity
from bundler.bundle.repair.plan import FilePlan, lost_ranges
from bundler.bundle.repair.report import MendedFile, RepairReport
from bundler.bundle.repair.stripe_maker import StripeMaker
from bundler.bundle.repair.target import InPlace, Outside, Target
from bundler.bundle.repair.verdicts import is_of_blocks
from bundler.content.files import write_file
from bundler.errors import DamagedBundle, NotWritable
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.progress import SILENT, Progress, Task


def repair_bundle(
    directory: Path,
    others: Sequence[Path],
    *,
    make_readme: MakeReadme,
    output: Path | None = None,
    partial: bool = False,
    choice: Choice = ALL_FILES,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> RepairReport:
    """Mend a bundle, from other copies first, then from parity.

    Each file that is not whole is made beside, read back, and takes its name only when its sha256 is proven. If a
    file lost blocks that cannot be had nothing is changed, unless ``partial``: then files that can be mended are,
    and of the others the blocks that can be had lie in ``*.partial``, where every reader finds them. When all is
    whole, parity whose table is lost is made again, as much as there was; what hinders that is told, no failure.

    Args:
        directory: The bundle; it may be a copy that was cut.
        others: Other copies of it, whole or not, and answers to requests.
        make_readme: For a README.txt that is missing or visibly damaged.
        output: Where mended files and the tables are written; ``None``: into the bundle.
        partial: Mend what can be mended.
        choice: Files that are left out of it are neither made nor missed.
        limits: Bounds on what is read.
        progress: Is told what goes on, in bytes.

    Raises:
        UsageError, NotFound, NotABundle, UnsupportedVersion, IncompleteBundle, DamagedBundle: as
            :func:`~bundler.bundle.repair.opening.open_patient` says.
        OutputExists: another run is writing there, or the output holds something else.
        NotReadable, NotWritable, NoSpace, DiskError: the disk refused. What is done stays; another run goes on.
    """
    patient = open_patient(directory, others, limits)
    readme = make_readme(patient.manifest)

    def small_files() -> Mapping[str, bytes]:
        places = (patient.directory, *patient.others)
        beside = files_beside(places, limits)
        return CopySources(places, patient.manifest, (), beside).small_files(readme)

    with ExitStack() as held:
        target: Target = InPlace(patient, readme) if output is None else Outside(patient, output, small_files)
        held.callback(target.release)
        diagnosis = held.enter_context(diagnose(patient, target.own, choice, readme, limits, progress))
        return _Repair(patient, target, diagnosis, limits, progress).run(partial=partial)


class _Repair:
    def __init__(
        self, patient: Patient, target: Target, diagnosis: Diagnosis, limits: Limits, progress: Progress
    ) -> None:
        self._patient = patient
        self._limits = limits
        self._target = target
        self._diagnosis = diagnosis
        self._progress = progress
        self._mended: list[MendedFile] = []
        self._failed: set[str] = set()
        parity = diagnosis.stripes.files if diagnosis.stripes else {}
        self._files = {part.file for part in patient.manifest.parts} | parity.keys()

    def run(self, *, partial: bool) -> RepairReport:
        """Do what can be done."""
        plans = self._diagnosis.plans
        beside = [found for found in self._diagnosis.findings if found.file == README]
        tables = self._target.wrong_tables([*self._patient.findings, *beside])
        is_hopeless = any(plan.lost for plan in plans)
        is_fine = not (plans or tables or self._diagnosis.parity_json)
        if is_hopeless and not partial:
            return self._report(tables=(), whole=(), needed=self._diagnosis.blocks_needed)
        whole: set[str] = set()
        done = [] if is_fine else self._mend(plans, tables, whole)
        is_whole = len(whole) == len(plans)
        if is_whole and self._diagnosis.is_parity_lost and self._makes_parity():
            done.append(PARITY_JSON)
        return self._report(tables=done, whole=whole, needed=0 if is_whole else self._diagnosis.blocks_needed)

    def _mend(self, plans: Sequence[FilePlan], tables: Sequence[str], whole: set[str]) -> list[str]:
        """Write what is wrong; add the names of files that are whole now, and return those of the small files."""
        for plan in plans:
            NewFile(self._target.directory, plan.part, self._diagnosis.where.block_bytes).check_place()
        self._target.check_space([plan.part for plan in plans if not plan.lost])
        self._target.begin()
        done = [*self._target.put_tables(tables)]
        self._make_files()
        whole.update(one.file for one in self._mended if one.is_whole)
        if self._diagnosis.parity_json is not None:
            write_file(self._target.directory / PARITY_JSON, self._diagnosis.parity_json)
            done.append(PARITY_JSON)
        # A copy that was cut is not finished while parts are left out that were meant for it.
        if len(whole) == len(plans) and (self._diagnosis.is_all_meant or not self._target.is_bundle):
            done += self._target.finish(tables)
        return done

    def _makes_parity(self) -> bool:
        """Make parity again whose table is lost; tell whether that was done."""
        if not self._target.is_bundle:
            # The parts lie in two directories, and parity is made of one.
            return False
        try:
            self._target.begin()
        except NotWritable as error:
            self._progress.message(f"the parity was not made again: {error}")
            return False
        return make_lost_parity(self._target.directory, self._patient.manifest, self._limits, self._progress)

    def _make_files(self) -> None:
        diagnosis = self._diagnosis
        with ExitStack() as held:
            maker = StripeMaker(diagnosis.stripes, diagnosis.where) if diagnosis.stripes else None
            if maker is not None:
                held.callback(maker.close)
            task = held.enter_context(self._progress.task("repair", sum(map(self._work, diagnosis.plans))))
            files = FileMaker(self._target.directory, diagnosis.where, maker, task)
            for plan in diagnosis.plans:
                self._make_file(plan, files, task)

    def _make_file(self, plan: FilePlan, files: FileMaker, task: Task) -> None:
        part = plan.part
        if plan.lost and not plan.had:
            return
        try:
            done = files.make_some(part, plan.had) if plan.lost else files.make(part, plan.wrong)
        except DamagedBundle as error:
            self._progress.message(str(error))
            self._failed.add(part.file)
            return
        self._mended.append(
            MendedFile(part.file, self._target.directory, done.copied, done.made, is_whole=not plan.lost)
        )

    def _work(self, plan: FilePlan) -> int:
        if not plan.lost:
            return plan.part.size
        return sum(self._diagnosis.where.length(plan.part, number) for number in plan.had)

    def _report(self, *, tables: Sequence[str], whole: Collection[str], needed: int) -> RepairReport:
        return RepairReport(
            id=self._patient.manifest.id,
            found=self._diagnosis.findings,
            mended=tuple(self._mended),
            tables=tuple(tables),
            left=tuple(self._left(tables, whole)),
            blocks_needed=needed,
            left_out=self._diagnosis.left_out,
            absent=tuple(plan.part.file for plan in self._diagnosis.plans if plan.is_nothing),
            unused=self._patient.unused,
        )

    def _left(self, tables: Collection[str], whole: Collection[str]) -> Iterator[Finding]:
        """Yield what is still wrong: of a file that lost blocks, their ranges instead of what was found first."""
        plans = {plan.part.file: plan for plan in self._diagnosis.plans}
        touched = self._failed | {one.file for one in self._mended}
        for found in self._diagnosis.findings:
            if found.file in self._files and is_of_blocks(found):
                # Without a plan a copy is damaged in one directory, and whole in another one.
                if found.mendable and found.file in plans and found.file not in touched:
                    yield found
            elif found.file not in tables:
                yield found
        impact = ImpactMap(self._patient.manifest)
        for file, plan in plans.items():
            if file not in whole:
                yield from lost_ranges(plan, impact, self._patient.manifest, all_of_it=file in self._failed)
