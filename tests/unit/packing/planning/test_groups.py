"""Which images are read together. Names of layers are letters, bottom first."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from bundler.content.hashing import sha256
from bundler.content.images import EngineForm
from bundler.model.digest import Digest
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.packing.planning.groups import LARGEST_GROUP, make_groups
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from tests.fakes.memory import MemorySource
from tests.unit.engines import layer

_SOURCE = MemorySource("docker")


def diff_id(letter: str) -> Digest:
    return sha256(letter.encode())


def planned(name: str, layers: str, application: str = "web", config: str = "") -> PlannedImage:
    """An image of these layers; its config is its own unless another name is given for it."""
    form = EngineForm(
        reference=Reference.parse(f"test.example/{name}:1"),
        config_digest=sha256((config or name).encode()),
        diff_ids=tuple(map(diff_id, layers)),
        platform=Platform.parse("linux/amd64"),
    )
    return PlannedImage(application, form, _SOURCE)


def names(groups: Iterable[Iterable[PlannedImage]]) -> list[list[str]]:
    return [[image.reference.repository for image in group] for group in groups]


def grouped(*images: PlannedImage) -> list[list[str]]:
    return names(make_groups(make_plan(images)))


def test_images_on_one_base_are_one_group_and_others_stay_alone() -> None:
    images = [planned("a", "123"), planned("b", "14"), planned("c", "5"), planned("d", "126"), planned("e", "78")]
    assert grouped(*images) == [["a", "b", "d"], ["c"], ["e"]]


def test_a_group_may_span_applications() -> None:
    assert grouped(planned("b", "12", "erp"), planned("a", "13", "shop"), planned("z", "4", "erp")) == [
        ["b", "a"],
        ["z"],
    ]


def test_the_source_makes_no_difference() -> None:
    other = PlannedImage("web", planned("b", "13").found, MemorySource("docker"))
    assert grouped(planned("a", "12"), other) == [["a", "b"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "12"), ("12", "12"), ("12", "32"), ("123", "143"), ("12", "3214")],
    ids=["a base and what stands on it", "a top layer of two configs", "two tops", "another layer below", "high"],
)
def test_a_layer_with_two_places_keeps_images_apart(one: str, other: str) -> None:
    assert grouped(planned("a", one), planned("b", other)) == [["a"], ["b"]]
    assert grouped(planned("a", other), planned("b", one)) == [["a"], ["b"]]


def test_a_layer_that_was_read_before_keeps_nobody_apart() -> None:
    # `1` is the top of `a`, and comes with it: where an engine would put it for the others matters no more.
    assert grouped(planned("a", "1"), planned("b", "12"), planned("c", "13")) == [["a"], ["b", "c"]]
    # So with three configs over the same layers.
    assert grouped(*(planned(name, "12") for name in "abc")) == [["a"], ["b", "c"]]


def test_one_config_under_several_names_is_one_image() -> None:
    images = [
        planned("a", "12", config="x"),
        planned("b", "12", config="x"),
        planned("c", "12", "erp", config="x"),
    ]
    assert grouped(*images) == [["c", "a", "b"]]


def test_a_layer_twice_in_an_image_lies_at_its_lower_place() -> None:
    assert grouped(planned("a", "121"), planned("b", "13")) == [["a", "b"]]
    assert grouped(planned("a", "211"), planned("b", "13")) == [["a"], ["b"]]


def test_an_image_joins_the_last_group_that_has_one_of_its_layers() -> None:
    # `d` would fit to `a` too, but a group must not want what a later one is to bring.
    images = [planned("a", "12"), planned("b", "12x"), planned("c", "34"), planned("d", "125")]
    assert grouped(*images) == [["a"], ["b", "d"], ["c"]]


def test_a_group_has_a_largest_size() -> None:
    letters = "abcdefghijklmnopqrst"
    images = [planned(letter, f"1{letter}") for letter in letters]
    sizes = [len(group) for group in grouped(*images)]
    assert sizes == [LARGEST_GROUP, LARGEST_GROUP, len(letters) - 2 * LARGEST_GROUP]


def test_images_that_have_digests_stay_alone() -> None:
    source = MemorySource("registry")
    base = layer("base")
    images = [source.make_image([base, layer(name)], f"test.example/{name}:1") for name in ("r", "s")]
    plan = make_plan([PlannedImage("web", image, source) for image in images])
    assert names(make_groups(plan)) == [["r"], ["s"]]


def test_an_image_without_layers_is_no_trouble() -> None:
    assert grouped(planned("a", ""), planned("b", ""), planned("c", "1")) == [["a"], ["b"], ["c"]]


def _any_plan(numbers: random.Random) -> PackPlan:
    images = [
        planned(
            f"i{number}",
            "".join(numbers.choices("12345", k=numbers.randrange(5))),
            application=numbers.choice(["web", "erp", "crm"]),
        )
        for number in range(numbers.randrange(1, 25))
    ]
    return make_plan(images)


@pytest.mark.parametrize("seed", range(150))
def test_laws(seed: int) -> None:
    plan = _any_plan(random.Random(seed))
    groups = make_groups(plan)
    order = {image: number for number, image in enumerate(plan.images)}
    # Every image is in one group; groups are in the order of their first images, each in that of the plan.
    assert sorted(order[image] for group in groups for image in group) == list(range(len(plan.images)))
    assert [group[0] for group in groups] == sorted((group[0] for group in groups), key=order.__getitem__)
    read: set[Digest] = set()
    for group in groups:
        assert list(group) == sorted(group, key=order.__getitem__)
        assert len(group) <= LARGEST_GROUP
        # What is read with a group lies at one place in it, whichever of its images an engine begins with.
        places: dict[Digest, object] = {}
        for image in group:
            assert isinstance(image.found, EngineForm)
            for digest, place in _first_places(image.found).items():
                assert digest in read or places.setdefault(digest, place) == place
        read |= places.keys()


def _first_places(found: EngineForm) -> dict[Digest, object]:
    """What an engine before 25 names a place after: the layers up to there, and for the top one the config."""
    result: dict[Digest, object] = {}
    for number, digest in enumerate(found.diff_ids):
        is_top = number == len(found.diff_ids) - 1
        result.setdefault(digest, found.config_digest if is_top else found.diff_ids[: number + 1])
    return result
