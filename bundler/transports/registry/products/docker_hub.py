"""Docker Hub: ``NAMESPACE/NAME``, never more; the first push makes the repository."""

from __future__ import annotations

from bundler.transports.registry.products.refusals import Explanation, Refusal

_PARTS = 2


def explain(refusal: Refusal) -> Explanation | None:
    """Explain what Docker Hub refused."""
    if len(refusal.parts) != _PARTS:
        return Explanation(
            f"names have two parts there, NAMESPACE/NAME, and {refusal.repository} has {len(refusal.parts)}",
            "Use --flatten or a rename rule.",
        )
    if refusal.says("immutable") or (refusal.is_about_a_manifest and refusal.status == 403):
        return Explanation(
            f"the tag {refusal.tag} may be immutable in the settings of {refusal.repository}",
            "Push under another tag, or change the repository's settings.",
        )
    if not refusal.is_about_rights:
        return None
    if not refusal.writing:
        return Explanation(
            f"{refusal.repository} is not there, or is private and this account may not read it",
            "Check the name; run `docker login` if it is private.",
        )
    private = ", or its limit of private repositories is reached" if refusal.status == 403 else ""
    return Explanation(
        f"of {refusal.repository} the first part, {refusal.first}, is the namespace: a user or organization. "
        f"This account may not push into it, or its access token is for reading only{private}",
        f"Log in as {refusal.first} or a member of it, with an access token for reading and writing; "
        "the repository is made by the first push.",
    )
