"""Images that share layers are read together: with fewer requests, and always into the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.hashing import sha256
from bundler.content.images import FoundImage, ImageSource
from bundler.content.streams import StreamFile
from bundler.model.digest import Digest
from bundler.packing.group_reader import read_group
from bundler.packing.pack import write_bundle
from bundler.packing.planning.groups import make_groups
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.engine import EngineSource
from bundler.transports.engine import EngineClient
from tests.builders import KIB, SMALL, contents_of, layer
from tests.fakes.engine import FakeEngine
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.streams import read_and_close
from tests.unit.engines import CLASSIC, NEW_CLASSIC, load, make_fake

# With this base the order depends on who has it first: images that must not be read together would show.
_BASE, _LIBRARY = layer("base1", 90 * KIB), layer("library", 20 * KIB)
#: Images by name: three on one library, their base by itself, one that stands alone, and a pair of one top layer.
_IMAGES: Mapping[str, Sequence[bytes]] = {
    "together.test/base:1": [_BASE],
    "together.test/crm:1": [_BASE, _LIBRARY, layer("crm", 70 * KIB)],
    "together.test/erp:1": [_BASE, _LIBRARY, layer("erp", 3 * KIB), layer("erp top", KIB)],
    "together.test/shop:1": [_BASE, _LIBRARY, layer("shop", 130 * KIB), _BASE],
    "together.test/alone:1": [layer("alone", 30 * KIB)],
}
_APPLICATIONS = {
    "erp": ["together.test/erp:1", "together.test/base:1"],
    "shop": ["together.test/shop:1", "together.test/crm:1", "together.test/alone:1"],
    "zoo": ["together.test/crm:1", "together.test/twin:1"],
}


class Near:
    """An engine with all the images, its client and its source."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.client = EngineClient(engine.host)
        self.source = EngineSource(self.client)
        memory = MemorySource()
        for name, layers in _IMAGES.items():
            load(self.client, memory, memory.make_image(layers, name))
        # Another config over the layers of `crm`: where its top layer lies depends on which one comes first.
        crm = _IMAGES["together.test/crm:1"]
        load(self.client, memory, memory.make_image(crm, "together.test/twin:1", platform="linux/arm64"))
        engine.saves.clear()

    def save(self, path: Path, *names: str) -> DockerArchiveSource:
        path.write_bytes(StreamFile(self.client.save(*names)).read())
        return DockerArchiveSource(path)


@pytest.fixture(params=[CLASSIC, NEW_CLASSIC])
def near(request: pytest.FixtureRequest) -> Iterator[Near]:
    with make_fake(request.param) as engine:
        near = Near(engine)
        yield near
        near.client.close()


def plan_of(source_of: Callable[[str], ImageSource]) -> PackPlan:
    images = []
    for application, names in _APPLICATIONS.items():
        for name in names:
            source = source_of(name)
            (found,) = source.resolve(name)
            images.append(PlannedImage(application, found, source))
    return make_plan(images)


def packed(plan: PackPlan, output: Path, options: PackOptions = SMALL) -> dict[str, bytes]:
    write_bundle(plan, output, options)
    return contents_of(output)


def all_names() -> list[str]:
    return sorted({name for names in _APPLICATIONS.values() for name in names})


def test_the_engine_is_asked_once_for_each_group(near: Near, tmp_path: Path) -> None:
    plan = plan_of(lambda name: near.source)
    manifest = write_bundle(plan, tmp_path, SMALL)
    asked = [[plan_name(plan, image_id) for image_id in names] for names in near.engine.saves]
    # Two are asked for beside one another; which of them the engine hears first is chance.
    assert sorted(asked) == sorted([["base"], ["erp", "crm", "shop"], ["alone"], ["twin"]])
    assert [archive.name for archive in manifest.archives] == ["shared", "erp", "shop", "zoo"]
    assert verify_bundle(open_bundle(tmp_path), "deep").ok
    for application, names in _APPLICATIONS.items():
        (row,) = (one for one in manifest.applications if one.name == application)
        assert [image.reference for image in row.images] == sorted(names)


def plan_name(plan: PackPlan, image_id: str) -> str:
    (name,) = {image.reference.repository for image in plan.images if image.found.config_digest == image_id}  # type: ignore[union-attr]
    return name.rpartition("/")[2]


def test_an_engine_gives_the_same_each_time_and_with_any_number_of_threads(near: Near, tmp_path: Path) -> None:
    right = packed(plan_of(lambda name: near.source), tmp_path / "right")
    for number, workers in enumerate([1, 2, 4] * 2):
        options = replace(SMALL, workers=workers)
        # The fake saves the images of a request in another order each time.
        assert packed(plan_of(lambda name: near.source), tmp_path / str(number), options) == right


def test_the_order_of_arguments_makes_no_difference(near: Near, tmp_path: Path) -> None:
    plan = plan_of(lambda name: near.source)
    right = packed(plan, tmp_path / "right")
    for number in range(6):
        images = list(plan.images)
        random.Random(number).shuffle(images)
        assert packed(make_plan(images), tmp_path / str(number)) == right


def test_files_of_the_engine_give_the_same(near: Near, tmp_path: Path) -> None:
    right = packed(plan_of(lambda name: near.source), tmp_path / "engine")
    whole = near.save(tmp_path / "all.tar", *all_names())
    assert packed(plan_of(lambda name: whole), tmp_path / "one file") == right
    alone = {name: near.save(tmp_path / f"{number}.tar", name) for number, name in enumerate(all_names())}
    assert packed(plan_of(alone.__getitem__), tmp_path / "a file for each") == right
    # Part of it from the engine, part of it from files.
    mixed: dict[str, ImageSource] = {
        **alone,
        "together.test/crm:1": near.source,
        "together.test/base:1": near.source,
    }
    assert packed(plan_of(mixed.__getitem__), tmp_path / "both") == right


@pytest.mark.parametrize("kind", ["engine", "one file", "a file for each"])
def test_what_is_still_wanted_comes_in_the_same_order(near: Near, tmp_path: Path, kind: str) -> None:
    alone = {name: near.save(tmp_path / f"{number}.tar", name) for number, name in enumerate(all_names())}
    whole = near.save(tmp_path / "all.tar", *all_names())
    sources: dict[str, Callable[[str], ImageSource]] = {
        "engine": lambda name: near.source,
        "one file": lambda name: whole,
        "a file for each": alone.__getitem__,
    }
    plan = plan_of(sources[kind])
    read: set[Digest] = set()
    for group in make_groups(plan):
        wanted = {digest for image in group for digest in image.found.digests} - read
        order = [content.digest for content in read_group(group, wanted, CountingTask())]
        assert sorted(order) == sorted(wanted)
        for number in range(6):
            some = set(random.Random(number).sample(order, number % len(order)))
            found = [content.digest for content in read_group(group, some, CountingTask())]
            assert found == [digest for digest in order if digest in some]
        read |= wanted


def test_an_image_of_which_nothing_is_missing_is_not_asked_for(near: Near) -> None:
    (group,) = (group for group in make_groups(plan_of(lambda name: near.source)) if len(group) > 2)
    forms: list[FoundImage] = [image.found for image in group]
    own = forms[0].digests.difference(*(form.digests for form in forms[1:]))
    near.engine.saves.clear()
    assert {content.digest for content in read_group(group, own, CountingTask())} == own
    assert near.engine.saves == [[forms[0].config_digest]]  # type: ignore[union-attr]
    assert list(read_group(group, [], CountingTask())) == []
    assert len(near.engine.saves) == 1


def test_contents_of_a_group_are_right(near: Near) -> None:
    plan = plan_of(lambda name: near.source)
    for group in make_groups(plan):
        wanted = {digest for image in group for digest in image.found.digests}
        for content in read_group(group, wanted, CountingTask()):
            assert sha256(read_and_close(content.stream)) == content.digest


def test_archives_of_several_applications_are_open_no_longer_than_needed(tmp_path: Path) -> None:
    """Applications whose images are read with those of others are whole, and in their order."""
    source = MemorySource("docker")
    shared = layer("shared", 5 * KIB)
    images = {
        name: [source.make_engine_image([shared, layer(f"{name}{n}", KIB)], f"x/{name}{n}:1") for n in range(5)]
        for name in ("c", "a", "b", "d")
    }
    planned = [PlannedImage(name, image, source) for name, found in images.items() for image in found]
    manifest = write_bundle(make_plan(planned), tmp_path, SMALL)
    assert [archive.name for archive in manifest.archives] == ["shared", "a", "b", "c", "d"]
    assert [application.name for application in manifest.applications] == ["a", "b", "c", "d"]
    assert verify_bundle(open_bundle(tmp_path), "deep").ok
    assert len(source.opened) == len(set(source.opened))
