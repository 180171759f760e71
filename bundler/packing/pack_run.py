"""One run of a pack: images in groups, in the order of the plan, each content once, and at the end the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from bundler.bundle.manifest import Application, Archive, BundleManifest, Image, write_bundle_manifest
from bundler.bundle.names import SHARED
from bundler.bundle.referrer_rows import ReferrerRow
from bundler.content.images import RegistryForm
from bundler.model.descriptor import Descriptor
from bundler.model.image import ImageTree
from bundler.model.reference import Reference
from bundler.packing.blob_table import BlobTable
from bundler.packing.documents import tables
from bundler.packing.image_packer import ImagePacker
from bundler.packing.pipeline.pipeline import Pipeline
from bundler.packing.planning.groups import Group, make_groups
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, carried
from bundler.packing.resume.identity import bundle_name
from bundler.packing.resume.recovery import Kept
from bundler.packing.reuse.reuse import Reuse
from bundler.packing.writing.archive_sink import ArchiveSink
from bundler.packing.writing.recorder import NO_RECORDER, Recorder
from bundler.progress import Task


class PackRun:
    """One run over all groups of a plan, into archives that are new or go on where they were cut."""

    def __init__(
        self,
        plan: PackPlan,
        make_archive: Callable[[str], ArchiveSink],
        options: PackOptions,
        task: Task,
        *,
        kept: Kept | None = None,
        recorder: Recorder = NO_RECORDER,
        reuse: Reuse | None = None,
    ) -> None:
        """Prepare.

        Args:
            plan: What to pack.
            make_archive: Opens the archive of a name.
            options: How.
            task: Is told what goes on; counts the bytes read.
            kept: What an earlier run stored already.
            recorder: Is told of each blob and config that this run stores.
            reuse: What need not be read from its source.
        """
        self._plan = plan
        self._make_archive = make_archive
        self._options = options
        self._open: dict[str, ArchiveSink] = {}
        self._kept = kept or Kept()
        self._finished: list[Archive] = list(self._kept.archives.values())
        self._trees: dict[str, dict[Reference, ImageTree]] = defaultdict(dict)
        self._applications: dict[str, Application] = {}
        self._blobs = BlobTable(self._kept.blobs, self._kept.configs, recorder)
        self._pipeline = Pipeline(task, options.workers, options.limits, recorder)
        self._packer = ImagePacker(
            plan, self._pipeline, self._blobs, self._archive, options, task, reuse or Reuse()
        )

    def run(self) -> BundleManifest:
        """Pack everything; return the table of contents of what is there then.

        Raises:
            DamagedContent: a source gave other bytes than its digests say.
            AirbundleError: a source or the disk failed.
        """
        groups = make_groups(self._plan)
        for group, following in zip(groups, (*groups[1:], ()), strict=True):
            self._pack_group(group, following)
        if SHARED in self._plan.placement.values() and SHARED not in self._kept.archives:
            # The last to be finished: every application may have added to it.
            self._finished.append(self._open_archive(SHARED).finish(with_end_marker=False))
            del self._open[SHARED]
        self._pipeline.finish()
        return write_bundle_manifest(
            name=bundle_name(self._plan, self._options),
            version=self._options.version,
            part_bytes=self._options.part_bytes,
            block_bytes=self._options.block_bytes,
            applications=tuple(self._applications[name] for name in self._plan.applications),
            archives=tuple(sorted(self._finished, key=lambda archive: (archive.name != SHARED, archive.name))),
            blobs=self._blobs.rows(),
            rename=self._options.rename,
            limits=self._options.limits,
        )

    def abandon(self) -> None:
        """Stop; what was written stays for the next run."""
        self._pipeline.abort()
        for archive in self._open.values():
            archive.abandon()

    def _archive(self, key: str) -> ArchiveSink:
        return self._open_archive(self._plan.placement[key])

    def _open_archive(self, name: str) -> ArchiveSink:
        if name not in self._open:
            archive = self._make_archive(name)
            self._open[name] = archive
            if name != SHARED and name not in self._kept.starts:
                archive.add_file(tables.OCI_LAYOUT_FILE, tables.OCI_LAYOUT)
        return self._open[name]

    def _pack_group(self, group: Group, following: Group) -> None:
        """Pack images, and complete the applications whose last ones they are."""
        for image, tree in zip(group, self._packer.pack(group, following), strict=True):
            self._trees[image.application][image.reference] = tree
        for name in dict.fromkeys(image.application for image in group):
            packed, images = self._trees[name], self._plan.applications[name]
            if len(packed) == len(images):
                trees = [packed[image.reference] for image in images]
                self._finish_application(name, images, trees)
                self._applications[name] = Application(name=name, images=tuple(map(self._describe, images, trees)))

    def _finish_application(self, name: str, images: list[PlannedImage], trees: list[ImageTree]) -> None:
        """Write the two tables of an application's archive, and close it."""
        if name in self._kept.archives:
            return
        named = [(image.reference, tree) for image, tree in zip(images, trees, strict=True)]
        archive = self._open_archive(name)
        archive.add_file("manifest.json", tables.docker_table(named))
        forms = [image.found for image in images if isinstance(image.found, RegistryForm)]
        referrers = [referrer for form in forms for referrer in form.referrers]
        archive.add_file("index.json", tables.index_json(named, self._plan.manifests, referrers))
        # It counts as open until it is whole: only what is known to be open or finished is taken back.
        self._finished.append(archive.finish(with_end_marker=True))
        del self._open[name]

    def _describe(self, image: PlannedImage, tree: ImageTree) -> Image:
        known, form = tables.runnable(tree), image.found if isinstance(image.found, RegistryForm) else None
        return Image(
            reference=str(image.reference),
            source=image.source.kind,
            descriptor=Descriptor(media_type=tree.root.media_type, digest=tree.root.digest, size=tree.root.size),
            platforms=tuple(str(one.platform) for one in known),
            image_ids=tuple(one.image_id for one in known),
            blobs=tuple(blob.digest for blob in carried(form or tree)),
            left_out=form.selection.left_out if form else (),
            digest_preserved=form is not None,
            referrers=tuple(map(ReferrerRow.of, form.referrers)) if form else (),
            smoke=image.smoke,
        )
