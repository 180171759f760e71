"""What an answer of a registry means: its status decides, its words explain (distribution-spec, "Errors")."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from bundler.errors import (
    AirbundleError,
    MalformedDocument,
    NotFound,
    ProtocolError,
    Refused,
    ServerFault,
    Unauthorised,
    Unreachable,
)
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import Limits
from bundler.transports.registry.answered import Answered, Signs
from bundler.transports.registry.rate_limits import duration, parse_rate_limit
from bundler.transports.registry.retries import Busy, RateLimited, parse_retry_after
from bundler.transports.registry.wire import Answer
from bundler.transports.registry.words import clean

_HTTPS_EXPECTED = ("http request to an https server", "plain http request was sent to https port")
_MOST_ERRORS = 3
#: What may be different a moment later. Other faults of a server, such as 501, stay.
_PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""
    detail: Any = None


class _Errors(msgspec.Struct):
    errors: tuple[_Error, ...] = ()


def require(answer: Answer, expected: Collection[int], limits: Limits, what: str) -> None:
    """Go on if the status is an expected one; else close the answer and raise what it means.

    Raises:
        Unauthorised, NotFound, Refused, Busy, ServerFault, ProtocolError: see :func:`failure`.
    """
    if answer.status not in expected:
        raise failure(answer, limits, what)


def failure(answer: Answer, limits: Limits, what: str) -> AirbundleError:
    """Turn an answer into the error that it is, and close it.

    Args:
        answer: One that was not hoped for.
        limits: Bounds how much of its body is read.
        what: What was being done, as the beginning of the message.

    Returns:
        The error; its cause is an :class:`Answered`.
    """
    answered = _read(answer, limits)
    error = _meaning(answer, answered.words, what)
    error.__cause__ = answered
    return error


def _meaning(answer: Answer, said: str, what: str) -> AirbundleError:
    status = answer.status
    message = f"{what}: the registry answered {status}" + (f": {said}" if said else "")
    if any(sign in said.lower() for sign in _HTTPS_EXPECTED):
        return Unreachable(f"{what}: the registry speaks HTTPS", advice="Leave --plain-http out.")
    if status == 401:
        return Unauthorised(message)
    if status == 404:
        if said.startswith("<"):
            return NotFound(message, advice="A page answered: check that the address is that of a registry.")
        return NotFound(message)
    if status in (407, 413):
        return _between(status, said, what)
    if status == 429 and (limited := _rate_limited(answer, message, said)):
        return limited
    if status in _PASSING_STATUSES:
        return Busy(message, retry_after=parse_retry_after(answer.header("Retry-After")))
    if status >= 500:
        return ServerFault(message)
    if 400 <= status < 500:
        return Refused(message)
    return ProtocolError(message)


def _between(status: int, said: str, what: str) -> AirbundleError:
    """Return the error for what a proxy answers more often than a registry."""
    words = f": {said}" if said else ""
    if status == 407:
        advice = "Check the user and password in HTTP_PROXY, or ask who runs the proxy."
        return Unreachable(f"{what}: the proxy refuses: it answered 407{words}", advice=advice)
    advice = "Raise the size of requests that the registry, or the proxy before it, accepts."
    return Refused(f"{what}: the registry answered {status}{words}", advice=advice)


def _rate_limited(answer: Answer, message: str, said: str) -> RateLimited | None:
    """Return the error for a registry that counts pulls, ``None`` for one that is merely busy."""
    limit = parse_rate_limit(answer.header)
    asked = parse_retry_after(answer.header("Retry-After"))
    # Proxies, and some products, count without these words and headers; a HEAD has no words at all.
    if limit is None and asked is None and "toomanyrequests" not in said.lower():
        return None
    if asked is None and limit is not None:
        asked = limit.reset_seconds
    when = "later" if asked is None else f"in {duration(asked)}"
    return RateLimited(
        f"{message} ({limit})" if limit is not None else message,
        advice=f"Run it again {when}, or with --wait-for-rate-limit; who logs in (`docker login`) may pull more.",
        retry_after=asked,
    )


def _read(answer: Answer, limits: Limits) -> Answered:
    """Read what the registry said, and close the answer."""
    signs = Signs.of(answer, limits)
    codes: tuple[str, ...] = ()
    words = ""
    if answer.method == "HEAD" or answer.status == 416:
        # A 416 may announce the length of the whole blob and send a few bytes.
        answer.close()
    else:
        codes, words = _words(answer, limits)
    return Answered(answer.method, answer.url, answer.status, codes, words, signs)


def _words(answer: Answer, limits: Limits) -> tuple[tuple[str, ...], str]:
    """Return the codes, and what the registry said in one line, ``""`` where nothing useful came."""
    try:
        raw = answer.read_up_to(limits.error_body_bytes)
    except Unreachable:
        raw = b""
    finally:
        answer.close()
    errors = _from_json(raw, limits)
    said = "; ".join(_one(error) for error in errors)
    codes = tuple(clean(error.code) for error in errors if error.code)
    return codes, clean(said or raw.decode("utf-8", "replace"))


def _from_json(raw: bytes, limits: Limits) -> tuple[_Error, ...]:
    try:
        value = parse_json(raw, "the answer", limit=limits.error_body_bytes, limits=limits)
        errors = convert(value, _Errors, "the answer").errors
        # zot sends a single error without the list around it.
        return errors[:_MOST_ERRORS] or (convert(value, _Error, "the answer"),)
    except MalformedDocument:
        return ()


def _one(error: _Error) -> str:
    text = ": ".join(filter(None, (error.code, error.message)))
    return f"{text} ({error.detail})" if isinstance(error.detail, str) and error.detail else text
