"""How it is shown which platforms of an image are taken, and why."""

from __future__ import annotations

from collections import defaultdict

from bundler.cli.console import Console
from bundler.content.images import FoundImage, RegistryForm
from bundler.model.listing import first_of
from bundler.packing.planning.plan import PackPlan, PlannedImage
from bundler.packing.planning.platforms import platform_notes, platforms_of, reason

_MOST_NAMED = 5


def platform_document(image: PlannedImage) -> dict[str, object]:
    """Return what ``plan --json`` says of the platforms of an image."""
    return {
        "platforms": platforms_of(image.found),
        "platforms_listed": _listed(image),
        "platforms_wanted": str(image.platforms),
        "platform_reason": reason(image.platforms) if _listed(image) else "the only one that the image has",
        "left_out": len(image.found.selection.left_out) if isinstance(image.found, RegistryForm) else 0,
        "notes": [*platform_notes(image.found, image.platforms), *_left_out(image.found)],
    }


def platforms_cell(image: PlannedImage) -> str:
    """Return the platforms of an image for a table, and of how many they are."""
    taken, listed = list(dict.fromkeys(platforms_of(image.found))), _listed(image)
    more = f" (of {len(listed)})" if len(listed) > len(taken) else ""
    return (",".join(taken) or "-") + more


def platform_lines(plan: PackPlan) -> list[str]:
    """Return which platforms are taken of images that have several, and why; nothing where none has."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for image in plan.images:
        if _listed(image):
            reasons[reason(image.platforms)].append(image.application)
    lines = [f"platform {why}" for why in reasons]
    if len(reasons) > 1:
        lines = [f"{line} (for {', '.join(dict.fromkeys(reasons[line[9:]]))})" for line in lines]
    if any(image.platforms.is_default for image in plan.images if _listed(image)):
        lines.append("         --platform takes others, or all")
    return lines


def warn_of_platforms(console: Console, plan: PackPlan) -> None:
    """Say what is not just what was wanted, of all images together that it is the same for."""
    said: dict[str, dict[str, None]] = defaultdict(dict)
    for image in plan.images:
        for note in platform_notes(image.found, image.platforms):
            said[note][image.reference.familiar] = None
    for note, names in said.items():
        console.warn(f"{first_of(list(names), _MOST_NAMED)}: {note}")


def _listed(image: PlannedImage) -> list[str]:
    """Return the platforms that an index lists, of which some were chosen; else nothing."""
    if not isinstance(image.found, RegistryForm):
        return []
    if image.platforms.is_all:
        return platforms_of(image.found) if len(platforms_of(image.found)) > 1 else []
    return [str(platform) for platform in image.found.selection.listed]


def _left_out(found: FoundImage) -> tuple[str, ...]:
    return found.left_out if isinstance(found, RegistryForm) else ()
