"""The tags of a repository (distribution-spec, "Listing Tags")."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import msgspec

from bundler.content.streams import read_all
from bundler.errors import InvalidReference, MalformedDocument, ProtocolError
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import beyond
from bundler.model.reference import Reference
from bundler.transports.registry.client import Repository
from bundler.transports.registry.wire import Answer
from bundler.transports.registry.words import clean

_PAGE = 1_000
# RFC 8288, as far as registries write it: one link, its target between angle brackets, its relation behind.
_NEXT = re.compile(r'<([^<>]{1,2000})>[^,]*;\s*rel="?next"?', re.ASCII | re.IGNORECASE)


class _Tags(msgspec.Struct):
    tags: tuple[str, ...] | None = None


def list_tags(repository: Repository) -> tuple[str, ...]:
    """Return all tags, page by page, each once, in the registry's order; what is no tag is left out.

    Raises:
        NotFound: there is no such repository.
        LimitExceeded: it has more tags than ``Limits.tags``, or gives more pages than ``Limits.tag_pages``.
        ProtocolError: an answer is no list of tags, or the next page is none of this list or was there already.
        Unauthorised, Refused, Unreachable: the registry.
    """
    limits = repository.limits
    found: dict[str, None] = {}
    target: str | None = repository.path(f"tags/list?n={_PAGE}")
    asked: set[str] = set()
    while target is not None:
        if target in asked:
            raise ProtocolError(f"{repository}: the pages of its tags lead in a circle")
        asked.add(target)
        if len(asked) > limits.tag_pages:
            raise beyond(limits.tag_pages, f"{repository} gives its tags in more and more pages")
        tags, target = repository.ask(
            "GET", target, lambda answer: _page(repository, answer), expected=(200,), what="listing tags"
        )
        found.update((tag, None) for tag in tags if _is_tag(tag))
        if len(found) > limits.tags:
            raise beyond(limits.tags, f"{repository} has {len(found)} tags")
    return tuple(found)


def _page(repository: Repository, answer: Answer) -> tuple[tuple[str, ...], str | None]:
    limits = repository.limits
    try:
        raw = read_all(answer, limits.table_bytes, f"the tags of {repository}")
        value = parse_json(raw, "the list of tags", limit=limits.table_bytes, limits=limits)
        tags = convert(value, _Tags, "the list of tags").tags or ()
    except MalformedDocument as error:
        raise ProtocolError(f"{repository}: {clean(str(error))}") from error
    return tags, _next_page(repository, answer)


def _next_page(repository: Repository, answer: Answer) -> str | None:
    """Return the path and query of the next page. Only its query counts: it is always asked of this registry.

    Behind a proxy a registry may name itself by an inner scheme, host and path.
    """
    match = _NEXT.search(answer.header("Link")[: repository.limits.challenge_chars])
    if match is None:
        return None
    try:
        url = urlsplit(urljoin(answer.url, match[1]))
    except ValueError:
        url = urlsplit("")
    if not url.path.endswith(f"/{repository.name}/tags/list") or not url.query.isprintable():
        raise ProtocolError(f"{repository}: the next page of its tags lies elsewhere: {clean(match[1])}")
    return repository.path(f"tags/list?{url.query}")


def _is_tag(text: str) -> bool:
    try:
        return Reference.parse(f"x.test/x:{text}").tag == text
    except InvalidReference:
        return False
