"""Layers compressed and decompressed: the same bytes always, and never more than is allowed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable

import msgspec
import pytest
import zstandard

from bundler.content.compression import (
    MAGIC_BYTES,
    DecompressedStream,
    Encoder,
    recognise_compression,
    start_compressor,
)
from bundler.content.hashing import sha256
from bundler.content.streams import MemoryStream
from bundler.content.zstd_frames import FrameTracker
from bundler.errors import DamagedContent, UsageError
from bundler.model import media_types
from bundler.model.limits import Limits
from tests.fakes.memory import compress
from tests.fakes.streams import SlowStream, drain

# More than one job of zstd at its fast levels, so that several workers have something to share.
LAYER = random.Random(7).randbytes(64) * 60_000 + random.Random(8).randbytes(300_000) + bytes(6 << 20)


def compressed(data: bytes, encoder: Encoder, step: int, workers: int | None = 1) -> bytes:
    compressor = start_compressor(encoder, workers)
    pieces = [
        piece
        for at in range(0, len(data), step)
        for piece in compressor.compress(memoryview(data)[at : at + step])
    ]
    return b"".join([*pieces, *compressor.flush()])


@pytest.mark.parametrize(("algorithm", "level"), [("zstd", 1), ("zstd", 3), ("gzip", 1), ("gzip", 6)])
def test_neither_pieces_nor_workers_change_a_byte(algorithm: str, level: int) -> None:
    encoder = Encoder.choose(algorithm, level)
    expected = sha256(compressed(LAYER, encoder, len(LAYER)))
    for step, workers in ((4093, 1), (1 << 20, 2), (1 << 16, 4), (3_000_000, 99), (1 << 20, None)):
        assert sha256(compressed(LAYER, encoder, step, workers)) == expected
    for step, workers in ((1 << 20, 1), (1 << 20, 2)):  # and once more, should chance have helped
        assert sha256(compressed(LAYER, encoder, step, workers)) == expected


@pytest.mark.parametrize("algorithm", ["zstd", "gzip"])
@pytest.mark.parametrize("data", [b"", b"x", LAYER[:100_000]], ids=len)
def test_what_was_compressed_comes_back(algorithm: str, data: bytes) -> None:
    blob = compressed(data, Encoder.choose(algorithm), 777)
    for step in (1, 1000):
        assert drain(DecompressedStream(SlowStream(blob, step), algorithm), 5000) == data
    if algorithm == "gzip":
        assert gzip.decompress(blob) == data
    else:
        assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(blob)).read() == data


def test_gzip_names_no_time_and_no_machine() -> None:
    header = compress(b"x", "gzip")[:10]
    assert header[:8] == b"\x1f\x8b\x08" + bytes(5)


def test_zstd_has_a_checksum_and_no_size() -> None:
    parameters = zstandard.get_frame_parameters(compress(b"x" * 1000, "zstd"))
    assert parameters.has_checksum
    assert parameters.content_size == zstandard.CONTENTSIZE_UNKNOWN


def test_none_passes_through() -> None:
    assert drain(DecompressedStream(MemoryStream(b"abc"), "none")) == b"abc"


def test_recipes() -> None:
    zstd, gz = Encoder.choose(), Encoder.choose("gzip", 9)
    assert (zstd.algorithm, zstd.library, zstd.level) == ("zstd", "libzstd", 3)
    assert (gz.algorithm, gz.library, gz.level) == ("gzip", "zlib", 9)
    assert zstd.version
    assert (zstd.media_type, gz.media_type) == (media_types.OCI_LAYER_ZSTD, media_types.OCI_LAYER_GZIP)


@pytest.mark.parametrize(
    ("algorithm", "level"),
    [("xz", None), ("", None), ("zstd", 0), ("zstd", 20), ("zstd", -1), ("gzip", 0), ("gzip", 10)],
)
def test_unknown_recipes(algorithm: str, level: int | None) -> None:
    with pytest.raises(UsageError):
        Encoder.choose(algorithm, level)


@pytest.mark.parametrize("algorithm", ["zstd", "gzip"])
def test_every_truncation_is_noticed(algorithm: str) -> None:
    blob = compress(b"layer " * 100, algorithm)
    for length in range(1, len(blob)):
        with pytest.raises(DamagedContent):
            drain(DecompressedStream(MemoryStream(blob[:length]), algorithm))


@pytest.mark.parametrize("algorithm", ["zstd", "gzip"])
def test_every_flipped_bit_is_noticed_or_harmless(algorithm: str) -> None:
    data = b"layer " * 100
    blob = compress(data, algorithm)
    noticed = 0
    for bit in range(8 * len(blob)):
        damaged = bytearray(blob)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert drain(DecompressedStream(MemoryStream(bytes(damaged)), algorithm)) == data
        except DamagedContent:
            noticed += 1
    assert noticed > 6 * len(blob)  # the rest are fields such as gzip's time that change no byte


@pytest.mark.parametrize("algorithm", ["zstd", "gzip"])
def test_several_frames_are_one_stream(algorithm: str) -> None:
    blob = compress(b"one", algorithm) + compress(b"", algorithm) + compress(b"two", algorithm)
    assert drain(DecompressedStream(SlowStream(blob), algorithm)) == b"onetwo"
    with pytest.raises(DamagedContent):
        drain(DecompressedStream(MemoryStream(blob + b"junk"), algorithm))
    with pytest.raises(DamagedContent):
        drain(DecompressedStream(MemoryStream(blob[:-1]), algorithm))


@pytest.mark.parametrize("algorithm", ["zstd", "gzip"])
def test_a_bomb_is_stopped_at_the_bound(algorithm: str) -> None:
    blob = compress(bytes(1_000_001), algorithm)
    assert (
        len(drain(DecompressedStream(MemoryStream(blob), algorithm, Limits(layer_bytes=1_000_001)))) == 1_000_001
    )
    with pytest.raises(DamagedContent, match="the limit layer_bytes is 1000000"):
        drain(DecompressedStream(MemoryStream(blob), algorithm, Limits(layer_bytes=1_000_000)))


def test_a_window_that_needs_too_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=24, write_content_size=False)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    blob = compressor.compress(b"x" * 1000) + compressor.flush()
    assert drain(DecompressedStream(MemoryStream(blob), "zstd", Limits(window_log=24))) == b"x" * 1000
    with pytest.raises(DamagedContent):
        drain(DecompressedStream(MemoryStream(blob), "zstd", Limits(window_log=23)))


def test_closing_closes_what_lies_below() -> None:
    below = SlowStream(compress(b"x", "zstd"))
    DecompressedStream(below, "zstd").close()
    assert below.closed == 1


def frames() -> list[bytes]:
    data = random.Random(1).randbytes(300_000) + bytes(300_000) + b"text " * 50_000
    sized = zstandard.ZstdCompressor(write_content_size=True, write_checksum=False)
    dictionary = zstandard.ZstdCompressionDict(b"text " * 1000)
    return [
        compress(data, "zstd"),
        compress(b"", "zstd"),
        *(sized.compress(data[: 1 << power]) for power in (0, 7, 8, 9, 16, 18)),
        sized.compress(b""),
        zstandard.ZstdCompressor(dict_data=dictionary, write_dict_id=True).compress(b"text text"),
        zstandard.ZstdCompressor(level=19, write_checksum=True).compress(data),
        b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc",
        b"\x5f\x2a\x4d\x18\x00\x00\x00\x00",
    ]


@pytest.mark.parametrize("frame", frames(), ids=lambda frame: f"{len(frame)}-{frame[4]:02x}")
def test_frames_end_where_they_end_and_nowhere_before(frame: bytes) -> None:
    whole = FrameTracker()
    whole.feed(frame)
    assert whole.at_end
    bytewise = FrameTracker()
    for position in range(len(frame)):
        bytewise.feed(frame[position : position + 1])
        assert bytewise.at_end is (position == len(frame) - 1)
    bytewise.feed(frame[:5])
    assert not bytewise.at_end
    bytewise.feed(frame[5:])
    assert bytewise.at_end


# -- forms that are read but never written ------------------------------------------------------------------------

FOREIGN: dict[str, Callable[[bytes], bytes]] = {"xz": lzma.compress, "bzip2": bz2.compress}


@pytest.mark.parametrize("algorithm", FOREIGN)
@pytest.mark.parametrize("data", [b"", b"x", LAYER[:3_000_000]], ids=len)
def test_xz_and_bzip2_are_read_in_pieces_of_any_size(algorithm: str, data: bytes) -> None:
    blob = FOREIGN[algorithm](data)
    assert recognise_compression(blob[:MAGIC_BYTES]) == algorithm
    for step in (1, 1000) if len(data) < 10 else (1000, 1 << 20):
        assert drain(DecompressedStream(SlowStream(blob, step), algorithm), 5000) == data


@pytest.mark.parametrize("algorithm", FOREIGN)
def test_several_members_are_one_stream_and_junk_is_none(algorithm: str) -> None:
    one, empty, two = map(FOREIGN[algorithm], (b"one", b"", b"two"))
    assert drain(DecompressedStream(SlowStream(one + empty + two), algorithm)) == b"onetwo"
    assert drain(DecompressedStream(SlowStream(one + bytes(4096) + two + bytes(8)), algorithm)) == b"onetwo"
    for behind in (b"junk", bytes(8) + b"junk", two[:-1]):
        with pytest.raises(DamagedContent):
            drain(DecompressedStream(MemoryStream(one + behind), algorithm))
    if algorithm == "xz":
        with pytest.raises(DamagedContent, match="junk"):
            drain(DecompressedStream(MemoryStream(one + bytes(3)), algorithm))


@pytest.mark.parametrize("algorithm", FOREIGN)
def test_damage_of_xz_and_bzip2_is_noticed(algorithm: str) -> None:
    data = b"layer " * 100
    blob = FOREIGN[algorithm](data)
    for length in range(len(blob)):
        with pytest.raises(DamagedContent):
            drain(DecompressedStream(MemoryStream(blob[:length]), algorithm))
    for bit in range(8 * len(blob)):
        damaged = bytearray(blob)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert drain(DecompressedStream(MemoryStream(bytes(damaged)), algorithm)) == data
        except DamagedContent:
            continue


@pytest.mark.parametrize("algorithm", FOREIGN)
def test_a_bomb_of_xz_or_bzip2_is_stopped_at_the_bound(algorithm: str) -> None:
    blob = FOREIGN[algorithm](bytes(1_000_001))
    whole = DecompressedStream(MemoryStream(blob), algorithm, most_bytes=1_000_001)
    assert len(drain(whole)) == 1_000_001
    with pytest.raises(DamagedContent, match="more than the 1000000"):
        drain(DecompressedStream(MemoryStream(blob), algorithm, most_bytes=1_000_000))


def test_xz_that_needs_too_much_memory_is_refused() -> None:
    blob = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 24}])
    assert drain(DecompressedStream(MemoryStream(blob), "xz", Limits(window_log=24))) == b"x"
    with pytest.raises(DamagedContent, match="the limit window_log is"):
        drain(DecompressedStream(MemoryStream(blob), "xz", Limits(window_log=23)))


@pytest.mark.parametrize(
    ("start", "algorithm"),
    [
        (b"", "none"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x1f\x8b", "none"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x50\x2a\x4d\x18\x04", "zstd"),
        (b"BZh9", "none"),
        (b"BZh9/layer.tar", "none"),
        (b"BZh0" + bz2.compress(b"x")[4:], "none"),
        (b"manifest.json", "none"),
    ],
)
def test_compression_is_recognised_by_the_first_bytes(start: bytes, algorithm: str) -> None:
    assert recognise_compression(start) == algorithm


def test_the_small_recipe_makes_the_same_bytes_on_every_number_of_cores() -> None:
    far, recipe = random.Random(4).randbytes(9 << 20), Encoder.small()
    data = far + bytes(range(256)) * 1000 + far  # the second one lies beyond the window of level 9
    made = {
        b"".join(
            [*(compressor := start_compressor(recipe, workers)).compress(memoryview(data)), *compressor.flush()]
        )
        for workers in (1, 2, 4)
    }
    (blob,) = made
    assert len(blob) < 9.2 * (1 << 20), "it found what lies far back"
    assert drain(DecompressedStream(MemoryStream(blob), "zstd")) == data


def test_a_recipe_says_what_it_needs() -> None:
    assert msgspec.to_builtins(Encoder.choose("zstd", 9)).keys() == {"algorithm", "library", "version", "level"}
    assert msgspec.to_builtins(Encoder.small())["window_log"] == 26
