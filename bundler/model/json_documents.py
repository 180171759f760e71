"""Strict reading and canonical writing of JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from bundler.errors import MalformedDocument
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits

T = TypeVar("T")


def parse_json(data: bytes, what: str, *, limit: int, limits: Limits = DEFAULT_LIMITS) -> object:
    """Parse one JSON document, stricter than the grammar asks.

    Args:
        data: The document in UTF-8, without a byte-order mark.
        what: What the document is, for the error.
        limit: Its greatest size in bytes.
        limits: Bounds the nesting.

    Raises:
        MalformedDocument: too large, not UTF-8, not JSON, nested too deeply, a key twice in one object,
            ``NaN`` or a number beyond all bounds, or half a surrogate pair.
    """
    if len(data) > limit:
        raise MalformedDocument(f"{what} has {len(data)} bytes, more than the {limit} allowed")
    try:
        text = data.decode("utf-8")
        value: object = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
        _check_depth(value, limits.json_depth)
        # A lone surrogate, written as \ud800, belongs to no encoding; nothing could be made of it.
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise MalformedDocument(f"{what} is not valid JSON: {error}") from error
    return value


def convert(value: object, kind: type[T], what: str) -> T:
    """Turn parsed JSON into a typed value; unknown keys are passed over.

    Raises:
        MalformedDocument: a key is missing or its value has another type.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_decode_special)
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


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text:.50} is too large a number")
    return value


def _check_depth(value: object, deepest: int) -> None:
    # Level by level, so that no depth overflows a stack: what the parser itself survives is walked safely.
    level = [value]
    for _ in range(deepest):
        level = [child for item in level for child in _children(item)]
    if any(isinstance(item, (dict, list)) for item in level):
        raise ValueError(f"nested deeper than {deepest}")


def _children(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _decode_special(kind: type[Any], value: object) -> object:
    if kind is Digest:
        try:
            return Digest(value)
        except MalformedDocument as error:
            raise ValueError(str(error)) from error
    raise NotImplementedError(kind)


def _encode_special(value: object) -> object:
    if isinstance(value, Digest):
        return str(value)
    raise NotImplementedError(type(value))
