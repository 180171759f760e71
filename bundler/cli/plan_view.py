"""How a plan is shown. Sizes are measured or said to be unknown; none is guessed."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.names import SHARED
from bundler.bundle.parity.strength import Strength, expected_strength
from bundler.cli.console import Console
from bundler.cli.parity_view import expected_document, least
from bundler.cli.platform_view import platform_document, platform_lines, platforms_cell, warn_of_platforms
from bundler.cli.views import show_table
from bundler.content.free_space import free_bytes
from bundler.content.images import FoundImage, RegistryForm
from bundler.model.sizes import format_size
from bundler.packing.planning.estimate import Estimate, estimate
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, carried
from bundler.packing.reuse.reuse import Reuse
from bundler.packing.reuse.survey import survey


def show_plan(
    console: Console, plan: PackPlan, options: PackOptions, output: Path | None, reuse: Reuse | None = None
) -> None:
    """Print the plan as a JSON document or as a table."""
    size = estimate(plan)
    reusable = survey(plan, options, reuse) if reuse is not None else None
    free = free_bytes(output) if output is not None else None
    parity = _parity(size, options)
    console.document(
        {
            "name": options.name or "-".join(plan.applications),
            "version": options.version,
            "applications": [
                {"name": name, "images": [_image(plan, image) for image in images]}
                for name, images in plan.applications.items()
            ],
            "shared_contents": sum(archive == SHARED for archive in plan.placement.values()),
            "referrers": {"count": len(plan.referrers), "bytes": sum(one.size for one in plan.referrers.values())},
            "known_bytes": size.known_bytes,
            "unpacked_bytes": size.unpacked_bytes,
            "layers_to_compress": size.layers_to_compress,
            "part_bytes": options.part_bytes,
            "free_bytes": free,
            **({"parity": expected_document(parity) if parity else None} if options.parity else {}),
            "notes": list(plan.notes),
            **({"reuse": {"contents": reusable.count, "bytes": reusable.size}} if reusable else {}),
        }
    )
    _show_images(console, plan)
    console.warn_of_all(plan.left_out)
    for line in platform_lines(plan):
        console.line(line)
    warn_of_platforms(console, plan)
    for line in _sizes(plan, size, options):
        console.line(line)
    if reusable is not None:
        console.line(f"reused   {reusable.count} contents, {format_size(reusable.size)}, need not be read")
    needed = parity.geometry.parity_bytes if parity else 0
    if options.parity is not None:
        how = "about" if size.is_exact else "at most about"
        known = f"{how} {format_size(needed)}{least(parity.geometry)}" if parity else "unknown until packed"
        console.line(f"parity   {known}")
    if parity:
        console.line(f"mends    {parity.words}")
    if free is not None:
        verdict = "enough" if free > (size.input_bytes or 0) + needed else "less than the upper bound"
        if free < size.known_bytes:
            verdict = "not enough"
        console.line(f"space    {format_size(free)} free at {output}: {verdict}")
    for note in plan.notes:
        console.line(f"note     {note}")


def _show_images(console: Console, plan: PackPlan) -> None:
    rows = [("APPLICATION", "IMAGE", "FROM", "PLATFORMS", "SIZE")]
    for image in plan.images:
        rows.append(
            (
                image.application,
                image.reference.familiar,
                _origin(image),
                platforms_cell(image),
                _size(image),
            )
        )
    show_table(console, rows)
    for image in plan.images:
        if image.rule:
            console.line(f"chosen   {image.reference.familiar} by {image.rule}")
    console.line()


def _origin(image: PlannedImage) -> str:
    kind = _SOURCES.get(image.source.kind, image.source.kind)
    at = image.found.found_at if isinstance(image.found, RegistryForm) else ""
    return f"{kind}: {at}" if at else kind


_SOURCES = {"docker": "engine or its archive", "oci": "OCI layout", "registry": "registry", "bundle": "bundle"}


def _sizes(plan: PackPlan, size: Estimate, options: PackOptions) -> list[str]:
    shared = sum(archive == SHARED for archive in plan.placement.values())
    lines = [f"shared   {shared} contents are used by two or more applications and stored once"]
    if plan.referrers:
        total = format_size(sum(referrer.size for referrer in plan.referrers.values()))
        lines.append(f"with     {len(plan.referrers)} referrers (signatures, attestations, SBOMs), {total} of it")
    if size.is_exact:
        lines.append(f"size     {format_size(size.known_bytes)} and the tables")
    else:
        unpacked = "unknown" if size.unpacked_bytes is None else f"at most {format_size(size.unpacked_bytes)}"
        lines.append(f"size     {format_size(size.known_bytes)} taken as they are; unknown until packed:")
        lines.append(f"         {size.layers_to_compress} layers to compress, now {unpacked}")
    if not options.part_bytes:
        lines.append("parts    not cut")
    elif size.is_exact:
        count = -(-size.known_bytes // options.part_bytes)
        lines.append(f"parts    {format_size(options.part_bytes)} each, about {count}")
    else:
        lines.append(f"parts    {format_size(options.part_bytes)} each; how many is unknown until packed")
    return lines


def _parity(size: Estimate, options: PackOptions) -> Strength | None:
    """Return what parity would mend; ``None`` if none is wished for, or the size of the bundle is not known."""
    if options.parity is None or not size.input_bytes:
        return None
    total = size.input_bytes
    part = min(options.part_bytes or total, total)
    geometry = options.parity.geometry(total, options.block_bytes, part)
    return expected_strength(geometry, [part] * -(-total // part))


def _image(plan: PackPlan, image: PlannedImage) -> dict[str, object]:
    found = image.found
    return {
        "reference": str(image.reference),
        "source": image.source.kind,
        **({"found_at": found.found_at} if isinstance(found, RegistryForm) and found.found_at else {}),
        "digest_preserved": isinstance(found, RegistryForm),
        "digest": found.tree.root.digest if isinstance(found, RegistryForm) else None,
        **platform_document(image),
        "size": sum(blob.size for blob in carried(found)) if isinstance(found, RegistryForm) else None,
        "unpacked_size": None if isinstance(found, RegistryForm) else found.size,
        "shared_contents": sum(plan.placement[key] == SHARED for key in plan.keys(found)),
        "referrers": _referrers(found),
        **({"chosen_by": image.rule} if image.rule else {}),
        **({"smoke": list(image.smoke)} if image.smoke else {}),
    }


def _referrers(found: FoundImage) -> list[dict[str, object]]:
    return [
        {
            "digest": one.digest,
            "subject": one.subject,
            "tag": one.tag or None,
            "kind": one.kind,
            "size": one.size,
        }
        for one in (found.referrers if isinstance(found, RegistryForm) else ())
    ]


def _size(image: PlannedImage) -> str:
    if isinstance(image.found, RegistryForm):
        return format_size(sum(blob.size for blob in carried(image.found)))
    unpacked = image.found.size
    return "unknown until packed" + (f" (now {format_size(unpacked)})" if unpacked is not None else "")
