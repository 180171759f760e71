"""Strict JSON: what is refused, and that refusing is cheap."""

from __future__ import annotations

import contextlib
import time

import msgspec
import pytest

from bundler.errors import MalformedDocument
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.limits import Limits

HEX = "0123456789abcdef" * 4


def parse(data: bytes, limit: int = 1 << 20) -> object:
    return parse_json(data, "the thing", limit=limit)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b' [1, "a", null, true, -0.5] ', [1, "a", None, True, -0.5]),
        (b'{"a":{"b":1},"b":1}', {"a": {"b": 1}, "b": 1}),
        (b'{"a":1,"A":2,"":3}', {"a": 1, "A": 2, "": 3}),
        ('"é\U0001f433"'.encode(), "é\U0001f433"),
        (rb'"\ud83d\udc33"', "\U0001f433"),
        (rb'"\\ud800"', "\\ud800"),
        (b"9007199254740993", 9007199254740993),
        (b"[" * 64 + b"]" * 64, None),
    ],
)
def test_reads_json(data: bytes, value: object) -> None:
    assert parse(data) == value or value is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{} x",
        b"{'a':1}",
        b"[1,]",
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        '"a"'.encode("utf-16"),
        b"NaN",
        b'{"a":[Infinity]}',
        b"-Infinity",
        b"1e999",
        b"[-1e400]",
        b'{"a":1,"a":1}',
        b'[{"x":{"a":1,"b":2,"a":3}}]',
        rb'{"a":1,"\u0061":2}',
        rb'"\ud800"',
        rb'"\uDC33\uD83D"',
        rb'{"\udfff":1}',
        b'"a\nb"',
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"1" * 10_000,
    ],
)
def test_refuses_what_is_not_plain_json(data: bytes) -> None:
    with pytest.raises(MalformedDocument, match="the thing"):
        parse(data)


def test_brackets_in_strings_are_no_depth() -> None:
    assert parse(b'"' + b"[" * 1000 + b'"') == "[" * 1000
    assert parse(b'["\\"' + b"{" * 1000 + b'"]') == ['"' + "{" * 1000]


def test_depth_is_counted_in_any_branch() -> None:
    limits = Limits(json_depth=3)
    assert parse_json(b'[1,{"a":[2]}]', "x", limit=100, limits=limits) == [1, {"a": [2]}]
    with pytest.raises(MalformedDocument, match="the limit json_depth is 3"):
        parse_json(b'[1,{"a":[2,[]]}]', "x", limit=100, limits=limits)
    with pytest.raises(MalformedDocument, match="the limit json_depth is 3"):
        parse_json(b'[[[{"a":1}]]]', "x", limit=100, limits=limits)


def test_the_size_is_bounded_to_the_byte() -> None:
    assert parse(b"[1234567]", limit=9) == [1234567]
    with pytest.raises(MalformedDocument, match="has 10 bytes, more than the 9"):
        parse(b"[12345678]", limit=9)


@pytest.mark.parametrize(
    "data",
    [b'"' + b'\\"' * 500_000, b'"' + b"a" * 4_000_000 + b'"', b'["' + b"\\\\" * 1_000_000, b'"\\' * 400_000],
    ids=["escaped quotes", "one string", "backslashes", "quotes and backslashes"],
)
def test_hostile_strings_take_no_time(data: bytes) -> None:
    start = time.perf_counter()
    with contextlib.suppress(MalformedDocument):
        parse(data, limit=1 << 30)
    # A search that goes back over the string for each quote takes minutes for these.
    assert time.perf_counter() - start < 5


def test_canonical_json_is_one_text_per_value() -> None:
    assert canonical_json({"b": [1, None], "a": "é", "A": {}}) == '{"A":{},"a":"é","b":[1,null]}'.encode()
    assert canonical_json({"d": Digest.from_hex(HEX)}) == f'{{"d":"sha256:{HEX}"}}'.encode()


def test_canonical_json_refuses_what_has_no_json_form() -> None:
    with pytest.raises(NotImplementedError):
        canonical_json({"a": object()})


class _Thing(msgspec.Struct):
    digest: Digest
    count: int = 0


def test_convert_passes_over_unknown_keys() -> None:
    assert convert({"digest": f"sha256:{HEX}", "more": 1}, _Thing, "it") == _Thing(Digest.from_hex(HEX))


@pytest.mark.parametrize("value", [{}, [], None, {"digest": "x"}, {"digest": f"sha256:{HEX}", "count": "1"}])
def test_convert_says_what_is_wrong(value: object) -> None:
    with pytest.raises(MalformedDocument, match="the thing: "):
        convert(value, _Thing, "the thing")


def test_a_digest_that_stands_at_many_places_is_one_value() -> None:
    digest = "sha256:" + "0" * 64
    found = convert([digest, "".join(digest)], tuple[Digest, ...], "it")
    assert found == (digest, digest)
    assert found[0] is found[1]
