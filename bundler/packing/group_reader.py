"""Reads what is wanted of a group of images, in one order whichever sources or stores it comes from."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from bundler.content.images import AnticipatingSource, Content, FoundImage, ImageSource
from bundler.errors import DamagedContent
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.listing import first_of
from bundler.packing.planning.groups import Group
from bundler.packing.reuse.proofs import Offer, Proofs
from bundler.packing.reuse.reuse import NO_OFFERS, Offers
from bundler.progress import Task


def read_group(
    group: Group,
    wanted: Collection[Digest],
    task: Task,
    offers: Offers = NO_OFFERS,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Content]:
    """Yield what is wanted of a group by place, each content once: from a store, else from the first source.

    A content of which stores have a blob comes as that blob, a ``ReusedContent``, where the source would have
    given it; if that place is not certain, or the blob is not right, it comes from the source. Each source is
    asked once, for all of its images, and not at all if nothing is wanted of it; only what a store turns out not
    to have may be asked for anew. Their streams are open side by side, and nothing is kept of them. That all came
    is proven from what was wanted, not from the end of what a source gives.

    Raises:
        DamagedContent: a source did not give all, or a store gives no more what it gave a moment ago.
        AirbundleError: a source failed.
    """
    requests = requests_of(group, wanted)
    placed = placed_offers(requests, offers)
    if not placed:
        yield from _merged([_Reading(request, request.wanted, task) for request in requests])
        return
    reused = {offer.digest for offer in placed}
    with Proofs(placed, limits) as proofs:
        readings = [_Reading(request, request.wanted - reused, task) for request in requests]
        for reading in readings:
            # An engine begins to prepare what is asked of it only now, while the blobs are proven.
            reading.begin()
        if not any(reading.wanted for reading in readings):
            task.describe("checking what is reused")
        right = proofs.wait()
    for number, reading in enumerate(readings):
        if failed := reading.request.wanted & (reused - right.keys()):
            reading.close()
            readings[number] = _Reading(reading.request, reading.wanted | failed, task)
    contents = sorted(right.values(), key=lambda content: content.place)
    yield from _merged([_closing(contents), *readings])


def expect_group(group: Group, wanted: Collection[Digest], offers: Offers = NO_OFFERS) -> None:
    """Tell the sources of a group what :func:`read_group` will ask them for with the same arguments."""
    requests = requests_of(group, wanted)
    reused = {offer.digest for offer in placed_offers(requests, offers)}
    for request in requests:
        if isinstance(request.source, AnticipatingSource) and (left := request.wanted - reused):
            request.source.expect(request.images, left)


@dataclass(frozen=True)
class Request:
    """What one source is asked for: its images of the group, and what is wanted of them from it."""

    source: ImageSource
    images: tuple[FoundImage, ...]
    wanted: frozenset[Digest]


def requests_of(group: Group, wanted: Collection[Digest]) -> list[Request]:
    """Return what each source of a group would be asked for: of what several have, the first."""
    left, requests = frozenset(wanted), []
    for source in {id(image.source): image.source for image in group}.values():
        images = tuple(image.found for image in group if image.source is source)
        given = left.intersection(digest for image in images for digest in image.digests)
        left -= given
        requests.append(Request(source, images, given))
    return requests


def placed_offers(requests: Sequence[Request], offers: Offers) -> list[Offer]:
    """Return those offers whose place among what the sources give is certain."""
    result = []
    for request in requests:
        usable = request.wanted & offers.held.keys()
        places = request.source.places(request.images, offers.configs) if usable else {}
        result += [
            Offer(digest, places[digest], offers.held[digest], offers.compression)
            for digest in sorted(usable)
            if digest in places
        ]
    return result


class _Reading:
    """The contents of one source, of which the first may be fetched before anybody uses it."""

    def __init__(self, request: Request, wanted: frozenset[Digest], task: Task) -> None:
        self.request = request
        self.wanted = wanted
        self._contents = _complete(request.source, request.images, wanted, task)
        self._first: Iterable[Content] = ()

    def begin(self) -> None:
        """Wait for the first content."""
        self._first = [content for content in [next(self._contents, None)] if content is not None]

    def close(self) -> None:
        """Stop reading."""
        self._contents.close()

    def __iter__(self) -> Iterator[Content]:
        return chain(self._first, self._contents)


def _merged(streams: Sequence[Iterable[Content]]) -> Iterator[Content]:
    return heapq.merge(*streams, key=lambda content: content.place)


def _closing(contents: Iterable[Content]) -> Iterator[Content]:
    for content in contents:
        try:
            yield content
        finally:
            content.stream.close()


def _complete(
    source: ImageSource, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task
) -> Generator[Content, None, None]:
    missing = set(wanted)
    if not missing:
        return
    for content in source.contents(images, wanted, task):
        if content.digest in missing:
            missing.remove(content.digest)
            yield content
    if missing:
        raise DamagedContent(
            f"{names_of(images)}: the source did not give {len(missing)} of the contents, such as {min(missing)}"
        )


def names_of(images: Sequence[FoundImage]) -> str:
    """Return the names of images for people, each once, and only the first ones of many."""
    return first_of(list(dict.fromkeys(image.reference.familiar for image in images)), 3)
