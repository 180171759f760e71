"""Quay: ``NAMESPACE/REPOSITORY``; more parts only where its administrator allows them."""

from __future__ import annotations

from bundler.transports.registry.products.refusals import Explanation, Refusal


def explain(refusal: Refusal) -> Explanation | None:
    """Explain what Quay refused."""
    namespace = refusal.first
    if refusal.says("NAME_INVALID", "nested repositories"):
        return Explanation(
            f"names have two parts there, NAMESPACE/REPOSITORY, and {refusal.repository} has {len(refusal.parts)}",
            "Use --flatten or a rename rule; or have FEATURE_EXTENDED_REPOSITORY_NAMES switched on there.",
        )
    if refusal.says("quota"):
        return Explanation(
            f"the storage quota of the namespace {namespace} is exceeded",
            f"Have the quota of {namespace} raised, or images deleted there; then run the command again.",
        )
    if refusal.says("read-only"):
        return Explanation("it is read-only at the moment", "Run the same command again later.")
    if refusal.says("TAG_ALREADY_EXISTS", "immutable"):
        return Explanation(
            f"the tag {refusal.tag} exists and is not to be moved",
            "Push under another tag, or keep what is there with --on-existing-tag skip.",
        )
    if refusal.says("has been disabled", "namespace is disabled"):
        return Explanation(f"the namespace {namespace} is disabled", "Ask its administrator.")
    if not refusal.is_about_rights:
        return None
    return Explanation(
        f"of {refusal.repository} the first part, {namespace}, is the namespace: an organization or a user. It "
        "is not there, or this account may not "
        + ("write or create repositories in it" if refusal.writing else "read it"),
        f"Have {namespace} created, and this account given the right to create repositories in it: they are made "
        f"by the first push. Robots are named {namespace}+NAME, and need a team with that right.",
    )
