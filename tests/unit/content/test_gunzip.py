"""Both ways of reading gzip: the same bytes out, and the same files refused."""

from __future__ import annotations

import gzip
import io
import random
import zlib

import pytest

from bundler.content.gunzip import open_gzip

ERRORS = (zlib.error, EOFError, gzip.BadGzipFile)
DATA = b"layer " * 1000 + random.Random(1).randbytes(3000)


def _read(blob: bytes, *, fast: bool, piece: int = 100) -> bytes:
    file, out, buffer = open_gzip(io.BytesIO(blob), fast=fast), bytearray(), memoryview(bytearray(piece))
    while count := file.readinto(buffer):
        out += buffer[:count]
    return bytes(out)


def _outcome(blob: bytes, *, fast: bool) -> bytes | None:
    try:
        return _read(blob, fast=fast)
    except ERRORS:
        return None


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("level", range(10))
def test_every_level_comes_out(fast: bool, level: int) -> None:
    assert _read(gzip.compress(DATA, level), fast=fast) == DATA


@pytest.mark.parametrize("fast", [False, True])
def test_members_padding_and_junk(fast: bool) -> None:
    two = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")
    assert _read(two, fast=fast) == b"onetwo"
    assert _read(two + bytes(1000), fast=fast) == b"onetwo"
    for junk in (b"junk", b"\x1f\x8b", bytes(10) + b"x"):
        with pytest.raises(ERRORS):
            _read(two + junk, fast=fast)


@pytest.mark.parametrize("fast", [False, True])
def test_all_fields_of_a_header_are_skipped(fast: bool) -> None:
    plain = gzip.compress(DATA)
    header = plain[:3] + b"\x1e" + plain[4:10] + b"\x02\0xy" + b"name\0" + b"comment\0"
    checked = header + (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little")
    assert _read(checked + plain[10:], fast=fast) == DATA


def test_truncations_end_alike() -> None:
    blob = gzip.compress(DATA)
    for length in range(len(blob)):
        assert _outcome(blob[:length], fast=True) == _outcome(blob[:length], fast=False), length
        assert _outcome(blob[:length], fast=True) == (None if length else b"")


def test_flipped_bits_end_alike() -> None:
    blob, dice = gzip.compress(DATA), random.Random(2)
    for bit in (*range(80), *(dice.randrange(80, 8 * len(blob)) for _ in range(1000))):
        damaged = bytearray(blob)
        damaged[bit // 8] ^= 1 << bit % 8
        fast, slow = (_outcome(bytes(damaged), fast=fast) for fast in (True, False))
        assert fast in (None, DATA)
        assert slow in (None, DATA)
        # What one lets pass, such as a reserved flag of the header, the other may refuse.
        assert fast == slow or bit < 80, bit


def test_without_the_library_zlib_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(open_gzip(io.BytesIO(gzip.compress(b"x"))), gzip.GzipFile)


def test_what_comes_out_of_a_bomb_is_bounded_by_the_buffer() -> None:
    file = open_gzip(io.BytesIO(gzip.compress(bytes(50 << 20))), fast=True)
    assert file.readinto(memoryview(bytearray(1 << 16))) <= 1 << 16
