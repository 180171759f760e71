"""Images that an engine saves in two requests beside one another."""

from __future__ import annotations

from collections.abc import Sequence

from bundler.content.images import EngineForm


def in_halves(forms: Sequence[EngineForm]) -> tuple[tuple[EngineForm, ...], ...]:
    """Return distinct images in two lists of about as many bytes, or in one if there is one image only.

    Each goes where less lies so far of what it does not share: an image is counted without layers that its half
    has already. How large a layer is an engine does not say; each counts as an equal share of its image.
    """
    distinct = {form.config_digest: form for form in forms}
    halves: tuple[list[EngineForm], list[EngineForm]] = ([], [])
    sizes = [0.0, 0.0]
    for form in sorted(distinct.values(), key=lambda form: (-(form.size or 0), form.config_digest)):
        costs = [_cost(form, half) for half in halves]
        number = min((0, 1), key=lambda number: sizes[number] + costs[number])
        halves[number].append(form)
        sizes[number] += costs[number]
    return tuple(tuple(half) for half in halves if half)


def _cost(form: EngineForm, half: Sequence[EngineForm]) -> float:
    """Return about how many bytes an image adds to a half."""
    there = {diff_id for other in half for diff_id in other.diff_ids}
    new = sum(diff_id not in there for diff_id in form.diff_ids)
    return (form.size or 0) * new / max(len(form.diff_ids), 1)
