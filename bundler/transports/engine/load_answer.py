"""Reads what an engine answers to a load: lines of JSON, where an error may come inside a success."""

from __future__ import annotations

from collections.abc import Iterable

from bundler.errors import MalformedDocument, ProtocolError
from bundler.model.json_documents import parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.transports.engine.failures import clean, refusal


def read_load_answer(pieces: Iterable[bytes], doing: str, limits: Limits = DEFAULT_LIMITS) -> tuple[str, ...]:
    """Consume the whole answer and return what the engine said, such as ``Loaded image: busybox:1``.

    The text proves nothing: some engines report success for an image that they did not store.

    Raises:
        NoSpace: a line says that the engine's disk is full.
        Refused: a line reports another error.
        ProtocolError: a line is not JSON, or the answer has no end.
    """
    messages: list[str] = []
    for line in _lines(pieces, limits.engine_line_bytes):
        try:
            value = parse_json(
                line, "a line of the engine's answer", limit=limits.engine_line_bytes, limits=limits
            )
        except MalformedDocument as error:
            raise ProtocolError(f"{doing}: {error}") from error
        if not isinstance(value, dict):
            continue
        if reason := _error(value):
            raise refusal(reason, doing)
        text = value.get("stream")
        if isinstance(text, str) and text.strip() and len(messages) < limits.engine_messages:
            messages.append(clean(text))
    return tuple(messages)


def _error(value: dict[str, object]) -> str:
    detail = value.get("errorDetail")
    if isinstance(detail, dict) and isinstance(detail.get("message"), str) and detail["message"]:
        return str(detail["message"])
    if value.get("error") or detail:
        return str(value.get("error") or detail)
    return ""


def _lines(pieces: Iterable[bytes], longest: int) -> Iterable[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > longest:
            raise ProtocolError(str(beyond(longest, "the engine's answer has a line that is too long")))
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest
