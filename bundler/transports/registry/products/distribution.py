"""distribution, Docker's own registry, and what is built on it without rules of its own: any path."""

from __future__ import annotations

from bundler.transports.registry.products.refusals import Explanation, Refusal


def explain(refusal: Refusal) -> Explanation | None:
    """Explain what distribution refused."""
    if refusal.writing and refusal.status == 405:
        return Explanation(
            "it is read-only: in maintenance, or a mirror of another registry (`proxy.remoteurl`)",
            "Push to another registry, or have its administrator end the read-only mode.",
        )
    if refusal.status != 403 and not refusal.lacks_scope:
        return None
    return Explanation(
        f"no rule lets this account {'push to' if refusal.writing else 'pull from'} {refusal.repository}",
        "Log in as one that has this right.",
    )
