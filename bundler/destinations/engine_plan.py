"""Decides what an engine needs of an image and in which form; asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from bundler.content.chain_ids import chain_ids
from bundler.content.images import OutgoingImage
from bundler.errors import NoSuchPlatform, NotFound, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.emulation import foreign_words
from bundler.model.image import PlatformImage
from bundler.transports.docker_archive_writer import ArchiveImage, ArchiveLayer
from bundler.transports.engine import EngineImage, EngineInfo


@dataclass(frozen=True)
class LoadPlan:
    """What is sent, and by what the result is known.

    Attributes:
        archive: the image as it is written for the engine.
        registry_form: whether manifests and all platforms are sent.
        ids: by which the engine may know the image afterwards, the likeliest first.
        diff_ids: that the engine must report; ``()`` where it runs nothing of this, and reports none or others.
        manifests: of all platforms and artifacts that are sent.
        platforms: how many of these are images that something runs, or all where none is.
        notes: warnings for the user.
        details: what only those want to know who ask for more.
    """

    archive: ArchiveImage
    registry_form: bool
    ids: tuple[Digest, ...]
    diff_ids: tuple[Digest, ...]
    manifests: frozenset[Digest]
    platforms: int
    notes: tuple[str, ...]
    details: tuple[str, ...] = ()

    def is_met_by(self, found: EngineImage | None) -> bool:
        """Tell whether what the engine has is this image: ID in the sense of either store, and the layers."""
        return (
            found is not None and found.id in self.ids and (not self.diff_ids or found.diff_ids == self.diff_ids)
        )


def plan_load(image: OutgoingImage, info: EngineInfo) -> LoadPlan:
    """Choose the platform and the names. All layers are planned as they are; see ``choose_layers``.

    Raises:
        NoSuchPlatform: several platforms are there, and none that the engine runs.
        UsageError: a classic store cannot hold what is no image, such as an artifact.
    """
    chosen, registry_form = _choose(image, info), info.store == "containerd"
    manifests = {node.descriptor.digest for node in image.tree.platform_images()}
    runnable = sum(node.platform.is_known for node in image.tree.platform_images())
    layers = _layers(chosen) if chosen else ()
    referrers = image.referrers if registry_form else ()
    archive = ArchiveImage(image.reference.tagged, image.tree, chosen, layers, referrers)
    ids: tuple[Digest, ...] = (chosen.descriptor.digest, chosen.image_id) if chosen else ()
    ids = (image.tree.root.digest, *ids) if registry_form else ids[1:]
    notes, diff_ids = [], chosen.config.diff_ids if chosen and chosen.config else ()
    if image.reference.tagged is None:
        notes.append(f"{image.reference} has no tag; the engine knows the image by its ID only")
    if chosen is not None and not chosen.platform.runs_on(info.platform):
        notes.append(foreign_words(chosen.platform, info.platform, "the engine") or "")
        # Of an image for others a containerd store may report nothing but the ID.
        diff_ids = () if registry_form else diff_ids
    details: tuple[str, ...] = ()
    if image.referrers and not registry_form:
        details = (f"this engine's store keeps no manifests: {len(image.referrers)} referrers were left out",)
    return LoadPlan(
        archive,
        registry_form,
        ids,
        diff_ids,
        frozenset(manifests),
        runnable or len(manifests),
        tuple(notes),
        details,
    )


def choose_layers(
    plan: LoadPlan,
    info: EngineInfo,
    present: Collection[Digest],
    plain_size: Callable[[Descriptor], int],
) -> tuple[ArchiveLayer, ...]:
    """Choose the form of each layer for a classic store.

    Left out are the layers from the bottom up to the highest one that the engine has with all below it: it
    never opens their files. The same layer higher in the stack it does open.

    Args:
        plan: Of the image.
        info: What the engine reads.
        present: ChainIDs of the engine's layers; empty where nothing may be left out.
        plain_size: Finds the uncompressed bytes of a layer that must be decompressed for the engine.
    """
    chains = chain_ids(plan.diff_ids)
    have = max((place for place, chain in enumerate(chains, 1) if chain in present), default=0)
    result = []
    for place, layer in enumerate(plan.archive.layers):
        if place < have:
            result.append(ArchiveLayer(layer.blob, layer.diff_id, "omitted"))
        elif not info.reads_zstd and media_types.layer_compression(layer.blob.media_type) == "zstd":
            result.append(ArchiveLayer(layer.blob, layer.diff_id, "plain", plain_size(layer.blob)))
        else:
            result.append(layer)
    return tuple(result)


def _choose(image: OutgoingImage, info: EngineInfo) -> PlatformImage | None:
    known = {one.platform for one in image.tree.platform_images() if one.platform.is_known}
    if not known and info.store == "containerd":
        return None
    try:
        chosen = image.tree.select(info.platform)
    except NotFound as error:
        held = ", ".join(sorted(map(str, known))) or "none that runs"
        raise NoSuchPlatform(
            f"{image.reference} has nothing for the engine, which runs {info.platform}; it has: {held}",
            advice=f"Pack it again with --platform {info.platform}, or load it where one of these runs.",
        ) from error
    if chosen.config is None or len(chosen.config.diff_ids) != len(chosen.manifest.layers):
        if info.store == "containerd":
            return None
        raise UsageError(
            f"{image.reference} is no container image, which is all that this engine can hold",
            advice="Leave it out with --image, or push it to a registry.",
        )
    return chosen


def _layers(chosen: PlatformImage) -> tuple[ArchiveLayer, ...]:
    return tuple(ArchiveLayer(blob, diff_id) for blob, diff_id in chosen.layers() if diff_id is not None)
