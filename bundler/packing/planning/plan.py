"""What a pack will do, decided before a layer is read: which blob goes into which archive.

Pure: no I/O. A layer is one thing however it is known, so that it is stored once: a layer of an engine's image
(known by its DiffID) is the blob of a registry's image in the same bundle if that has the same DiffID.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from bundler.bundle.names import SHARED, check_application_name
from bundler.content.images import EngineForm, FoundImage, ImageSource, RegistryForm
from bundler.errors import ConfigError
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.media_types import is_readable_layer
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.reference import Reference
from bundler.model.referrers import Referrer


@dataclass(frozen=True)
class PlannedImage:
    """One image of the bundle, the source that it is read from, and the platforms that were asked of it.

    Attributes:
        smoke: command that is to be run in a container of it after the import; none for ``()``.
        rule: what chose its tag, for people; ``""`` where it was named.
    """

    application: str
    found: FoundImage
    source: ImageSource = field(compare=False)
    platforms: PlatformChoice = EVERY_PLATFORM
    smoke: tuple[str, ...] = ()
    rule: str = field(default="", compare=False)

    @property
    def reference(self) -> Reference:
        """The name that the image carries."""
        return self.found.reference


@dataclass(frozen=True)
class PackPlan:
    """All images in the order in which they are packed, and where each content goes.

    A *key* stands for a content before all of it is known: the digest of a blob, the DiffID of a layer that
    will be compressed here, or ``manifest of`` and a config digest for a manifest that will be made here.

    ``notes`` are sentences for whoever reads the plan; the bundle does not depend on them.
    """

    images: tuple[PlannedImage, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def applications(self) -> dict[str, list[PlannedImage]]:
        """The images of each application, both in order."""
        result: dict[str, list[PlannedImage]] = defaultdict(list)
        for image in self.images:
            result[image.application].append(image)
        return dict(result)

    @cached_property
    def substitutes(self) -> dict[Digest, Descriptor]:
        """Blobs of this bundle that hold a layer of a known DiffID, the same ones on every run."""
        result: dict[Digest, Descriptor] = {}
        for image in self.images:
            if isinstance(image.found, RegistryForm):
                for diff_id, layer in layers_of(*image.found.trees):
                    best = result.get(diff_id)
                    if best is None or layer.digest < best.digest:
                        result[diff_id] = layer
        return result

    @cached_property
    def manifests(self) -> frozenset[Digest]:
        """Digests of all manifests and indexes that the images bring; those made here can be nobody's subject."""
        forms = [image.found for image in self.images if isinstance(image.found, RegistryForm)]
        return frozenset(
            descriptor.digest for form in forms for tree in form.trees for descriptor, _ in tree.nodes()
        )

    @property
    def left_out(self) -> list[str]:
        """What refers to an image and cannot be taken, for the user."""
        return [
            f"{image.reference.familiar}: {note}"
            for image in self.images
            if isinstance(image.found, RegistryForm)
            for note in image.found.left_out
        ]

    @cached_property
    def referrers(self) -> dict[Digest, Referrer]:
        """What refers to the images and is taken with them, each once."""
        forms = [image.found for image in self.images if isinstance(image.found, RegistryForm)]
        return {referrer.digest: referrer for form in forms for referrer in form.referrers}

    @cached_property
    def placement(self) -> dict[str, str]:
        """The archive of each key: an application's own, or ``shared`` for what two or more applications use."""
        users: dict[str, set[str]] = defaultdict(set)
        for image in self.images:
            for key in self.keys(image.found):
                users[key].add(image.application)
        return {key: SHARED if len(names) > 1 else next(iter(names)) for key, names in users.items()}

    def keys(self, found: FoundImage) -> list[str]:
        """Return the key of every content of an image, layers first and bottom first."""
        if isinstance(found, RegistryForm):
            return [blob.digest for blob in carried(found)]
        return [
            *(self.layer_key(diff_id) for diff_id in dict.fromkeys(found.diff_ids)),
            found.config_digest,
            manifest_key(found.config_digest),
        ]

    def layer_key(self, diff_id: Digest) -> str:
        """Return the key of an engine's layer."""
        substitute = self.substitutes.get(diff_id)
        return substitute.digest if substitute is not None else diff_id


def make_plan(images: Iterable[PlannedImage], notes: tuple[str, ...] = ()) -> PackPlan:
    """Order the images by application and name, drop those named twice, and refuse contradictions.

    Raises:
        ConfigError: no image at all, a bad application name, one name for two images in an application, or a
            digest in the name of an image that has no manifest.
    """
    chosen: dict[tuple[str, str], PlannedImage] = {}
    for image in images:
        check_application_name(image.application)
        _check_pin(image)
        key = (image.application, str(image.reference))
        earlier = chosen.setdefault(key, image)
        if _identity(earlier.found) != _identity(image.found):
            raise ConfigError(
                f"{image.reference} in the application {image.application} names two different images"
            )
        if not earlier.smoke:
            chosen[key] = replace(earlier, smoke=image.smoke)
        elif image.smoke and earlier.smoke != image.smoke:
            raise ConfigError(
                f"{image.reference} stands in the application {image.application} with two smoke tests"
            )
    if not chosen:
        raise ConfigError("there is nothing to pack", advice="Name at least one image as APP=IMAGE.")
    return PackPlan(tuple(image for _, image in sorted(chosen.items(), key=lambda item: item[0])), notes)


def carried(image: ImageTree | RegistryForm) -> list[Descriptor]:
    """Return what a bundle carries of an image: all of it but layers that only their owner may distribute."""
    return [blob for blob in image.blobs() if not blob.is_withheld]


def layers_of(*trees: ImageTree) -> list[tuple[Digest, Descriptor]]:
    """Return DiffID and descriptor of every layer that a bundle carries and can read, of every platform."""
    return [
        (diff_id, layer)
        for tree in trees
        for image in tree.platform_images()
        for layer, diff_id in image.layers()
        if diff_id is not None and is_readable_layer(layer.media_type) and not layer.is_withheld
    ]


def manifest_key(config_digest: Digest) -> str:
    """Return the key of a manifest that is made here."""
    return f"manifest of {config_digest}"


def _check_pin(image: PlannedImage) -> None:
    """Refuse to promise a digest that cannot be kept: the manifest that it names is not in the source."""
    if isinstance(image.found, EngineForm) and image.reference.digest is not None:
        raise ConfigError(
            f"{image.reference.familiar}: this source keeps no manifests, so the digest would be lost",
            advice="Name the image by its tag, or take it from its registry as docker://NAME@DIGEST.",
        )


def _identity(found: FoundImage) -> object:
    if isinstance(found, RegistryForm):
        # Of one index different platforms may be there.
        return (found.tree.root.digest, found.selection.left_out)
    return (found.config_digest, found.diff_ids)
