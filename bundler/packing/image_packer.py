"""Packs images: reads from their source what the bundle does not hold yet, then stores their documents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

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
from bundler.packing.group_reader import expect_group, names_of, read_group
from bundler.packing.pipeline.jobs import Job
from bundler.packing.pipeline.pipeline import Pipeline
from bundler.packing.planning.groups import Group
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, carried, layers_of, manifest_key
from bundler.packing.reuse.proofs import ReusedContent
from bundler.packing.reuse.reuse import Offers, Reuse
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
        reuse: Reuse,
    ) -> None:
        """Pack into the archives that ``archive`` opens for a key of the plan; what ``reuse`` has is not read."""
        self._plan = plan
        self._pipeline = pipeline
        self._blobs = blobs
        self._archive = archive
        self._options = options
        self._task = task
        self._reuse = reuse
        self._diff_ids: dict[Digest, Digest] = {}

    def pack(self, group: Group, following: Group = ()) -> list[ImageTree]:
        """Store all that the images are made of and that is not stored yet; return the documents of each.

        An engine that the ``following`` images come from prepares them meanwhile.

        Raises:
            DamagedContent: the source gave other bytes than its digests say, or not all of them.
            AirbundleError: the source or the disk failed.
        """
        self._task.describe(names_of([image.found for image in group]))
        forms = [image.found for image in group if isinstance(image.found, EngineForm)]
        if forms:
            return self._pack_engine_forms(group, forms, following)
        return [
            self._pack_registry_form(group, image.found)
            for image in group
            if isinstance(image.found, RegistryForm)
        ]

    def _pack_registry_form(self, group: Group, found: RegistryForm) -> ImageTree:
        documents = found.documents
        diff_ids = self._agreed_diff_ids(found)
        blobs = {blob.digest: blob for blob in carried(found) if not self._blobs.has(blob.digest)}
        streamed = [digest for digest in blobs if digest not in documents]
        offers = self._reuse.blobs(blobs[digest] for digest in streamed)
        for content in read_group(group, streamed, self._task, offers, self._options.limits):
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
            if isinstance(content, ReusedContent):
                self._reuse.bytes_reused += blob.size
        self._blobs.add(self._pipeline.collect())
        for digest in [digest for digest in blobs if digest in documents]:
            self._store_document(digest, blobs[digest], documents[digest])
        return found.tree

    def _agreed_diff_ids(self, found: RegistryForm) -> dict[Digest, Digest]:
        """Return the DiffID of each layer; it is proven once, when the blob is read, so all must say the same."""
        result: dict[Digest, Digest] = {}
        for diff_id, layer in layers_of(*found.trees):
            result[layer.digest] = diff_id
            if self._diff_ids.setdefault(layer.digest, diff_id) != diff_id:
                raise DamagedContent(
                    f"{found.reference.familiar}: the layer {layer.digest} is said to hold {diff_id}, "
                    f"but another config says {self._diff_ids[layer.digest]}"
                )
        return result

    def _pack_engine_forms(self, group: Group, forms: Sequence[EngineForm], following: Group) -> list[ImageTree]:
        configs = self._store_layers(group, self._new(forms), following)
        return [
            self._blobs.tree_of(form.config_digest) or self._store_made(form, configs[form.config_digest])
            for form in forms
        ]

    def _new(self, forms: Iterable[EngineForm]) -> dict[Digest, EngineForm]:
        """Return by config digest those that have no manifest yet."""
        return {form.config_digest: form for form in forms if self._blobs.tree_of(form.config_digest) is None}

    def _store_layers(
        self, group: Group, forms: Mapping[Digest, EngineForm], following: Group
    ) -> dict[Digest, ImageConfig]:
        """Store what is missing of the layers of images, given by config digest; return their configs."""
        raws = self._known_configs(forms)
        configs = {digest: self._parse_config(raw, forms[digest]) for digest, raw in raws.items()}
        wanted, offers = self._wanted(forms, raws)
        self._expect(group, wanted, offers, following)
        for content in read_group(group, wanted, self._task, offers, self._options.limits):
            if content.digest in forms:
                configs[content.digest] = self._read_config(content, forms[content.digest])
            elif isinstance(content, ReusedContent):
                self._add_made(content)
            else:
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
        return configs

    def _wanted(
        self, forms: Mapping[Digest, EngineForm], raws: Mapping[Digest, bytes], besides: Collection[Digest] = ()
    ) -> tuple[list[Digest], Offers]:
        """Return configs and layers that are neither stored nor ``besides``, and what stores have of them."""
        layers = [
            diff_id
            for diff_id in dict.fromkeys(diff_id for form in forms.values() for diff_id in form.diff_ids)
            if diff_id not in self._plan.substitutes
            and self._blobs.made_of(diff_id) is None
            and diff_id not in besides
        ]
        return [*(forms.keys() - raws.keys()), *layers], self._reuse.layers(layers, self._options.encoder, raws)

    def _expect(self, group: Group, wanted: Collection[Digest], offers: Offers, following: Group) -> None:
        """Have an engine prepare the next images beside these, if anything will be read of them."""
        forms = self._new(image.found for image in following if isinstance(image.found, EngineForm))
        forms = {digest: form for digest, form in forms.items() if digest not in wanted}
        next_wanted, next_offers = self._wanted(forms, self._known_configs(forms), besides=wanted)
        if next_wanted:
            expect_group(group, wanted, offers)
            expect_group(following, next_wanted, next_offers)

    def _known_configs(self, forms: Mapping[Digest, EngineForm]) -> dict[Digest, bytes]:
        """Return the configs that an earlier run read or a store has."""
        raws: dict[Digest, bytes] = {}
        for digest in forms:
            raw = self._blobs.config(digest)
            if raw is None and (raw := self._reuse.config(digest)) is not None:
                self._blobs.keep_config(digest, raw)
            if raw is not None:
                raws[digest] = raw
        return raws

    def _add_made(self, content: ReusedContent) -> None:
        """Store a layer that was compressed before; its row is that of one which is compressed now."""
        held, unpacked = content.held, content.uncompressed_size
        assert held is not None, "it came from a store"
        assert unpacked is not None, "its DiffID was proven"
        self._pipeline.add(
            Job(
                archive=self._archive(content.digest),
                media_type=self._options.encoder.media_type,
                digest=held.digest,
                size=held.size,
                diff_id=content.digest,
                encoder=self._options.encoder,
                uncompressed_size=unpacked,
                is_made=True,
            ),
            content,
        )
        self._reuse.bytes_reused += held.size
        # What is counted is what the source would have given.
        self._task.advance(max(unpacked - held.size, 0))

    def _read_config(self, content: Content, found: EngineForm) -> ImageConfig:
        raw = read_all(content.stream, self._options.limits.document_bytes, "the image config")
        if sha256(raw) != found.config_digest:
            raise DamagedContent(f"the image config {found.config_digest} is damaged: it hashes to {sha256(raw)}")
        self._blobs.keep_config(found.config_digest, raw)
        return self._parse_config(raw, found)

    def _parse_config(self, raw: bytes, found: EngineForm) -> ImageConfig:
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

    def _store_made(self, found: EngineForm, parsed: ImageConfig) -> ImageTree:
        """Make the manifest of an image whose layers are all stored; store it and the config."""
        tree = make_image_tree(parsed, [self._layer(diff_id) for diff_id in found.diff_ids])
        root, config = tree.root.digest, found.config_digest
        self._store_document(manifest_key(config), tree.root, tree.documents[root])
        raw = tree.documents[config]
        self._store_document(config, Descriptor(media_type=OCI_CONFIG, digest=config, size=len(raw)), raw)
        self._blobs.remember(config, tree)
        return tree

    def _store_document(self, key: str, descriptor: Descriptor, raw: bytes) -> None:
        """Write a small blob at once; the pipeline is empty whenever this is called."""
        if self._blobs.has(descriptor.digest):
            return
        archive = self._archive(key)
        offset = archive.begin_blob(descriptor.digest, len(raw))
        archive.append(raw)
        size = archive.end_blob(descriptor.digest)
        self._blobs.add_document(
            Blob(
                digest=descriptor.digest,
                size=size,
                media_type=descriptor.media_type,
                archive=archive.name,
                offset=offset,
            )
        )
