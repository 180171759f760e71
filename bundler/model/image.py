"""An image in registry form: its root descriptor and every document below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from bundler.errors import MalformedDocument, NotFound
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image_config import ImageConfig, parse_image_config
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.manifest import Index, Manifest, parse_manifest
from bundler.model.platforms import Platform


@dataclass(frozen=True)
class PlatformImage:
    """One platform's image inside an :class:`ImageTree`; config is ``None`` for artifacts."""

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig | None

    @property
    def platform(self) -> Platform:
        """What the config says, which the engine obeys, else what the index says."""
        if self.config is not None and self.config.platform.architecture:
            return self.config.platform
        return self.descriptor.platform or Platform()

    @property
    def listed_as(self) -> Platform:
        """What the index says of a variant that the config, as many do, leaves out; else the platform."""
        said = self.descriptor.platform
        mine = self.platform
        if said is not None and not mine.variant and (said.os, said.architecture) == (mine.os, mine.architecture):
            return said
        return mine

    @property
    def image_id(self) -> Digest:
        """The image ID of engines with a graph-driver store: the digest of the config."""
        return self.manifest.config.digest

    def layers(self) -> Iterator[tuple[Descriptor, Digest | None]]:
        """Yield each layer, bottom first, with its DiffID; ``None`` where the config names none."""
        ids = self.config.diff_ids if self.config is not None else ()
        for position, layer in enumerate(self.manifest.layers):
            yield layer, ids[position] if position < len(ids) else None


@dataclass(frozen=True)
class ImageTree:
    """A root descriptor, and the raw bytes of all manifests, indexes and image configs that it reaches.

    Attributes:
        root: descriptor of the whole.
        documents: by digest. Manifests and indexes that an index lists and that are not among them are taken as
            absent: such an index is *sparse*.
        limits: bounds on what the documents hold.
        opaque: children of indexes that are neither manifest nor index as far as is known here, and that are
            there. They are carried as they are; what they refer to is not known. Those not listed are absent.
    """

    root: Descriptor
    documents: Mapping[Digest, bytes]
    limits: Limits = field(default=DEFAULT_LIMITS, repr=False, compare=False)
    opaque: frozenset[Digest] = frozenset()

    def nodes(self) -> Iterator[tuple[Descriptor, Manifest | Index]]:
        """Yield every manifest and index once, parents before children, in the order of the documents.

        Raises:
            MalformedDocument: a document breaks its form or a bound, or the root is absent.
        """
        return iter(self._nodes)

    # A plan asks each of its images for them many times; of thousands of images the reading is most of the work.
    @cached_property
    def _nodes(self) -> tuple[tuple[Descriptor, Manifest | Index], ...]:
        return tuple(self._walk())

    @cached_property
    def _blobs(self) -> tuple[Descriptor, ...]:
        found: dict[Digest, Descriptor] = {}
        for descriptor, node in self._nodes:
            for item in (descriptor, *_needs(node)):
                found.setdefault(item.digest, item)
        return (*found.values(), *self._opaque())

    @cached_property
    def _platform_images(self) -> tuple[PlatformImage, ...]:
        return tuple(
            PlatformImage(descriptor, node, self._config(node))
            for descriptor, node in self._nodes
            if isinstance(node, Manifest)
        )

    def _walk(self) -> Iterator[tuple[Descriptor, Manifest | Index]]:
        if self.root.digest not in self.documents:
            raise MalformedDocument(f"the manifest {self.root.digest} is not there")
        seen: set[Digest] = set()
        stack = [(self.root, 0)]
        while stack:
            descriptor, depth = stack.pop()
            if descriptor.digest in seen or descriptor.digest not in self.documents:
                continue
            seen.add(descriptor.digest)
            if depth > self.limits.document_nesting:
                raise beyond(self.limits.document_nesting, "the image index has too many levels")
            if len(seen) > self.limits.documents:
                raise beyond(self.limits.documents, "the image index has too many manifests")
            node = parse_manifest(self.documents[descriptor.digest], descriptor.media_type, self.limits)
            yield descriptor, node
            if isinstance(node, Index):
                known = [child for child in node.manifests if media_types.is_image_document(child.media_type)]
                stack.extend((child, depth + 1) for child in reversed(known))

    def opaque_children(self) -> list[Descriptor]:
        """Return the opaque children that are there, each once; none that is something else of the image too.

        Raises:
            MalformedDocument: a document breaks its form or a bound.
        """
        return self._opaque()

    def platform_images(self) -> list[PlatformImage]:
        """Return the image of every platform that is there, in the order of the index.

        Raises:
            MalformedDocument: a document breaks its form or a bound.
        """
        return list(self._platform_images)

    def select(self, host: Platform) -> PlatformImage:
        """Choose the image that suits the host best; the only one there is also where it does not run.

        Raises:
            NotFound: several platforms are there and none fits.
            MalformedDocument: a document breaks its form or a bound.
        """
        runnable = [image for image in self.platform_images() if image.platform.is_known]
        suited = [(image.listed_as.fitness(host), image) for image in runnable]
        fitting = [(fitness, image) for fitness, image in suited if fitness is not None]
        if fitting:
            # The first of equals.
            return min(fitting, key=lambda item: item[0])[1]
        if len(runnable) == 1:
            return runnable[0]
        held = ", ".join(str(image.platform) for image in runnable) or "none that runs"
        raise NotFound(f"the image has no variant for {host}", advice=f"It holds: {held}.")

    def blobs(self) -> Iterator[Descriptor]:
        """Yield every content of the image once: documents and what they refer to, parents first, opaque last."""
        return iter(self._blobs)

    def _opaque(self) -> list[Descriptor]:
        if not self.opaque:
            return []
        other = {item.digest for descriptor, node in self._nodes for item in (descriptor, *_needs(node))}
        found: dict[Digest, Descriptor] = {}
        for _, node in self._nodes:
            for child in node.manifests if isinstance(node, Index) else ():
                if child.digest in self.opaque and child.digest not in other:
                    found.setdefault(child.digest, child)
        return list(found.values())

    def _config(self, manifest: Manifest) -> ImageConfig | None:
        raw = self.documents.get(manifest.config.digest)
        if raw is None or manifest.config.media_type not in media_types.IMAGE_CONFIGS:
            return None
        return parse_image_config(raw, self.limits)


def _needs(node: Manifest | Index) -> tuple[Descriptor, ...]:
    return node.children if isinstance(node, Manifest) else ()
