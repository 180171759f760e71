"""A second pack is compared with the first: each difference is found, and named by its part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.content.compression import Encoder, start_compressor
from bundler.content.images import Content, EngineForm, FoundImage
from bundler.errors import NotReproducible, Unreachable
from bundler.model.digest import Digest
from bundler.packing.pack import check_reproducible, write_bundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from bundler.progress import Task
from tests.builders import ERP, KIB, SMALL, TwoApplications, contents_of, layer
from tests.fakes.memory import MemorySource


@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        replace(SMALL, part_bytes=0),
        replace(SMALL, part_bytes=100_000),
        replace(SMALL, name="x", version="2"),
    ],
    ids=["cut", "whole", "cut elsewhere", "named"],
)
@pytest.mark.parametrize("algorithm", ["zstd", "gzip"])
def test_the_same_again(tmp_path: Path, options: PackOptions, algorithm: str) -> None:
    packed = TwoApplications()
    chosen = replace(options, encoder=Encoder.choose(algorithm))
    manifest = packed.pack(tmp_path, chosen)
    before = contents_of(tmp_path)
    check_reproducible(packed.plan(), manifest, chosen)
    assert contents_of(tmp_path) == before


class Wayward(MemorySource):
    """A source whose later answers a test may change."""

    def __init__(self) -> None:
        super().__init__("docker")
        self.change: Callable[[list[Content]], list[Content]] = lambda contents: contents

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        yield from self.change(list(super().contents(images, wanted, task)))


@pytest.fixture
def source() -> Wayward:
    """It has one image with three layers."""
    return Wayward()


@pytest.fixture
def plan(source: Wayward) -> PackPlan:
    """The image alone."""
    sizes = {"base": 100 * KIB, "ledger": 90 * KIB, "top": 700}
    image: EngineForm = source.make_engine_image([layer(name, size) for name, size in sizes.items()], ERP)
    return make_plan([PlannedImage("erp", image, source)])


def test_another_order_of_layers(tmp_path: Path, source: Wayward, plan: PackPlan) -> None:
    manifest = write_bundle(plan, tmp_path, SMALL)
    source.change = lambda contents: contents[::-1]
    with pytest.raises(NotReproducible, match=r"erp\.oci\.tar\.00[1-9] is the first part"):
        check_reproducible(plan, manifest, SMALL)
    assert contents_of(tmp_path)["bundle.json"] == manifest.raw


def test_a_compressor_that_gives_other_bytes(
    tmp_path: Path, plan: PackPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write_bundle(plan, tmp_path, SMALL)
    count = iter(range(100))

    def other(encoder: Encoder, workers: int | None = None) -> object:
        # The second layer only: the first part is as it was.
        return start_compressor(encoder if next(count) != 1 else Encoder.choose("zstd", 19), workers)

    monkeypatch.setattr("bundler.packing.pipeline.transform.start_compressor", other)
    with pytest.raises(NotReproducible) as caught:
        check_reproducible(plan, manifest, SMALL)
    blobs = sorted((blob.offset, blob) for blob in manifest.blobs if blob.encoder is not None)
    begin, second = blobs[1]
    last = (begin + second.size) // SMALL.part_bytes
    number = int(str(caught.value).partition(" ")[0].rpartition(".")[2]) - 1
    assert begin // SMALL.part_bytes <= number <= last


def test_another_name_of_the_bundle(tmp_path: Path, plan: PackPlan) -> None:
    manifest = write_bundle(plan, tmp_path, SMALL)
    with pytest.raises(NotReproducible, match=r"another bundle\.json"):
        check_reproducible(plan, manifest, replace(SMALL, version="9"))


def test_another_set_of_archives(tmp_path: Path, source: Wayward, plan: PackPlan) -> None:
    manifest = write_bundle(plan, tmp_path, SMALL)
    shared = make_plan([plan.images[0], PlannedImage("web", plan.images[0].found, source)])
    with pytest.raises(NotReproducible, match="makes an archive"):
        check_reproducible(shared, manifest, SMALL)


def test_an_archive_that_ends_earlier(tmp_path: Path) -> None:
    packed = TwoApplications()
    manifest = packed.pack(tmp_path)
    with pytest.raises(NotReproducible, match=r"oci\.tar"):
        check_reproducible(make_plan(packed.images[:1]), manifest, SMALL)


def test_a_source_that_is_gone_is_not_a_difference(tmp_path: Path, source: Wayward, plan: PackPlan) -> None:
    manifest = write_bundle(plan, tmp_path, SMALL)

    def gone(contents: list[Content]) -> list[Content]:
        raise Unreachable("the engine was stopped")

    source.change = gone
    with pytest.raises(Unreachable):
        check_reproducible(plan, manifest, SMALL)
