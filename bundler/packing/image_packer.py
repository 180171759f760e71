"""Packs one image: reads from its source what the bundle does not hold yet, then stores its documents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from bundler.bundle.manifest import Blob
from bundler.content.hashing import sha256
from bundler.content.images import Content, EngineForm, RegistryForm
from bundler.content.streams import read_all
from bundler.errors import DamagedContent
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.image_config import ImageConfig, parse_image_config
from bundler.model.media_types import OCI_CONFIG, is_readable_layer
from bundler.packing.blob_table import BlobTable
from bundler.packing.documents.tables import make_image_tree
from bundler.packing.pipeline.jobs import Job
from bundler.packing.pipeline.pipeline import Pipeline
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, carried, layers_of, manifest_key
from bundler.packing.writing.archive_sink import ArchiveSink
from bundler.progress import Task


class ImagePacker:
    """Stores images in archives, each content once in the whole bundle."""

    def __init__(
        self,
        plan: PackPlan,
        pipeline: Pipeline,
        blobs: BlobTable,
        archive: Callable[[str], ArchiveSink],
        options: PackOptions,
        task: Task,
    ) -> None:
        """Pack into the archives that ``archive`` opens for a key of the plan."""
        self._plan = plan
        self._pipeline = pipeline
        self._blobs = blobs
        self._archive = archive
        self._options = options
        self._task = task
        self._diff_ids: dict[Digest, Digest] = {}

    def pack(self, image: PlannedImage) -> ImageTree:
        """Store everything that the image is made of and that is not stored yet; return its documents.

        Raises:
            DamagedContent: the source gave other bytes than its digests say, or not all of them.
            AirbundleError: the source or the disk failed.
        """
        self._task.describe(image.reference.familiar)
        if isinstance(image.found, RegistryForm):
            return self._pack_registry_form(image, image.found)
        return self._pack_engine_form(image, image.found)

    def _pack_registry_form(self, image: PlannedImage, found: RegistryForm) -> ImageTree:
        tree = found.tree
        diff_ids = self._agreed_diff_ids(image, tree)
        blobs = {blob.digest: blob for blob in carried(tree) if not self._blobs.has(blob.digest)}
        for content in self._contents(image, [digest for digest in blobs if digest not in tree.documents]):
            blob = blobs[content.digest]
            # Configs of attestations name DiffIDs of what is no layer; only a proven DiffID is recorded.
            diff_id = diff_ids.get(blob.digest) if is_readable_layer(blob.media_type) else None
            self._pipeline.add(
                Job(
                    archive=self._archive(blob.digest),
                    media_type=blob.media_type,
                    digest=blob.digest,
                    size=blob.size,
                    diff_id=diff_id,
                    look_inside=diff_id is not None,
                ),
                Content(content.digest, blob.size, content.stream),
            )
        self._blobs.add(self._pipeline.collect())
        for digest in [digest for digest in blobs if digest in tree.documents]:
            self._store_document(digest, blobs[digest], tree.documents[digest])
        return tree

    def _agreed_diff_ids(self, image: PlannedImage, tree: ImageTree) -> dict[Digest, Digest]:
        """Return the DiffID of each layer; it is proven once, when the blob is read, so all must say the same."""
        result: dict[Digest, Digest] = {}
        for diff_id, layer in layers_of(tree):
            result[layer.digest] = diff_id
            if self._diff_ids.setdefault(layer.digest, diff_id) != diff_id:
                raise DamagedContent(
                    f"{image.reference.familiar}: the layer {layer.digest} is said to hold {diff_id}, "
                    f"but another config says {self._diff_ids[layer.digest]}"
                )
        return result

    def _pack_engine_form(self, image: PlannedImage, found: EngineForm) -> ImageTree:
        tree = self._blobs.tree_of(found.config_digest)
        if tree is not None:
            return tree
        config: ImageConfig | None = None
        missing = [
            diff_id
            for diff_id in dict.fromkeys(found.diff_ids)
            if diff_id not in self._plan.substitutes and self._blobs.made_of(diff_id) is None
        ]
        for content in self._contents(image, [found.config_digest, *missing]):
            if content.digest == found.config_digest:
                config = self._read_config(content, found)
                continue
            self._pipeline.add(
                Job(
                    archive=self._archive(content.digest),
                    media_type=self._options.encoder.media_type,
                    diff_id=content.digest,
                    encoder=self._options.encoder,
                ),
                content,
            )
        self._blobs.add(self._pipeline.collect())
        assert config is not None, "contents are complete, or an error was raised"
        tree = make_image_tree(config, [self._layer(diff_id) for diff_id in found.diff_ids])
        self._store_made(found, tree)
        return tree

    def _contents(self, image: PlannedImage, wanted: Collection[Digest]) -> Iterator[Content]:
        """Ask the source, and prove from what was wanted, not from the stream's end, that all came."""
        missing = set(wanted)
        if not missing:
            return
        for content in image.source.contents(image.found, wanted, self._task):
            if content.digest in missing:
                missing.remove(content.digest)
                yield content
        if missing:
            raise DamagedContent(
                f"{image.reference.familiar}: the source did not give {len(missing)} of its contents, "
                f"such as {min(missing)}"
            )

    def _read_config(self, content: Content, found: EngineForm) -> ImageConfig:
        raw = read_all(content.stream, self._options.limits.document_bytes, "the image config")
        if sha256(raw) != found.config_digest:
            raise DamagedContent(f"the image config {found.config_digest} is damaged: it hashes to {sha256(raw)}")
        config = parse_image_config(raw, self._options.limits)
        if config.diff_ids != found.diff_ids:
            raise DamagedContent(f"the config of {found.reference.familiar} names other layers than its source")
        return config

    def _layer(self, diff_id: Digest) -> Descriptor:
        substitute = self._plan.substitutes.get(diff_id)
        if substitute is not None:
            return substitute
        made = self._blobs.made_of(diff_id)
        assert made is not None, "every layer is stored before its image"
        return made.descriptor

    def _store_made(self, found: EngineForm, tree: ImageTree) -> None:
        root, config = tree.root.digest, found.config_digest
        self._store_document(manifest_key(config), tree.root, tree.documents[root])
        raw = tree.documents[config]
        self._store_document(config, Descriptor(media_type=OCI_CONFIG, digest=config, size=len(raw)), raw)
        self._blobs.remember(config, tree)

    def _store_document(self, key: str, descriptor: Descriptor, raw: bytes) -> None:
        """Write a small blob at once; the pipeline is empty whenever this is called."""
        if self._blobs.has(descriptor.digest):
            return
        archive = self._archive(key)
        offset = archive.begin_blob(descriptor.digest, len(raw))
        archive.append(raw)
        size = archive.end_blob(descriptor.digest)
        self._blobs.add(
            [
                Blob(
                    digest=descriptor.digest,
                    size=size,
                    media_type=descriptor.media_type,
                    archive=archive.name,
                    offset=offset,
                )
            ]
        )
