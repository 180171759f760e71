"""Referrers at a registry (distribution-spec 1.1, "Listing Referrers", "Referrers Tag Schema"; cosign's tags)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bundler.content.streams import read_all
from bundler.errors import LimitExceeded, MalformedDocument, NotFound, ProtocolError, Refused, ServerFault
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.manifest import Index, parse_manifest
from bundler.model.referrers import cosign_tags, schema_tag
from bundler.transports.registry.client import Repository
from bundler.transports.registry.manifests import fetch_manifest, find_manifest, put_manifest
from bundler.transports.registry.retries import Busy
from bundler.transports.registry.wire import Answer
from bundler.transports.registry.words import clean

# RFC 8288, section 3; a comma inside of the angle brackets belongs to the address.
_LINK = re.compile(r"<([^<>]{0,4096})>([^<>,]{0,1024})", re.ASCII)
_NEXT = re.compile(r""";\s*rel\s*=\s*"?next"?\s*(?:;|$)""", re.ASCII | re.IGNORECASE)
#: How often an index is written that somebody else writes too.
_WRITES = 5


def find_referrers(repository: Repository, subject: Digest) -> tuple[Descriptor, ...]:
    """Return what the registry lists as referring to a manifest: by its API, else by the index under the tag.

    Whether a registry has the API is found out once. Nothing of what it lists was looked at.

    Raises:
        LimitExceeded: it lists too much.
        ProtocolError, DamagedContent: an answer is not what it should be.
        Unreachable, Unauthorised, Refused: the registry.
    """
    client = repository.client
    if client.lists_referrers is not False:
        found = _from_api(repository, subject)
        client.lists_referrers = found is not None
        if found is not None:
            return found
    index = fetch_schema_index(repository, subject)
    return () if index is None else index.entries


def find_cosign_tags(repository: Repository, subject: Digest) -> dict[str, Digest]:
    """Return which of cosign's tags a subject has, and what they stand for: one request for each.

    Raises:
        Unreachable, Refused, ProtocolError: the registry.
    """
    found = ((tag, find_manifest(repository, tag)) for tag in cosign_tags(subject))
    return {tag: digest for tag, digest in found if digest is not None}


@dataclass(frozen=True)
class SchemaIndex:
    """The index of a subject's referrers that clients keep under a tag where the registry keeps none."""

    raw: bytes
    digest: Digest
    entries: tuple[Descriptor, ...]


def fetch_schema_index(repository: Repository, subject: Digest) -> SchemaIndex | None:
    """Return the index under the tag of a subject; ``None`` where there is none, or something else has the tag.

    Raises:
        LimitExceeded: it lists too much.
        DamagedContent, ProtocolError: it is not what it should be.
        Unreachable, Refused: the registry.
    """
    try:
        descriptor, raw = fetch_manifest(repository, schema_tag(subject))
    except NotFound:
        return None
    entries = parse_referrers(raw, repository.limits)
    return None if entries is None else SchemaIndex(raw, descriptor.digest, entries)


def put_in_schema_index(repository: Repository, subject: Digest, wanted: Mapping[Digest, Descriptor]) -> None:
    """Have the index under the tag of a subject list these as well; what is listed stays as it is written.

    Registries have no way to write only what nobody else changed. So it is read right before it is written and
    again afterwards, and written anew where somebody else's version took its place.

    Raises:
        Refused: the registry does not take it; something else has the tag; or others write it all the time.
        Unreachable, ProtocolError, DamagedContent, LimitExceeded: the registry.
    """
    for _ in range(_WRITES):
        index = _own_index(repository, subject)
        listed = {entry.digest for entry in index.entries} if index else set()
        missing = [wanted[digest] for digest in sorted(wanted.keys() - listed)]
        if not missing:
            return
        put_manifest(repository, schema_tag(subject), extended_index(index, missing), media_types.OCI_INDEX)
    raise Refused(f"{repository}: the index {schema_tag(subject)} is changed by somebody else all the time")


def extended_index(index: SchemaIndex | None, missing: Iterable[Descriptor]) -> bytes:
    """Return the bytes of an index of referrers with more entries; keys that are unknown here stay."""
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
    if index is not None:
        value = parse_json(index.raw, "the index of referrers", limit=len(index.raw))
        assert isinstance(value, dict), "it was read as an index"
        document = value
    written = document.get("manifests")
    return canonical_json({**document, "manifests": [*(written if isinstance(written, list) else []), *missing]})


def put_referrer(repository: Repository, reference: str, raw: bytes, media_type: str) -> bool:
    """Store a manifest that has a subject; tell whether the registry says that it lists it now.

    Raises:
        Refused, ProtocolError, Unreachable: see ``put_manifest``.
    """
    said: list[str] = []

    def note(answer: Answer) -> None:
        said.append(answer.header("OCI-Subject"))

    put_manifest(repository, reference, raw, media_type, told=note)
    return bool(said and said[-1])


def parse_referrers(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Descriptor, ...] | None:
    """Read a list of referrers: an image index (distribution-spec, "Listing Referrers"), each digest once.

    ``None`` where it is another kind of document, or breaks its form.

    Raises:
        LimitExceeded: it has too many entries, or passes another limit.
    """
    try:
        node = parse_manifest(raw, media_types.OCI_INDEX, limits)
    except LimitExceeded:
        raise
    except MalformedDocument:
        return None
    if not isinstance(node, Index):
        return None
    found = {entry.digest: entry for entry in reversed(node.manifests)}
    if len(found) > limits.referrers:
        raise beyond(limits.referrers, f"{len(found)} referrers of one manifest are listed")
    return tuple(reversed(found.values()))


def parse_next_link(header: str) -> str | None:
    """Return where a ``Link`` header says that the next page is; ``None`` where it names none."""
    for address, parameters in _LINK.findall(header[:8192]):
        if _NEXT.search(parameters):
            return str(address)
    return None


def _own_index(repository: Repository, subject: Digest) -> SchemaIndex | None:
    index = fetch_schema_index(repository, subject)
    if index is None and find_manifest(repository, schema_tag(subject)) is not None:
        raise Refused(f"{repository}: the tag {schema_tag(subject)} stands for something that lists no referrers")
    return index


def _from_api(repository: Repository, subject: Digest) -> tuple[Descriptor, ...] | None:
    """Return what the API lists, all pages of it; ``None`` where there is no such API."""
    found: dict[Digest, Descriptor] = {}
    target: str | None = repository.path(f"referrers/{subject}")
    for number in range(repository.limits.referrer_pages):
        assert target is not None, "the last page was not the last"
        page = _page(repository, subject, target, is_first=number == 0)
        if page is None:
            return None
        for entry in page.entries:
            found.setdefault(entry.digest, entry)
        if len(found) > repository.limits.referrers:
            raise beyond(repository.limits.referrers, f"{len(found)} referrers of {subject} are listed")
        if page.following is None:
            return tuple(found.values())
        target = page.following
    raise beyond(repository.limits.referrer_pages, f"the list of the referrers of {subject} has too many pages")


@dataclass(frozen=True)
class _Page:
    entries: tuple[Descriptor, ...]
    following: str | None


def _page(repository: Repository, subject: Digest, target: str, *, is_first: bool) -> _Page | None:
    """Return a page of the list; ``None`` where the first one shows that there is no API."""
    what = f"the referrers of {subject}"

    def read(answer: Answer) -> tuple[str, bytes, str, str | None]:
        raw = read_all(answer, repository.limits.document_bytes, what)
        links = ", ".join(answer.headers("Link"))
        return answer.header("Content-Type"), raw, answer.url, parse_next_link(links)

    accept = {"Accept": media_types.OCI_INDEX}
    try:
        said, raw, url, link = repository.ask("GET", target, read, expected=(200,), what=what, headers=accept)
    except (NotFound, Refused, ServerFault) as error:
        # 404 says that there is no API; proxies and older products say it in other ways.
        if is_first and not isinstance(error, Busy):
            return None
        raise
    # Web pages answer 200 to anything.
    is_json = said.partition(";")[0].strip().lower() in (media_types.OCI_INDEX, "application/json")
    entries = parse_referrers(raw, repository.limits) if is_json else None
    if entries is None and is_first:
        return None
    if entries is None:
        raise ProtocolError(f"{repository}: a page of {what} is none, but {clean(said)}")
    if link is None:
        return _Page(entries, None)
    following = repository.client.address.redirected(url, link)
    if not repository.client.address.owns(following):
        raise ProtocolError(f"{repository}: {what} go on at another host, {clean(following)}")
    return _Page(entries, following)
