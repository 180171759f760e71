"""How images are divided between two requests to an engine."""

from __future__ import annotations

import pytest

from bundler.content.hashing import sha256
from bundler.content.images import EngineForm
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.sources.engine_halves import in_halves


def _form(name: str, size: int | None, *layers: str) -> EngineForm:
    diff_ids = tuple(sha256(layer.encode()) for layer in layers)
    reference = Reference.parse(f"halves.test/{name}:1")
    return EngineForm(reference, sha256(name.encode()), diff_ids, Platform("linux", "amd64"), size)


def _names(forms: list[EngineForm]) -> list[set[str]]:
    return [{form.reference.repository for form in half} for half in in_halves(forms)]


def test_one_image_is_one_request_also_under_two_names() -> None:
    one = _form("a", 10, "x")
    assert in_halves([one]) == ((one,),)
    assert in_halves([one, one]) == ((one,),)


def test_the_halves_are_about_as_large() -> None:
    forms = [_form("a", 500, "a"), _form("b", 300, "b"), _form("c", 150, "c"), _form("d", 40, "d")]
    assert _names(forms) == [{"a"}, {"b", "c", "d"}]


def test_images_that_share_most_go_together() -> None:
    """A second image on the three large layers of the first adds a fourth of its bytes."""
    base = ("x", "y", "z")
    forms = [_form("a", 400, *base, "a"), _form("b", 400, *base, "b"), _form("c", 450, "c")]
    assert _names(forms) == [{"c"}, {"a", "b"}]


@pytest.mark.parametrize("size", [None, 0])
def test_sizes_that_nobody_knows_lose_no_image(size: int | None) -> None:
    forms = [_form(name, size, name) for name in "abcde"]
    assert set().union(*_names(forms)) == set("abcde")
    forms = [_form(name, size) for name in "ab"]
    assert set().union(*_names(forms)) == set("ab")


def test_the_order_makes_no_difference() -> None:
    forms = [_form("a", 500, "x", "a"), _form("b", 500, "x", "b"), _form("c", 500, "x", "c")]
    assert in_halves(forms) == in_halves(forms[::-1])
