"""Nexus Repository: one of its repositories answers at a port, at a subdomain, or as first part of the path."""

from __future__ import annotations

from bundler.transports.registry.products.refusals import Explanation, Refusal


def explain(refusal: Refusal) -> Explanation | None:
    """Explain what Nexus refused."""
    if refusal.says("does not allow updating", "cannot be updated"):
        return Explanation(
            f"its deployment policy forbids to move {_tag(refusal)}: redeploying is disabled",
            "Push under another tag, or have redeploying allowed in the repository's deployment policy.",
        )
    if refusal.says("deploying to groups"):
        return Explanation(
            "a group repository was asked, and groups take pushes only in the Pro edition",
            "Push to a hosted repository: to its own port or subdomain, or with its name as first part.",
        )
    if refusal.says("read-only", "read only"):
        return Explanation("a repository or the whole Nexus is read-only", "See its deployment policy and state.")
    if refusal.status == 411:
        return Explanation(
            "it wants to know each length before, and a proxy on the way took it out of the request",
            "Have the proxy before it pass requests on unbuffered and with their Content-Length.",
        )
    if not refusal.is_about_rights:
        return None
    return Explanation(
        f"of {refusal.repository} the first part, {refusal.first}, is the name of a Nexus repository if it is "
        "reached by path; one with a port or subdomain of its own has no such part",
        "Check the name of the hosted repository and that path-based routing is on in it; or use its own port. "
        "The account needs the privileges to browse, read, add and edit there.",
    )


def _tag(refusal: Refusal) -> str:
    return f"the tag {refusal.tag}" if refusal.tag else "what is there"
