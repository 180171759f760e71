"""Uploads of blobs (distribution-spec, "Pushing a blob in chunks", "Mounting a blob").

An upload is a value: where it goes on, and how many bytes the registry has. Whoever keeps it can go on later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

from bundler.errors import AirbundleError, ProtocolError, Refused
from bundler.model.digest import Digest
from bundler.transports.registry.answers import failure
from bundler.transports.registry.client import Repository, require_header, scope
from bundler.transports.registry.wire import NO_BODY, Answer, Body
from bundler.transports.registry.words import clean

_RANGE = re.compile(r"(?:bytes[= ])?0-([0-9]{1,19})", re.ASCII)
_UPLOADS = "blobs/uploads/"
#: What an answer for an upload that is there looks like; the specification has the first.
_KNOWN = (204, 200, 202)
_OCTETS = {"Content-Type": "application/octet-stream"}
#: Says that pieces of less are not taken (distribution-spec, "Pushing a blob in chunks").
_LEAST_HEADER = "OCI-Chunk-Min-Length"
_LONGEST_NUMBER = 18


@dataclass(frozen=True)
class UploadState:
    """An upload that was begun.

    Attributes:
        location: the URL where it goes on; whoever knows it may write to the upload.
        offset: how many bytes the registry has.
        least_piece: pieces of fewer bytes are not taken, but for the last one.
    """

    location: str = field(repr=False)
    offset: int = 0
    least_piece: int = 0


class PieceTooLarge(Refused):
    """The registry, or a proxy before it, takes no request of this size; the upload is as it was."""


class PiecesRefused(Refused):
    """The registry takes blobs in one request only."""


class OutOfStep(Refused):
    """The registry does not know the upload, or has more or less of it than was believed."""


class UnknownUpload(OutOfStep):
    """The registry answers 404: it has no such upload, or nothing at all that takes such a request."""


class WrongDigest(Refused):
    """What the registry received has another digest than it should."""


def start_upload(repository: Repository) -> UploadState:
    """Begin an upload.

    Raises:
        Refused, Unreachable, ProtocolError: the registry.
    """
    return repository.ask(
        "POST",
        repository.path(_UPLOADS),
        lambda answer: _begun(repository, answer),
        expected=(202,),
        what="starting an upload",
    )


def mount_blob(repository: Repository, digest: Digest, sibling: str) -> UploadState | None:
    """Have the registry take a blob over from another of its repositories.

    Returns:
        ``None`` when that is done; an upload, just begun, when the registry wants the bytes all the same.

    Raises:
        Refused, Unreachable, ProtocolError: the registry.
    """
    query = f"?mount={quote(digest)}&from={quote(sibling, safe='')}"
    return repository.ask(
        "POST",
        repository.path(_UPLOADS) + query,
        lambda answer: None if answer.status == 201 else _begun(repository, answer),
        expected=(201, 202),
        what=f"mounting {digest} from {sibling}",
        more_scopes=(scope(sibling),),
    )


def ask_upload(repository: Repository, upload: UploadState) -> UploadState | None:
    """Ask how far an upload came (distribution-spec, "Pushing a blob in chunks").

    Returns:
        ``None`` where the registry knows no such upload. An offset of 0 says that it has at most a byte of it,
        and that it is better to begin anew.

    Raises:
        Refused, Unreachable, ProtocolError: the registry.
    """

    def read(answer: Answer) -> UploadState | None:
        held = received_bytes(answer.header("Range"))
        if answer.status not in _KNOWN or held is None:
            return None
        # ``0-0`` may mean one byte or none, and for a single byte nobody needs to go on.
        offset = held if held > 1 else 0
        return UploadState(_location(repository, answer, upload.location), offset, upload.least_piece)

    return repository.ask(
        "GET", upload.location, read, expected=(*_KNOWN, 400, 404, 410, 416), what="asking for an upload"
    )


def send_piece(repository: Repository, upload: UploadState, body: Body, *, alone: bool = False) -> UploadState:
    """Send the bytes that follow, once; the body has at least two.

    A single byte is never sent so, because the answer ``0-0`` may mean one byte or none. With ``alone`` no other
    request follows on the same connection, for networks that break connections after some bytes.

    Raises:
        PieceTooLarge: the upload is as it was: a smaller piece may do.
        PiecesRefused: the blob must be sent in one request.
        OutOfStep: :func:`ask_upload` tells what the registry has.
        ConnectionLost, Busy: the same; it may have the piece, a part of it, or nothing at all any more.
        ProtocolError: the registry says that it has less than before, or more than it got.
        Refused, Unreachable: the registry.
    """
    what = f"sending bytes from {upload.offset} on"
    end = upload.offset + body.length
    with repository.request(
        "PATCH",
        upload.location,
        expected=(202, *_MEANINGFUL, 405, 501),
        what=what,
        headers=_headers(upload.offset, body.length, alone),
        body=body,
    ) as answer:
        if answer.status != 202:
            raise _meaning(repository, answer, what)
        said = received_bytes(answer.header("Range"))
        offset = end if said is None else said
        if not upload.offset < offset <= end:
            raise ProtocolError(f"{repository}: {what}, {body.length} in number, left it with {offset}")
        return UploadState(_location(repository, answer, upload.location), offset, upload.least_piece)


def finish_upload(
    repository: Repository, upload: UploadState, digest: Digest, body: Body = NO_BODY, *, alone: bool = False
) -> None:
    """Complete an upload with its last bytes, if any are left, in one try; the registry proves the digest.

    Raises:
        PieceTooLarge: the upload is as it was: the bytes must be sent before.
        OutOfStep: :func:`ask_upload` tells what the registry has.
        ConnectionLost, Busy: the same; the blob may also be complete.
        WrongDigest: the upload is gone.
        Refused: a policy forbids the blob.
        ProtocolError: the registry stored something else.
        Unreachable: the registry.
    """
    what = f"completing the upload of {digest}"
    with repository.request(
        "PUT",
        upload.location + ("&" if "?" in upload.location else "?") + f"digest={quote(digest)}",
        expected=(201, *_MEANINGFUL),
        what=what,
        headers=_headers(upload.offset, body.length, alone),
        body=body,
    ) as answer:
        if answer.status != 201:
            raise _meaning(repository, answer, what)
        said = answer.header("Docker-Content-Digest")
        if said.startswith("sha256:") and said != digest:
            raise ProtocolError(f"{repository}: {what}: the registry stored {clean(said)}")


def cancel_upload(repository: Repository, upload: UploadState) -> None:
    """Drop an upload that nobody will complete, so that the registry can free its space; one try.

    Raises:
        Refused, Unreachable, ProtocolError: the registry.
    """
    repository.request(
        "DELETE", upload.location, expected=(200, 202, 204, 400, 404, 405), what="dropping an upload"
    ).close()


def _headers(first: int, length: int, alone: bool) -> dict[str, str]:
    # First and last byte without a unit: registries of today check it to the letter.
    headers = {"Content-Range": f"{first}-{first + length - 1}"} if length else {}
    if alone:
        headers["Connection"] = "close"
    return {**headers, **_OCTETS}


#: Refusals after which the upload may still go on in another way.
_MEANINGFUL = (400, 404, 413, 416)


def _meaning(repository: Repository, answer: Answer, what: str) -> AirbundleError:
    status = answer.status
    error = failure(answer, repository.limits, f"{repository}: {what}")
    said = str(error)
    if status == 413:
        return _as(PieceTooLarge, error)
    if status in (405, 501) or "UNSUPPORTED" in said:
        return _as(PiecesRefused, error)
    if status in (404, 416) or "BLOB_UPLOAD_" in said:
        error.advice = "Run the command again; the upload begins anew."
        return _as(UnknownUpload if status == 404 else OutOfStep, error)
    return _as(WrongDigest, error) if "DIGEST_INVALID" in said else error


def _as(kind: type[Refused], error: AirbundleError) -> Refused:
    """Return what is known of an error as one of another kind."""
    meant = kind(error.message, advice=error.advice)
    meant.__cause__ = error.__cause__
    return meant


def received_bytes(header: str) -> int | None:
    """Return how many bytes of an upload a Range header says were received; ``None`` where it says nothing."""
    match = _RANGE.fullmatch(header)
    return int(match[1]) + 1 if match else None


def _begun(repository: Repository, answer: Answer) -> UploadState:
    least = answer.header(_LEAST_HEADER)
    known = least.isascii() and least.isdecimal() and len(least) <= _LONGEST_NUMBER
    return UploadState(_location(repository, answer), least_piece=int(least) if known else 0)


def _location(repository: Repository, answer: Answer, otherwise: str = "") -> str:
    location = answer.header("Location") or otherwise
    if not location:
        location = require_header(answer, "Location", str(repository))
    return repository.client.address.upload_location(answer.url, location)
