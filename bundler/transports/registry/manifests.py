"""Manifests and indexes at a registry (distribution-spec, "Pulling manifests", "Pushing Manifests")."""

from __future__ import annotations

import re
from collections.abc import Callable

from bundler.content.hashing import sha256
from bundler.content.streams import read_all
from bundler.errors import DamagedContent, MalformedDocument, NotFound, ProtocolError, Refused, Unauthorised
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import parse_json
from bundler.transports.registry.client import Repository
from bundler.transports.registry.wire import Answer, Body
from bundler.transports.registry.words import clean

# Without a matching type a registry answers 404, even for a manifest that it has.
_ACCEPT = {"Accept": ", ".join(media_types.ACCEPTED)}
# RFC 6838, section 4.2; whatever else a document says does not become a header.
_TYPE = re.compile(r"[\w.+$!#&^-]{1,127}/[\w.+$!#&^-]{1,127}", re.ASCII)
_DIGEST_HEADER = "Docker-Content-Digest"


def fetch_manifest(repository: Repository, reference: str) -> tuple[Descriptor, bytes]:
    """Return a manifest or index by tag or digest, verified: its digest is that of the bytes returned.

    Raises:
        NotFound: there is none of that name.
        DamagedContent: the bytes are not those of the digest, asked for or answered; or they are too many.
        ProtocolError: what came is no JSON document.
        Unreachable, Refused: the registry.
    """

    def read(answer: Answer) -> tuple[bytes, Digest | None, str]:
        raw = read_all(answer, repository.limits.document_bytes, f"the manifest {reference}")
        return raw, _digest_said(answer), _media_type(answer)

    raw, said, media_type = repository.ask(
        "GET", repository.path(f"manifests/{reference}"), read, expected=(200,), what=reference, headers=_ACCEPT
    )
    digest = sha256(raw)
    wanted = Digest(reference) if reference.startswith("sha256:") else said or digest
    if digest not in (wanted,) or (said or digest) != digest:
        raise DamagedContent(f"{repository}: the manifest {reference} hashes to {digest}, not to {said or wanted}")
    _require_json(repository, raw, reference)
    return Descriptor(media_type=media_type, digest=digest, size=len(raw)), raw


def fetch_unknown(repository: Repository, descriptor: Descriptor) -> bytes | None:
    """Return what a registry keeps among its manifests under a type that is not known here, not verified.

    ``None`` where it has no such thing, or gives it in another form.

    Raises:
        Unreachable, Unauthorised, ProtocolError: the registry.
    """
    if not 0 < descriptor.size <= repository.limits.document_bytes or not _TYPE.fullmatch(descriptor.media_type):
        return None
    try:
        raw = repository.ask(
            "GET",
            repository.path(f"manifests/{descriptor.digest}"),
            lambda answer: read_all(answer, repository.limits.document_bytes, f"the manifest {descriptor.digest}"),
            expected=(200,),
            what=descriptor.digest,
            headers={"Accept": descriptor.media_type},
        )
    except Unauthorised:
        raise
    except (NotFound, Refused):
        return None
    return raw if len(raw) == descriptor.size else None


def find_manifest(repository: Repository, reference: str) -> Digest | None:
    """Return what a tag or digest stands for, ``None`` where the registry has no such manifest.

    Raises:
        Unreachable, Refused, ProtocolError: the registry.
    """
    try:
        said = repository.ask(
            "HEAD",
            repository.path(f"manifests/{reference}"),
            _digest_said,
            expected=(200,),
            what=reference,
            headers=_ACCEPT,
        )
    except NotFound:
        return None
    # The header is optional: without it only the bytes tell.
    return said or fetch_manifest(repository, reference)[0].digest


def put_manifest(
    repository: Repository,
    reference: str,
    raw: bytes,
    media_type: str,
    told: Callable[[Answer], object] = lambda answer: None,
) -> Digest:
    """Store a manifest under a tag or its digest, and return the digest, which the registry confirmed.

    ``told`` is shown the answer, for more that it may say.

    Raises:
        Refused: blobs or manifests that it refers to are missing there, or a policy forbids it.
        ProtocolError: the registry stored something else.
        Unreachable: the registry.
    """

    def read(answer: Answer) -> Digest | None:
        told(answer)
        return _digest_said(answer)

    said = repository.ask(
        "PUT",
        repository.path(f"manifests/{reference}"),
        read,
        expected=(200, 201, 202),
        what=f"putting the manifest {reference}",
        headers={"Content-Type": media_type},
        body=Body.of(raw),
    )
    digest = sha256(raw)
    stored = said or find_manifest(repository, reference)
    if stored != digest:
        raise ProtocolError(f"{repository}: {reference} was sent as {digest}, but stored as {stored}")
    return digest


def _digest_said(answer: Answer) -> Digest | None:
    text = answer.header(_DIGEST_HEADER)
    if not text.startswith("sha256:"):
        # Another algorithm says nothing that could be compared.
        return None
    try:
        return Digest(text)
    except MalformedDocument as error:
        raise ProtocolError(f"the registry answered with a broken digest: {clean(text)}") from error


def _media_type(answer: Answer) -> str:
    """Return the type if it is one of a manifest; what is merely JSON may say its type inside."""
    said = answer.header("Content-Type").partition(";")[0].strip().lower()
    if said.startswith("application/vnd."):
        return said
    if said in ("", "application/json", "application/octet-stream", "text/plain"):
        return ""
    raise ProtocolError(f"the registry answered with {clean(said)}, which is no manifest")


def _require_json(repository: Repository, raw: bytes, reference: str) -> None:
    try:
        parse_json(raw, reference, limit=repository.limits.document_bytes, limits=repository.limits)
    except MalformedDocument as error:
        raise ProtocolError(f"{repository}: {clean(str(error))}") from error
