"""Turns what the docker SDK, requests and urllib3 raise into declared errors."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from bundler.errors import (
    AirbundleError,
    MalformedDocument,
    NoSpace,
    NotFound,
    ProtocolError,
    Refused,
    Unauthorised,
    Unreachable,
)

_LONGEST_MESSAGE = 2_000


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Name what was done when the engine failed.

    Raises:
        NotFound: the engine says that there is no such thing.
        NoSpace: the engine's disk is full.
        Refused: the engine says no for another reason; Unauthorised: this user may not use it.
        Unreachable: it does not answer, or broke off.
    """
    # Importing the SDK takes longer than most commands that need no engine.
    import docker.errors
    import requests
    import urllib3

    try:
        yield
    except AirbundleError:
        raise
    except docker.errors.APIError as error:
        raise _of_answer(error.status_code or 0, str(error.explanation or error), doing) from error
    except docker.errors.DockerException as error:
        raise unreachable(str(error), doing) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
        raise unreachable(str(error), doing) from error
    except OSError as error:
        raise unreachable(str(error), doing) from error


@contextmanager
def understood(doing: str) -> Iterator[None]:
    """As ``engine_errors``, for requests that send nothing of ours: nonsense can only be the engine's.

    Raises:
        ProtocolError: the answer is not what the API describes.
        NotFound, NoSpace, Refused, Unreachable: as ``engine_errors``.
    """
    try:
        with engine_errors(doing):
            yield
    except MalformedDocument as error:
        raise ProtocolError(f"{doing}: {error}") from error


def unreachable(reason: str, doing: str) -> AirbundleError:
    """Make the error of an engine that cannot be talked to, or of a socket that this user may not use."""
    if "Permission denied" in reason or "PermissionError" in reason:
        return Unauthorised(
            f"{doing}: this user may not use the engine: {clean(reason)}",
            advice="Become root, or join the group that owns the engine's socket: "
            "`sudo usermod -aG docker $USER`, then log in again.",
        )
    advice = "Check that the engine runs and that DOCKER_HOST or the docker context points to it."
    return Unreachable(f"{doing}: the engine does not answer: {clean(reason)}", advice=advice)


def refusal(reason: str, doing: str) -> AirbundleError:
    """Make the error of an engine that said no, in its own words."""
    text = clean(reason)
    if "no space left on device" in text:
        return NoSpace(
            f"{doing}: the engine's disk is full: {text}",
            advice="Free space where the engine keeps its data, then run the command again.",
        )
    return Refused(f"{doing}: the engine refuses: {text}")


def clean(text: str) -> str:
    """Return what the engine said on one line, of bounded length and without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[:_LONGEST_MESSAGE]).split())


def _of_answer(status: int, reason: str, doing: str) -> AirbundleError:
    if status == 404:
        return NotFound(f"{doing}: the engine has no such image: {clean(reason)}")
    if status in (401, 403):
        return Unauthorised(
            f"{doing}: the engine denies access: {clean(reason)}",
            advice="Ask whoever runs the engine for the right to use it.",
        )
    if not reason.strip() or reason.lstrip().startswith("<"):
        return ProtocolError(f"{doing}: the answer (status {status}) is not that of a Docker engine")
    return refusal(reason, doing)
