"""Refusals of the form of an image, whatever the product: compressions and media types that it does not know."""

from __future__ import annotations

from bundler.model import media_types
from bundler.transports.registry.products.refusals import Explanation, Refusal

_REFUSING = (400, 404, 406, 415, 422)
#: What is missing is missing, whatever its form.
_OTHER_REASONS = ("BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "NAME_", "DIGEST_INVALID", "SIZE_INVALID", "TAG_INVALID")


def explain_form(refusal: Refusal) -> Explanation | None:
    """Explain the refusal of a manifest by what is unusual in it; ``None`` if nothing points that way."""
    if not refusal.is_about_a_manifest or refusal.status not in _REFUSING:
        return None
    if any(part in code for code in refusal.answered.codes for part in _OTHER_REASONS):
        return None
    if not (
        refusal.status == 415 or refusal.says("media type", "mediatype", "manifest_invalid", "manifest invalid")
    ):
        return None
    if any(kind.endswith(("+zstd", ".zstd")) for kind in refusal.media_types):
        return Explanation(
            "the image has layers in zstd, which older registries do not take",
            "Pack it again with --compression gzip; layers that came from a registry in zstd stay in zstd, and "
            "have to be built anew with gzip.",
        )
    if refusal.media_types & {media_types.OCI_MANIFEST, media_types.OCI_INDEX}:
        return Explanation(
            "the image is in the OCI form, which very old registries do not take",
            "Have the registry updated.",
        )
    return None
