"""Packs a bundle: images in the order of the plan, each content once, and at the end the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bundler.bundle.manifest import Application, Archive, BundleManifest, Image, write_bundle_manifest
from bundler.bundle.names import SHARED
from bundler.content.images import RegistryForm
from bundler.errors import NotReproducible
from bundler.model.descriptor import Descriptor
from bundler.model.image import ImageTree
from bundler.packing.blob_table import BlobTable
from bundler.packing.documents import tables
from bundler.packing.documents.readme import make_readme
from bundler.packing.image_packer import ImagePacker
from bundler.packing.pipeline.pipeline import Pipeline
from bundler.packing.planning.estimate import estimate
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, carried
from bundler.packing.writing.archive_check import ArchiveCheck
from bundler.packing.writing.archive_sink import ArchiveSink
from bundler.packing.writing.archive_writer import ArchiveWriter
from bundler.packing.writing.output import OutputDirectory
from bundler.progress import SILENT, Progress, Task


def write_bundle(
    plan: PackPlan, output: Path | OutputDirectory, options: PackOptions, progress: Progress = SILENT
) -> BundleManifest:
    """Write the bundle of a plan into a directory that is new, empty, or holds an unfinished pack.

    Every byte is written once, into files named ``*.partial`` that get their final names when they are whole;
    bundle.json comes last. Equal plans, contents and options give equal bytes.

    Args:
        plan: What to pack, and from which sources.
        output: The directory; created where it is missing. Or one that was prepared already.
        options: Part size, compression and the rest.
        progress: Is told what goes on; counts the bytes read.

    Returns:
        The bundle's table of contents, as it was written.

    Raises:
        OutputExists: the directory holds something else.
        DamagedContent: a source gave other bytes than its digests say.
        AirbundleError: a source or the disk failed. Nothing lies under a final name then.
    """
    directory = OutputDirectory(output) if isinstance(output, Path) else output
    try:
        directory.prepare()
        return _write(plan, directory, options, progress)
    finally:
        directory.release()


def _write(plan: PackPlan, directory: OutputDirectory, options: PackOptions, progress: Progress) -> BundleManifest:
    size = estimate(plan)
    directory.check_space(size.known_bytes)
    with progress.task("pack", size.input_bytes) as task:
        pack = _Pack(
            plan,
            lambda name: ArchiveWriter(directory.path, name, options.part_bytes, options.block_bytes),
            options,
            task,
        )
        try:
            manifest = pack.run()
            directory.write_tables(manifest, make_readme(manifest))
        except BaseException:
            pack.abandon()
            directory.withdraw(pack.finished_parts)
            raise
    return manifest


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
        pack = _Pack(plan, lambda name: ArchiveCheck(name, manifest), options, task)
        try:
            again = pack.run()
        except BaseException:
            pack.abandon()
            raise
    if again.raw != manifest.raw:
        raise NotReproducible("a second pack makes the same parts, but another bundle.json")


class _Pack:
    """One run: the archives that are open, and what has been stored so far."""

    def __init__(
        self, plan: PackPlan, make_archive: Callable[[str], ArchiveSink], options: PackOptions, task: Task
    ) -> None:
        self._plan = plan
        self._make_archive = make_archive
        self._options = options
        self._open: dict[str, ArchiveSink] = {}
        self._finished: list[Archive] = []
        self._blobs = BlobTable()
        self._pipeline = Pipeline(task, options.workers, options.limits)
        self._packer = ImagePacker(plan, self._pipeline, self._blobs, self._archive, options, task)

    def run(self) -> BundleManifest:
        applications = []
        for name, images in self._plan.applications.items():
            trees = [self._packer.pack(image) for image in images]
            self._finish_application(name, images, trees)
            applications.append(Application(name=name, images=tuple(map(self._describe, images, trees))))
        if SHARED in self._open:
            # First in the bundle, last to be finished: every application may have added to it.
            self._finished.insert(0, self._open[SHARED].finish(with_end_marker=False))
            del self._open[SHARED]
        self._pipeline.finish()
        return write_bundle_manifest(
            name=self._options.name or "-".join(self._plan.applications),
            version=self._options.version,
            part_bytes=self._options.part_bytes,
            block_bytes=self._options.block_bytes,
            applications=tuple(applications),
            archives=tuple(self._finished),
            blobs=self._blobs.rows(),
            limits=self._options.limits,
        )

    @property
    def finished_parts(self) -> list[str]:
        """The files of the archives that are complete."""
        return [part.file for archive in self._finished for part in archive.parts]

    def abandon(self) -> None:
        self._pipeline.abort()
        for archive in self._open.values():
            archive.abandon()

    def _archive(self, key: str) -> ArchiveSink:
        return self._open_archive(self._plan.placement[key])

    def _open_archive(self, name: str) -> ArchiveSink:
        if name not in self._open:
            archive = self._make_archive(name)
            self._open[name] = archive
            if name != SHARED:
                archive.add_file("oci-layout", tables.OCI_LAYOUT)
        return self._open[name]

    def _finish_application(self, name: str, images: list[PlannedImage], trees: list[ImageTree]) -> None:
        """Write the two tables of an application's archive, and close it."""
        named = [(image.reference, tree) for image, tree in zip(images, trees, strict=True)]
        archive = self._open_archive(name)
        archive.add_file("manifest.json", tables.docker_table(named))
        archive.add_file("index.json", tables.index_json(named, self._plan.manifests))
        # It counts as open until it is whole: only what is known to be open or finished is taken back.
        self._finished.append(archive.finish(with_end_marker=True))
        del self._open[name]

    def _describe(self, image: PlannedImage, tree: ImageTree) -> Image:
        known = tables.runnable(tree)
        return Image(
            reference=str(image.reference),
            source=image.source.kind,
            descriptor=Descriptor(media_type=tree.root.media_type, digest=tree.root.digest, size=tree.root.size),
            platforms=tuple(str(one.platform) for one in known),
            image_ids=tuple(one.image_id for one in known),
            blobs=tuple(blob.digest for blob in carried(tree)),
            digest_preserved=isinstance(image.found, RegistryForm),
        )
