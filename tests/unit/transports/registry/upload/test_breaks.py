"""What is concluded from connections that break: cuts, lost answers, and accidents."""

from __future__ import annotations

from bundler.transports.registry.upload.breaks import LEAST_PIECE_BYTES, Breaks, Broken

MIB = 1 << 20


def network(breaks: Breaks, limit: int, wanted: int, *, lost: bool, pieces: int) -> list[int]:
    """Send so many pieces through a network that cuts above a limit; return the sizes that were cut."""
    cut, again = [], False
    for _ in range(pieces):
        length = breaks.bound(wanted)
        if length > limit:
            breaks.broke(Broken(length, min(length, limit + MIB), lost=lost, again=again), length)
            cut.append(length)
        else:
            breaks.sent(length)
        again = length > limit
    return cut


def test_below_a_cut_nothing_is_cut_any_more_and_nothing_dared_where_uploads_are_lost() -> None:
    for wanted in (256 * MIB, 16 * MIB, MIB):
        cut = network(Breaks(), 300_000, wanted, lost=True, pieces=5_000)
        # The first time that all of a piece left it may also have been its answer.
        assert cut == sorted(cut, reverse=True)
        assert len(cut) <= 4


def test_larger_pieces_are_dared_more_and_more_seldom_where_only_a_piece_is_lost() -> None:
    breaks = Breaks()
    assert 5 <= len(network(breaks, 300_000, 16 * MIB, lost=False, pieces=20_000)) <= 12
    # What was only an accident is made good.
    breaks = Breaks()
    breaks.broke(Broken(16 * MIB, 10 * MIB, lost=False, again=True), 16 * MIB)
    assert breaks.bound(16 * MIB) == 4 * MIB
    for _ in range(300):
        breaks.sent(4 * MIB)
    assert breaks.bound(16 * MIB) == 16 * MIB


def test_lost_answers_make_pieces_larger() -> None:
    breaks = Breaks()
    breaks.sent(2 * MIB)
    breaks.broke(Broken(2 * MIB, 2 * MIB), 2 * MIB)
    assert breaks.bound(2 * MIB) == 16 * MIB
    # Also of a second thread, whose piece was on its way then.
    breaks.broke(Broken(2 * MIB, 2 * MIB, again=True), 16 * MIB)
    assert breaks.bound(2 * MIB) == 16 * MIB


def test_what_was_taken_for_a_lost_answer_and_was_a_cut() -> None:
    breaks = Breaks()
    breaks.sent(MIB)
    breaks.broke(Broken(MIB, MIB), MIB)
    assert breaks.bound(MIB) == 8 * MIB
    # The whole blob in one request, and it is not there.
    breaks.broke(Broken(8 * MIB, 8 * MIB, whole=True), 8 * MIB)
    assert breaks.bound(MIB) == MIB // 4
    breaks.sent(MIB // 4)
    breaks.broke(Broken(MIB // 4, MIB // 4, again=True), MIB // 4)
    assert breaks.bound(MIB) == LEAST_PIECE_BYTES


def test_one_break_that_nothing_passed_before_may_be_either() -> None:
    breaks = Breaks()
    breaks.broke(Broken(2 * MIB, 2 * MIB), 2 * MIB)
    assert breaks.any
    assert breaks.bound(2 * MIB) == 2 * MIB
    breaks.broke(Broken(2 * MIB, 2 * MIB, again=True), 2 * MIB)
    assert breaks.bound(2 * MIB) == MIB // 2


def test_accidents_change_nothing_unless_they_come_again() -> None:
    for length, good in ((16 * MIB, 16), (MIB, 0)):
        breaks = Breaks()
        for _ in range(good):
            breaks.sent(16 * MIB)
        breaks.broke(Broken(length, length // 2), 16 * MIB)
        assert breaks.bound(16 * MIB) == 16 * MIB
        breaks.broke(Broken(length, length // 2, again=True), 16 * MIB)
        assert breaks.bound(16 * MIB) == length // 4
