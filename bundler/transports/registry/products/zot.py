"""zot: any path; images in Docker's own form only where it was told to take them."""

from __future__ import annotations

from bundler.transports.registry.products.refusals import Explanation, Refusal


def explain(refusal: Refusal) -> Explanation | None:
    """Explain what zot refused."""
    docker = any("vnd.docker." in media_type for media_type in refusal.media_types)
    if docker and refusal.is_about_a_manifest and refusal.status in (400, 415):
        return Explanation(
            "the image is in Docker's own form, which zot takes only where it is told to: its digest would change "
            "if it were turned into the OCI form",
            'Have "compat": ["docker2s2"] set in the "http" section of zot\'s configuration.',
        )
    if refusal.says("quota", "too large"):
        return Explanation("a bound of its storage is reached", "See the limits in zot's configuration.")
    if refusal.status != 403:
        return None
    action, rights = ("push to", '"read", "create" and "update"') if refusal.writing else ("pull from", '"read"')
    return Explanation(
        f"no rule of its access control lets this account {action} {refusal.repository}",
        f'Have a pattern for {refusal.repository} with {rights} for this account put under "accessControl".',
    )
