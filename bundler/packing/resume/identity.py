"""What a pack is: everything that decides its bytes. Only the same pack may go on where one was cut."""

from __future__ import annotations

from collections.abc import Mapping

from bundler.bundle.manifest import BundleManifest
from bundler.content.compression import Encoder
from bundler.content.images import FoundImage, RegistryForm
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan

#: Names of properties, as a user would call them, and their values.
Identity = Mapping[str, str]


def identity_of(plan: PackPlan, options: PackOptions) -> Identity:
    """Describe a pack. Equal descriptions mean equal bytes; what differs can be said."""
    images = {
        f"the image {image.reference.familiar} in the application {image.application}": _content(image.found)
        for image in plan.images
    }
    return {
        "the name": bundle_name(plan, options),
        "the version": options.version,
        "the part size": str(options.part_bytes),
        "the block size": str(options.block_bytes),
        "the compression": _recipe(options.encoder),
        **images,
    }


def bundle_name(plan: PackPlan, options: PackOptions) -> str:
    """Return the name that the bundle gets: the one that was asked for, or its applications, joined."""
    return options.name or "-".join(plan.applications)


def differences(before: Identity, now: Identity) -> list[str]:
    """Say in words what one pack has otherwise than another; nothing if they are the same."""
    return [
        f"{what} is {now.get(what, 'not there')}, it was {before.get(what, 'not there')}"
        for what in sorted({*before, *now})
        if before.get(what) != now.get(what)
    ]


def is_the_bundle(manifest: BundleManifest, plan: PackPlan, options: PackOptions) -> bool:
    """Tell whether a finished bundle is what this pack would make, as far as its table of contents shows."""
    made = {
        (application.name, image.reference): image.descriptor.digest
        if image.digest_preserved
        else next(iter(image.image_ids), None)
        for application in manifest.applications
        for image in application.images
    }
    planned = {
        (image.application, str(image.reference)): image.found.tree.root.digest
        if isinstance(image.found, RegistryForm)
        else image.found.config_digest
        for image in plan.images
    }
    encoders = {blob.encoder for blob in manifest.blobs if blob.encoder is not None}
    return (
        made == planned
        and encoders <= {options.encoder}
        and (manifest.name, manifest.version) == (bundle_name(plan, options), options.version)
        and (manifest.part_bytes, manifest.block_bytes) == (options.part_bytes, options.block_bytes)
    )


def _content(found: FoundImage) -> str:
    # Layers are part of what the config's digest covers.
    return found.tree.root.digest if isinstance(found, RegistryForm) else found.config_digest


def _recipe(encoder: Encoder) -> str:
    return f"{encoder.algorithm} {encoder.level} by {encoder.library} {encoder.version}"
