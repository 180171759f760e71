"""Uploads of blobs (distribution-spec, "Pushing a blob in chunks", "Mounting a blob").

An upload is a value: where it goes on, and how many bytes the registry has. Whoever keeps it can go on later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from bundler.errors import ProtocolError, Refused
from bundler.model.digest import Digest
from bundler.transports.registry.answers import failure
from bundler.transports.registry.client import Repository, require_header, scope
from bundler.transports.registry.wire import NO_BODY, Answer, Body
from bundler.transports.registry.words import clean

_RANGE = re.compile(r"(?:bytes[= ])?0-([0-9]{1,19})", re.ASCII)
_UPLOADS = "blobs/uploads/"
_OCTETS = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class UploadState:
    """An upload that was begun: the URL where it goes on, and the number of bytes that the registry has."""

    location: str
    offset: int = 0


class PieceTooLarge(Refused):
    """The registry, or a proxy before it, takes no request of this size; the upload is as it was."""


def start_upload(repository: Repository) -> UploadState:
    """Begin an upload.

    Raises:
        Refused, Unreachable, ProtocolError: the registry.
    """
    with repository.request(
        "POST", repository.path(_UPLOADS), expected=(202,), what="starting an upload"
    ) as answer:
        return UploadState(_location(repository, answer))


def mount_blob(repository: Repository, digest: Digest, sibling: str) -> UploadState | None:
    """Have the registry take a blob over from another of its repositories.

    Returns:
        ``None`` when that is done; an upload, just begun, when the registry wants the bytes all the same.

    Raises:
        Refused, Unreachable, ProtocolError: the registry.
    """
    query = f"?mount={quote(digest)}&from={quote(sibling, safe='')}"
    with repository.request(
        "POST",
        repository.path(_UPLOADS) + query,
        expected=(201, 202),
        what=f"mounting {digest} from {sibling}",
        more_scopes=(scope(sibling),),
    ) as answer:
        return None if answer.status == 201 else UploadState(_location(repository, answer))


def send_piece(repository: Repository, upload: UploadState, body: Body) -> UploadState:
    """Send the bytes that follow; the body has at least two.

    A single byte is never sent so, because the answer ``0-0`` may mean one byte or none.

    Raises:
        PieceTooLarge: the upload is as it was: a smaller piece may do.
        ProtocolError: the registry says that it has less than before, or more than it got.
        Refused, Unreachable: the registry.
    """
    what = f"sending bytes from {upload.offset} on"
    end = upload.offset + body.length
    with repository.request(
        "PATCH",
        upload.location,
        expected=(202, 413),
        what=what,
        headers=_range_headers(upload.offset, body.length),
        body=body,
    ) as answer:
        _check_size(repository, answer, what)
        said = received_bytes(answer.header("Range"))
        offset = end if said is None else said
        if not upload.offset < offset <= end:
            raise ProtocolError(f"{repository}: {what}, {body.length} in number, left it with {offset}")
        return UploadState(_location(repository, answer, upload.location), offset)


def finish_upload(repository: Repository, upload: UploadState, digest: Digest, body: Body = NO_BODY) -> None:
    """Complete an upload with its last bytes, if any are left; the registry has then proven the digest.

    Raises:
        PieceTooLarge: the upload is as it was: the bytes must be sent before.
        Refused: the digest of what was sent is another one, or a policy forbids the blob.
        ProtocolError: the registry stored something else.
        Unreachable: the registry.
    """
    what = f"completing the upload of {digest}"
    with repository.request(
        "PUT",
        upload.location + ("&" if "?" in upload.location else "?") + f"digest={quote(digest)}",
        expected=(201, 413),
        what=what,
        headers=_range_headers(upload.offset, body.length) if body.length else _OCTETS,
        body=body,
    ) as answer:
        _check_size(repository, answer, what)
        said = answer.header("Docker-Content-Digest")
        if said.startswith("sha256:") and said != digest:
            raise ProtocolError(f"{repository}: {what}: the registry stored {clean(said)}")


def cancel_upload(repository: Repository, upload: UploadState) -> None:
    """Drop an upload that nobody will complete, so that the registry can free its space.

    Raises:
        Refused, Unreachable, ProtocolError: the registry.
    """
    repository.request("DELETE", upload.location, expected=(200, 202, 204, 404), what="dropping an upload").close()


def _range_headers(first: int, length: int) -> dict[str, str]:
    # First and last byte without a unit: registries of today check it to the letter.
    return {"Content-Range": f"{first}-{first + length - 1}", **_OCTETS}


def _check_size(repository: Repository, answer: Answer, what: str) -> None:
    if answer.status == 413:
        error = failure(answer, repository.limits, f"{repository}: {what}")
        raise PieceTooLarge(str(error), advice=error.advice)


def received_bytes(header: str) -> int | None:
    """Return how many bytes of an upload a Range header says were received; ``None`` where it says nothing."""
    match = _RANGE.fullmatch(header)
    return int(match[1]) + 1 if match else None


def _location(repository: Repository, answer: Answer, otherwise: str = "") -> str:
    location = answer.header("Location") or otherwise
    if not location:
        location = require_header(answer, "Location", str(repository))
    return repository.client.address.upload_location(answer.url, location)
