"""Reads what is wanted of a group of images, in one order whichever sources they come from."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence

from bundler.content.images import Content, FoundImage, ImageSource
from bundler.errors import DamagedContent
from bundler.model.digest import Digest
from bundler.packing.planning.groups import Group
from bundler.progress import Task


def read_group(group: Group, wanted: Collection[Digest], task: Task) -> Iterator[Content]:
    """Yield what is wanted of a group by place, each content once: from the first source that has it.

    Each source is asked once, for all of its images; their streams are open side by side, and nothing is kept of
    them. That all came is proven from what was wanted, not from the end of what a source gives.

    Raises:
        DamagedContent: a source did not give all.
        AirbundleError: a source failed.
    """
    left, streams = set(wanted), []
    for source in {id(image.source): image.source for image in group}.values():
        images = [image.found for image in group if image.source is source]
        given = left.intersection(digest for image in images for digest in image.digests)
        left -= given
        streams.append(_complete(source, images, given, task))
    return heapq.merge(*streams, key=lambda content: content.place)


def _complete(
    source: ImageSource, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task
) -> Iterator[Content]:
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
    names = list(dict.fromkeys(image.reference.familiar for image in images))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
