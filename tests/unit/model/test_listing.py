from __future__ import annotations

import pytest

from bundler.model.listing import first_of


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (list("abcde"), "a, b and 3 more")],
)
def test_at_most_the_first_ones_are_named(names: list[str], said: str) -> None:
    assert first_of(names, 2) == said
