"""Strict reading and canonical writing of JSON."""

from __future__ import annotations

import json
import math
from typing import Any, TypeVar

import msgspec

from bundler.errors import MalformedDocument
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond

T = TypeVar("T")


def parse_json(data: bytes, what: str, *, limit: int, limits: Limits = DEFAULT_LIMITS) -> object:
    """Parse one JSON document, stricter than the grammar asks.

    Args:
        data: The document in UTF-8, without a byte-order mark.
        what: What the document is, for the error.
        limit: Its greatest size in bytes, a field of ``limits``.
        limits: Bounds the nesting and the length of numbers.

    Raises:
        MalformedDocument: too large, not UTF-8, not JSON, nested too deeply, a key twice in one object,
            ``NaN`` or a number beyond all bounds, or half a surrogate pair.
    """
    if len(data) > limit:
        raise beyond(limit, f"{what} has {len(data)} bytes")
    longest = limits.number_chars

    def whole(digits: str) -> int:
        # Before anything is computed: reading a number of millions of digits takes minutes.
        if len(digits) > longest:
            raise beyond(longest, f"{what} holds a number of {len(digits)} characters")
        return int(digits)

    def fraction(digits: str) -> float:
        if len(digits) > longest:
            raise beyond(longest, f"{what} holds a number of {len(digits)} characters")
        return _finite(float(digits))

    try:
        text = data.decode("utf-8")
        value: object = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=whole,
            parse_float=fraction,
        )
        # Most documents have fewer brackets than they may have levels: no need to walk over all that they hold.
        if text.count("{") + text.count("[") > limits.json_depth and _is_deeper(value, limits.json_depth):
            raise beyond(limits.json_depth, f"{what} is nested too deeply")
        # A lone surrogate, written as \ud800, belongs to no encoding; nothing could be made of it.
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise beyond(limits.json_depth, f"{what} is nested too deeply") from error
    except ValueError as error:
        raise MalformedDocument(f"{what} is not valid JSON: {error}") from error
    return value


def convert(value: object, kind: type[T], what: str) -> T:
    """Turn parsed JSON into a typed value; unknown keys are passed over.

    Raises:
        MalformedDocument: a key is missing or its value has another type.
    """
    # A digest that stands at several places, as in the tables of bundles, is one value.
    digests: dict[str, Digest] = {}

    def decode_special(special: type[Any], found: object) -> object:
        known = digests.get(found) if isinstance(found, str) else None
        if known is not None:
            return known
        digest = _decode_digest(special, found)
        digests[digest] = digest
        return digest

    try:
        return msgspec.convert(value, kind, dec_hook=decode_special)
    except msgspec.ValidationError as error:
        raise MalformedDocument(f"{what}: {error}") from error


def canonical_json(value: object) -> bytes:
    """Write a value as canonical JSON: UTF-8, keys sorted, no white space, no line end."""
    plain = msgspec.to_builtins(value, enc_hook=_encode_special)
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _is_deeper(value: object, deepest: int) -> bool:
    # Level by level, so that no depth overflows a stack: what the parser itself survives is walked safely.
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(deepest):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
    return bool(level)


def _decode_digest(kind: type[Any], value: object) -> Digest:
    if kind is not Digest:
        raise NotImplementedError(kind)
    try:
        return Digest(value)
    except MalformedDocument as error:
        raise ValueError(str(error)) from error


def _encode_special(value: object) -> object:
    if isinstance(value, Digest):
        return str(value)
    raise NotImplementedError(type(value))
