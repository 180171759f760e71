"""Copying a bundle to media and back: what goes where, and then the copy itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.bundle.copying.copying import refuse_overlap
from bundler.bundle.copying.media import medium
from bundler.bundle.copying.media.changing import ChangeMedium, MediaChanger
from bundler.bundle.copying.media.medium import Measure, room_at
from bundler.bundle.copying.media.placement import Placement, further_media, place
from bundler.bundle.copying.media.room import Room
from bundler.bundle.copying.media.travel_order import needed_parts
from bundler.bundle.copying.outcome import CopyOutcome
from bundler.bundle.copying.run import CopyRun
from bundler.bundle.copying.sources import CopySources, open_sources
from bundler.bundle.manifest import Part
from bundler.errors import FileTooLarge, NoSpace, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.sizes import format_size
from bundler.packing.documents.readme import make_readme
from bundler.progress import SILENT, Progress


@dataclass(frozen=True)
class CopyPlan:
    """What a copy will do.

    Attributes:
        sources: what it reads.
        small_files: what lies beside the parts at each destination, by name; without the table of contents.
        parts: that are asked for, in the order in which they travel.
        placement: where they go; parts are left over only with ``span``.
        further_media: how many more media those take, like the first one; ``None`` if they are too large for such.
        span: one place, at which media are changed.
        limits, measure: as they were given.
    """

    sources: CopySources
    small_files: Mapping[str, bytes]
    parts: tuple[Part, ...]
    placement: Placement
    further_media: int | None
    span: bool
    limits: Limits
    measure: Measure


def plan_copy(
    sources: Sequence[Path | str],
    destinations: Sequence[Path | str],
    *,
    applications: Collection[str] = (),
    span: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    measure: Measure | None = None,
) -> CopyPlan:
    """Decide which part goes where; nothing is written.

    Args:
        sources: Directories that together hold one bundle; they may be unfinished copies.
        destinations: Directories; each gets what fits. What lies there already stays there.
        applications: Only these, and what they share with others; all where none is named.
        span: The only destination, or the sources, are places where media are changed.
        limits: Bounds on what is accepted from the sources.
        measure: Says how much room there is at a directory; the file system where it is not given.

    Raises:
        NoSpace: the destinations together are too small, and media are not changed.
        FileTooLarge: they hold no file of a part's size.
        UsageError: directories that contradict each other. NotFound: no such directory or application.
        NotABundle, UnsupportedVersion, IncompleteBundle, DamagedBundle: what is wrong with a source.
    """
    places = [Path(destination) for destination in destinations]
    origins = open_sources([Path(source) for source in sources], limits)
    _check_places(origins, places, span=span)
    if applications:
        # Parity of parts that stay behind mends nothing.
        origins = replace(origins, parity=None)
    parts = needed_parts(origins.manifest, applications)
    parts += origins.parity.files if origins.parity else ()
    small_files = origins.small_files(make_readme(origins.manifest).encode("utf-8"))
    tables = origins.tables(small_files)
    asked = measure or medium.measure
    rooms = [room_at(directory, origins.files, tables, asked) for directory in places]
    _check_sizes(parts, rooms)
    placement = place(parts, rooms)
    further = further_media(placement.left, rooms)
    if placement.left and not span:
        raise _no_space(placement, further)
    return CopyPlan(origins, small_files, tuple(parts), placement, further, span, limits, asked)


def carry_out(
    plan: CopyPlan,
    *,
    read_back: bool = True,
    change_medium: ChangeMedium | None = None,
    progress: Progress = SILENT,
) -> CopyOutcome:
    """Copy as planned. What lies at a destination and is right is kept; what cannot be had is left out and told.

    Args:
        plan: Made a moment ago.
        read_back: Read from the medium what was written.
        change_medium: Where media are changed, is called when another one is needed, and returns when it is there.
        progress: Is told what goes on.

    Raises:
        OutputExists: a destination holds something else, or another run is writing there.
        DiskError: a destination refused; what is there stays, and the same copy again goes on.
    """
    changer = None
    if plan.span and change_medium is not None:
        (directory,) = (share.room.directory for share in plan.placement.shares)
        changer = MediaChanger(
            change_medium,
            plan.sources.manifest,
            plan.sources.files,
            (directory, *plan.sources.directories),
            limits=plan.limits,
            measure=plan.measure,
        )
    run = CopyRun(plan.sources, plan.small_files, read_back=read_back, changer=changer, progress=progress)
    if changer is not None:
        return run.spanning(plan.placement.shares[0], plan.parts, changer)
    return run.to_all(plan.placement)


def copy(
    sources: Sequence[Path | str],
    destinations: Sequence[Path | str],
    *,
    applications: Collection[str] = (),
    read_back: bool = True,
    change_medium: ChangeMedium | None = None,
    limits: Limits = DEFAULT_LIMITS,
    measure: Measure | None = None,
    progress: Progress = SILENT,
) -> CopyOutcome:
    """Copy a bundle, verified and resumable, to media or from them: :func:`plan_copy`, then :func:`carry_out`.

    With ``change_medium`` there is one destination, and media are changed there or at the sources.

    Returns:
        What was done, and what is still missing or bad: look at ``is_complete``.

    Raises:
        As the two.
    """
    plan = plan_copy(
        sources,
        destinations,
        applications=applications,
        span=change_medium is not None,
        limits=limits,
        measure=measure,
    )
    return carry_out(plan, read_back=read_back, change_medium=change_medium, progress=progress)


def _check_places(sources: CopySources, places: Sequence[Path], *, span: bool) -> None:
    if not places:
        raise UsageError("no destination is named")
    if span and len(places) > 1:
        raise UsageError("media are changed at one destination, and several are named", advice="Leave out --to.")
    known: dict[Path, Path] = {}
    for directory in places:
        refuse_overlap(sources.directories, directory)
        other = known.setdefault(directory.resolve(), directory)
        if other is not directory:
            raise UsageError(f"{directory} is named twice as a destination")


def _check_sizes(parts: Sequence[Part], rooms: Sequence[Room]) -> None:
    for part in parts:
        if not any(room.may_hold(part) for room in rooms):
            raise FileTooLarge(
                f"{rooms[0].directory} is a FAT file system, which holds no file of {format_size(part.size)}: "
                f"{part.file}"
            )


def _no_space(placement: Placement, further: int | None) -> NoSpace:
    rooms = [share.room for share in placement.shares]
    lacking = sum(part.size for part in placement.left)
    free = sum({room.volume.device: room.volume.free for room in rooms}.values())
    needed = sum(share.needed for share in placement.shares) + lacking
    names = ", ".join(str(room.directory) for room in rooms)
    message = (
        f"{len(placement.left)} parts, {format_size(lacking)}, find no room at {names}: "
        f"{format_size(needed)} are needed, {format_size(free)} are free"
    )
    if further is None:
        largest = max(placement.left, key=lambda part: part.size)
        advice = f"Bring a medium with room for {format_size(largest.size)}, or pack with a smaller --part-size."
    else:
        media = "one more medium" if further == 1 else f"{further} more media"
        advice = f"Name {media} of this size with --to, or change media at one place with --span."
    return NoSpace(message, advice=advice)
