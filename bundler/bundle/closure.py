"""Check 6: what bundle.json says of an image is what the image's own documents say."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.bundle.manifest import Image
from bundler.bundle.reader import Bundle
from bundler.content.images import OutgoingImage, distinct_blobs
from bundler.errors import AirbundleError, DamagedBundle, DiskError, IncompleteBundle
from bundler.model.digest import Digest
from bundler.model.image import ImageTree, PlatformImage
from bundler.model.manifest import Index
from bundler.model.media_types import is_readable_layer


@dataclass(frozen=True)
class Disagreement:
    """How the table and the documents of an image differ: a stable code, and both sides."""

    code: str
    expected: str
    found: str


def check_closure(bundle: Bundle, image: Image) -> Disagreement | None:
    """Compare an image's row with its documents; return the first difference.

    ``None`` also where a document lies in a part that is missing or damaged: checks 3 and 4 say so.
    """
    try:
        return _compare(bundle, image, bundle.outgoing(image))
    except (IncompleteBundle, DamagedBundle, DiskError):
        return None
    except AirbundleError as error:
        return Disagreement("broken-image", "documents that follow the specification", str(error))


def _compare(bundle: Bundle, image: Image, outgoing: OutgoingImage) -> Disagreement | None:
    tree = outgoing.tree
    carried = [blob for blob in distinct_blobs(outgoing.trees) if not blob.is_withheld]
    needed = {blob.digest for blob in carried}
    if missing := needed - set(image.blobs):
        return Disagreement("not-in-bundle", min(missing), "no such blob")
    if extra := set(image.blobs) - needed:
        return Disagreement("not-in-image", "no such blob", min(extra))
    if image.left_out and (wrong := _not_as_left_out(image, tree)):
        return wrong
    rows = bundle.manifest.blob_by_digest
    for blob in carried:
        if rows[blob.digest].size != blob.size:
            sizes = f"{blob.digest} has {blob.size} bytes", f"{rows[blob.digest].size} bytes in bundle.json"
            return Disagreement("broken-image", *sizes)
    known = sorted((str(one.platform), one.image_id) for one in _runnable(tree))
    said = sorted(zip(image.platforms, image.image_ids, strict=True))
    if said != known:
        # Whoever loads the image asks the engine for these afterwards.
        return Disagreement("broken-image", _ids(known), f"{_ids(said)} in bundle.json")
    # Check 8 compares a layer with its row; only here the row is compared with the image's config.
    for platform_image in (one for each in outgoing.trees for one in each.platform_images()):
        for layer, diff_id in platform_image.layers():
            row = rows.get(layer.digest)
            if row and diff_id and is_readable_layer(layer.media_type) and row.diff_id != diff_id:
                return Disagreement("broken-image", f"{layer.digest} holds {diff_id}", f"it holds {row.diff_id}")
    return _wrong_referrer(outgoing)


def _wrong_referrer(outgoing: OutgoingImage) -> Disagreement | None:
    """Find a referrer that does not refer to what it should; cosign's older form says it by its tag alone."""
    for referrer in outgoing.referrers:
        if not referrer.tag and not referrer.is_listed:
            said = referrer.node.subject
            found = f"it refers to {said.digest}" if said else "it refers to nothing"
            return Disagreement("broken-image", f"{referrer.digest} refers to {referrer.subject}", found)
    return None


def _not_as_left_out(image: Image, tree: ImageTree) -> Disagreement | None:
    """Compare what a row says was left out on purpose with what the indexes list and is not there."""
    listed = {child.digest for _, node in tree.nodes() if isinstance(node, Index) for child in node.manifests}
    absent, said = listed - set(image.blobs), set(image.left_out)
    if missing := absent - said:
        return Disagreement("not-in-bundle", min(missing), "neither there nor left out on purpose")
    if unknown := said - absent:
        return Disagreement("not-in-image", "no such manifest to leave out", min(unknown))
    return None


def _runnable(tree: ImageTree) -> list[PlatformImage]:
    return [image for image in tree.platform_images() if image.config is not None and image.platform.is_known]


def _ids(platforms: list[tuple[str, Digest]]) -> str:
    return ", ".join(f"{platform} {image_id}" for platform, image_id in platforms) or "no platform"
