from __future__ import annotations

import pytest

from bundler.errors import UsageError
from bundler.transports.registry.upload.breaks import LEAST_PIECE_BYTES, Broken
from bundler.transports.registry.upload.piece_size import PieceSize

MIB = 1 << 20
LARGE = 1 << 40


def test_the_size_follows_the_rate_within_bounds() -> None:
    pieces = PieceSize()
    assert pieces.choose(LARGE, 0) == 16 * MIB
    for rate, size in ((1, 16), (10, 50), (1000, 256)):
        fresh = PieceSize()
        fresh.sent(16 * MIB, 16 / rate)
        assert fresh.choose(LARGE, 0) == pytest.approx(size * MIB, rel=1e-6)
    # What is small says nothing about the rate.
    pieces.sent(1000, 1e-9)
    assert pieces.choose(LARGE, 0) == 16 * MIB


def test_a_fixed_size_stays() -> None:
    pieces = PieceSize(100_000)
    pieces.sent(16 * MIB, 0.001)
    assert pieces.choose(LARGE, 0) == 100_000
    assert pieces.choose(500, 0) == 500
    with pytest.raises(UsageError):
        PieceSize(LEAST_PIECE_BYTES - 1)


@pytest.mark.parametrize(
    ("left", "length"), [(100_000, 100_000), (100_001, 99_999), (100_002, 100_000), (1, 1), (0, 0)]
)
def test_a_piece_of_one_byte_is_never_left_over(left: int, length: int) -> None:
    assert PieceSize(100_000).choose(left, 0) == length


def test_the_registrys_least_is_obeyed() -> None:
    assert PieceSize(100_000).choose(LARGE, 5 * MIB) == 5 * MIB
    assert PieceSize().choose(3 * MIB, 5 * MIB) == 3 * MIB


def test_refused_sizes_shrink_for_good() -> None:
    pieces, sizes = PieceSize(), []
    while pieces.refused(pieces.choose(LARGE, 0)):
        sizes.append(pieces.choose(LARGE, 0))
    assert sizes == [4 * MIB, 1 * MIB, 256 << 10, 64 << 10]
    for _ in range(1000):
        pieces.sent(MIB, 1)
    assert pieces.choose(LARGE, 0) == LEAST_PIECE_BYTES
    assert not pieces.careful


def test_sizes_under_which_connections_break_are_bounded() -> None:
    pieces = PieceSize()
    assert not pieces.are_taken
    assert pieces.broke(Broken(16 * MIB, 3 * MIB))
    assert pieces.careful
    assert pieces.usual < 3 * MIB
    # Of those that were under way at the same time nothing more is learnt, but they also go on in another size.
    assert pieces.broke(Broken(16 * MIB, 3 * MIB, again=True))
    pieces.sent(MIB, 1)
    assert pieces.are_taken


def test_each_break_brings_another_size_only_so_often() -> None:
    pieces, count = PieceSize(), 0
    while pieces.broke(Broken(pieces.choose(LARGE, 0), 1000, again=True)):
        count += 1
    assert pieces.usual == LEAST_PIECE_BYTES
    assert 1 <= count <= 4


def test_a_limit_of_the_proxy_stands_above_lost_answers() -> None:
    pieces = PieceSize(MIB)
    pieces.refused(2 * MIB)
    pieces.sent(512 << 10, 1)
    assert not pieces.broke(Broken(512 << 10, 512 << 10, again=True))
    assert pieces.usual == 512 << 10


def test_whole_blobs_have_no_other_size() -> None:
    pieces = PieceSize()
    pieces.send_whole()
    assert not pieces.broke(Broken(16 * MIB, MIB, whole=True))


def test_whole_blobs() -> None:
    pieces = PieceSize()
    assert pieces.send_whole()
    assert not pieces.send_whole()
    assert pieces.choose(LARGE, 0) == LARGE
