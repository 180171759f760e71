from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bundler.transports.registry.words import clean


def test_a_terminal_is_not_steered() -> None:
    assert clean("no\x1b[2Jway\r\nERROR forged") == "no\\x1b[2Jway ERROR forged"
    assert clean("right\u202eleft") == "right\\u202eleft"


@given(st.text())
def test_the_result_is_one_printable_line_of_bounded_length(text: str) -> None:
    shown = clean(text, 50)
    assert shown.isprintable()
    assert len(shown) <= 50
