"""What a pack is: everything that decides its bytes. Only the same pack may go on where one was cut."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from bundler.bundle.manifest import BundleManifest, Image
from bundler.bundle.referrer_rows import ReferrerRow
from bundler.content.compression import Encoder
from bundler.content.hashing import sha256
from bundler.content.images import FoundImage, RegistryForm
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json
from bundler.model.naming.rules import RenameRule
from bundler.model.reference import Reference
from bundler.packing.documents.tables import runnable
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan

#: Names of properties, as a user would call them, and their values.
Identity = Mapping[str, str]


def identity_of(plan: PackPlan, options: PackOptions) -> Identity:
    """Describe a pack. Equal descriptions mean equal bytes; what differs can be said."""
    images = {_label(image.application, image.reference): _content(image.found) for image in plan.images}
    smoke = {_smoke_label(image.application, image.reference): _words(image.smoke) for image in plan.images}
    return {**described_options(plan, options), **images, **_said(smoke)}


def described_options(plan: PackPlan, options: PackOptions) -> Identity:
    """Describe what decides the bytes of a pack besides its images."""
    return {
        "the name": bundle_name(plan, options),
        "the version": options.version,
        "the part size": str(options.part_bytes),
        "the block size": str(options.block_bytes),
        "the compression": _recipe(options.encoder),
        **_renaming(options.rename),
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
    return not differences_from(manifest, plan, options)


def differences_from(manifest: BundleManifest, plan: PackPlan, options: PackOptions) -> list[str]:
    """Say in words what a pack has otherwise than a finished bundle; nothing if it is what this would make."""
    now = identity_of(plan, options)
    encoders = {_recipe(blob.encoder) for blob in manifest.blobs if blob.encoder is not None}
    images = {
        _label(application.name, Reference.parse(image.reference)): _held(image)
        for application in manifest.applications
        for image in application.images
    }
    smoke = {
        _smoke_label(application.name, Reference.parse(image.reference)): _words(image.smoke)
        for application in manifest.applications
        for image in application.images
    }
    before = {
        "the name": manifest.name,
        "the version": manifest.version,
        "the part size": str(manifest.part_bytes),
        "the block size": str(manifest.block_bytes),
        # Nothing shows how layers would have been compressed where none was.
        "the compression": " and ".join(sorted(encoders)) or now["the compression"],
        **_renaming(manifest.rename),
        **images,
        **_said(smoke),
    }
    return differences(before, now)


def _renaming(rules: Sequence[RenameRule]) -> Identity:
    said = f"a list of {len(rules)} rules, {sha256(canonical_json(rules)).short}"
    return {"the renaming": said} if rules else {}


def _label(application: str, reference: Reference) -> str:
    return f"the image {reference.familiar} in the application {application}"


def _smoke_label(application: str, reference: Reference) -> str:
    return f"the smoke test of {reference.familiar} in the application {application}"


def _words(command: Sequence[str]) -> str:
    return json.dumps(list(command), ensure_ascii=False) if command else ""


def _said(descriptions: Identity) -> Identity:
    """Leave out what is not there: what was described before there was such a thing stays the same."""
    return {what: value for what, value in descriptions.items() if value}


def _content(found: FoundImage) -> str:
    # Layers are part of what the config's digest covers.
    if not isinstance(found, RegistryForm):
        return found.config_digest
    taken = [(str(image.platform), image.image_id) for image in runnable(found.tree)]
    whole = _chosen(found.tree.root.digest, taken if found.selection.left_out else [])
    return whole + _referrers(map(ReferrerRow.of, found.referrers))


def _held(image: Image) -> str:
    if not image.digest_preserved:
        return next(iter(image.image_ids), "")
    taken = list(zip(image.platforms, image.image_ids, strict=True))
    return _chosen(image.descriptor.digest, taken if image.left_out else []) + _referrers(image.referrers)


def _chosen(root: Digest, taken: Sequence[tuple[str, Digest]]) -> str:
    """Describe an image of which only some platforms are taken; with none it is whole."""
    names = ", ".join(f"{platform} ({image_id.short})" for platform, image_id in taken)
    return f"{root} for {names}" if names else root


def _referrers(rows: Iterable[ReferrerRow]) -> str:
    """Say what refers to an image, since that travels with it; nothing if there is nothing."""
    said = [f"{row.descriptor.digest.short} of {row.subject.short} {row.tag[-4:]}".rstrip() for row in rows]
    return f" with the referrers {', '.join(said)}" if said else ""


def _recipe(encoder: Encoder) -> str:
    window = f" with a window of 2^{encoder.window_log}" if encoder.window_log else ""
    return f"{encoder.algorithm} {encoder.level}{window} by {encoder.library} {encoder.version}"
