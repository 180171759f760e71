"""Packs a bundle, or goes on with one that was cut; and proves that packing again gives the same bytes."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.manifest import BundleManifest
from bundler.errors import NotReproducible
from bundler.model.sizes import format_size
from bundler.packing.documents.readme import make_readme
from bundler.packing.pack_run import PackRun
from bundler.packing.planning.estimate import estimate
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan
from bundler.packing.resume.beginning import begin
from bundler.packing.resume.finished import check_finished, planned_bundle
from bundler.packing.resume.identity import identity_of
from bundler.packing.resume.journal import Records
from bundler.packing.resume.recovery import Kept, recover
from bundler.packing.reuse.reuse import Reuse
from bundler.packing.writing.archive_check import ArchiveCheck
from bundler.packing.writing.archive_sink import ArchiveSink
from bundler.packing.writing.archive_start import FROM_THE_START
from bundler.packing.writing.archive_writer import ArchiveWriter
from bundler.packing.writing.output import OutputDirectory
from bundler.packing.writing.recorder import Recorders
from bundler.progress import SILENT, Progress, Task


def write_bundle(
    plan: PackPlan,
    output: Path | OutputDirectory,
    options: PackOptions,
    progress: Progress = SILENT,
    *,
    restart: bool = False,
    reuse: Reuse | None = None,
) -> BundleManifest:
    """Write the bundle of a plan into a directory that is new, empty, or holds an unfinished pack of the same.

    Every byte is written once, into files named ``*.partial`` that get their final names when they are whole;
    bundle.json comes last. Equal plans, contents and options give equal bytes, however often the pack was cut:
    what an earlier run finished is checked and kept, and only the rest is read. A bundle that is there already,
    and the right one, is checked and returned.

    Args:
        plan: What to pack, and from which sources.
        output: The directory; created where it is missing. Or one that was prepared already.
        options: Part size, compression and the rest.
        progress: Is told what goes on; counts the bytes read.
        restart: Keep nothing of an unfinished pack, whatever it was of, and nothing of this bundle if it is there.
        reuse: What need not be read from its source, since it was made before; it changes no byte.

    Returns:
        The bundle's table of contents, as it was written.

    Raises:
        OutputExists: the directory holds something else, or the beginning of another pack.
        DamagedBundle, IncompleteBundle: the bundle is there already, but a part of it is damaged or missing.
        DamagedContent: a source gave other bytes than its digests say.
        AirbundleError: a source or the disk failed. What is there stays, for the next run to go on; only parts
            that are whole have final names, and there is no bundle.json.
    """
    directory = OutputDirectory(output) if isinstance(output, Path) else output
    if (there := planned_bundle(directory.path, plan, options)) is not None:
        if not restart:
            directory.forget()
            directory.bytes_kept = sum(archive.size for archive in there.manifest.archives)
            return check_finished(there, progress)
        directory.reopen()
    try:
        directory.prepare()
        return _write(plan, directory, options, progress, restart, reuse or Reuse())
    finally:
        directory.release()


def _write(
    plan: PackPlan,
    directory: OutputDirectory,
    options: PackOptions,
    progress: Progress,
    restart: bool,
    reuse: Reuse,
) -> BundleManifest:
    size, filler = estimate(plan), reuse.filler
    journal, records = begin(directory, identity_of(plan, options), options.limits, restart=restart)
    try:
        with progress.task("pack", size.input_bytes) as task:
            kept = _recover(plan, directory, options, records, task, progress)
            directory.check_space(size.known_bytes - kept.bytes_on_disk)

            def make_archive(name: str) -> ArchiveSink:
                start = kept.starts.get(name, FROM_THE_START)
                archive = ArchiveWriter(
                    directory.path, name, options.part_bytes, options.block_bytes, start, journal
                )
                return filler.watch(archive) if filler is not None else archive

            recorder = Recorders(journal, filler) if filler is not None else journal
            run = PackRun(plan, make_archive, options, task, kept=kept, recorder=recorder, reuse=reuse)
            manifest = _run(run)
            directory.write_tables(manifest, make_readme(manifest))
    finally:
        journal.close()
    directory.forget()
    return manifest


def _recover(
    plan: PackPlan,
    directory: OutputDirectory,
    options: PackOptions,
    records: Records | None,
    task: Task,
    progress: Progress,
) -> Kept:
    if records is None:
        return Kept()
    names = sorted({*plan.applications, *plan.placement.values()})
    kept = recover(directory.path, records, names, options.part_bytes, options.block_bytes, task)
    if kept.bytes_on_disk:
        progress.message(f"going on: {format_size(kept.bytes_on_disk)} of an earlier run are there and right")
    directory.bytes_kept = kept.bytes_on_disk
    task.advance(kept.bytes_read)
    return kept


def _run(pack: PackRun) -> BundleManifest:
    try:
        return pack.run()
    except BaseException:
        pack.abandon()
        raise


def check_reproducible(
    plan: PackPlan, manifest: BundleManifest, options: PackOptions, progress: Progress = SILENT
) -> None:
    """Pack a second time to nowhere, and prove that every byte comes out as before.

    All sources are read again; nothing is written. The sums of all parts are made of what comes out, and they
    and the rest of bundle.json must be those of the first pack. What follows from bundle.json needs no check.

    Args:
        plan: What was packed; its sources must give their contents once more.
        manifest: What ``write_bundle`` returned for it.
        options: The same as then.
        progress: Is told what goes on; counts the bytes read.

    Raises:
        NotReproducible: something differs; the error names the first part in which it does.
        AirbundleError: a source failed.
    """
    with progress.task("check", estimate(plan).input_bytes) as task:
        again = _run(PackRun(plan, lambda name: ArchiveCheck(name, manifest), options, task))
    if again.raw != manifest.raw:
        raise NotReproducible("a second pack makes the same parts, but another bundle.json")
