"""GitLab: ``GROUP/…/PROJECT``, and at most two names more below the project."""

from __future__ import annotations

from bundler.transports.registry.products.refusals import Explanation, Refusal

_MOST_BELOW = 2


def explain(refusal: Refusal) -> Explanation | None:
    """Explain what GitLab refused."""
    if not refusal.is_about_rights:
        return None
    nearest = "/".join(refusal.parts[:-_MOST_BELOW]) if len(refusal.parts) > _MOST_BELOW + 1 else ""
    deep = f": {nearest} or something below it has to be a project" if nearest else ""
    return Explanation(
        f"{refusal.repository} must begin with the path of a project that exists, with at most {_MOST_BELOW} "
        f"names behind it{deep}; its tokens come without rights where it does not, or where this "
        f"account may not {'push' if refusal.writing else 'pull'}",
        "Push to REGISTRY/GROUP/PROJECT, with --flatten or a rename rule if names are deeper. The project needs "
        "its container registry switched on, and the token the scopes read_registry and write_registry.",
    )
