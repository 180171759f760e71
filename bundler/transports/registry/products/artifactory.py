"""Artifactory: ``REPOSITORY_KEY/IMAGE`` by path; or the key is in the host name, or stands for a port."""

from __future__ import annotations

from bundler.transports.registry.products.refusals import Explanation, Refusal


def explain(refusal: Refusal) -> Explanation | None:
    """Explain what Artifactory refused."""
    if _is_overwriting(refusal):
        return Explanation(
            f"the tag {refusal.tag or refusal.repository} exists, and this account may not replace it: "
            "Artifactory wants the permission Delete/Overwrite for that",
            "Push under another tag, or have this account given Delete/Overwrite for the repository.",
        )
    if refusal.status == 409 or refusal.says("rejected the", "deploying to"):
        return Explanation(
            f"the repository {refusal.first} does not take this image: it may be a remote one, a virtual one "
            "without a default deployment repository, or have patterns that leave it out",
            "Push to a local Docker repository, or to a virtual one with a default deployment repository.",
        )
    if not refusal.is_about_rights:
        return None
    return Explanation(
        f"of {refusal.repository} the first part, {refusal.first}, is the key of a Docker repository, unless that "
        "is in the host name or stands for the port",
        f"Push to HOST/REPOSITORY_KEY; check that {refusal.first} is the key of a local or virtual Docker "
        "repository, and that this account has Deploy/Cache there.",
    )


def _is_overwriting(refusal: Refusal) -> bool:
    if refusal.says("overwrite", "needs DELETE permission"):
        return True
    # Older ones say no more than this, where the tag was there already.
    return refusal.is_about_a_manifest and refusal.says("MANIFEST_INVALID") and refusal.status in (403, 404)
