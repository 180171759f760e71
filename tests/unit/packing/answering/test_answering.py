"""A bundle that is gone is packed again, to nowhere but the blocks that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.requests.answering import AnswerReport, answer_from
from bundler.bundle.requests.answers.destination import AnswerDestination
from bundler.bundle.requests.block_ranges import BlockAt
from bundler.content.compression import Encoder
from bundler.content.images import Content, FoundImage
from bundler.content.streams import MemoryStream
from bundler.errors import NotReproducible, OutputExists, Unreachable, UsageError
from bundler.model.digest import Digest
from bundler.packing.answering.answering import answer_by_packing, options_like
from bundler.packing.pack import write_bundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from bundler.progress import Task
from tests.bad_blocks import all_blocks, block_bytes_of, blocks_of_answer, request_for, spoil
from tests.builders import ERP, KIB, SMALL, TwoApplications, contents_of, layer, wait_until
from tests.fakes.memory import MemorySource

OPTIONS = {
    "cut": SMALL,
    "whole": replace(SMALL, part_bytes=0),
    "cut elsewhere": replace(SMALL, part_bytes=100_000),
    "gzip": replace(SMALL, part_bytes=150_000, encoder=Encoder.choose("gzip"), name="x", version="2"),
}


class Packed:
    """A bundle that was packed, and what is asked for of it."""

    def __init__(self, directory: Path, options: PackOptions) -> None:
        self.applications, self.options = TwoApplications(), options
        self.place, self.output = directory / "bundle", directory / "answer"
        self.manifest: BundleManifest = self.applications.pack(self.place, options)

    def answer(
        self,
        blocks: Collection[BlockAt],
        manifest: BundleManifest | None = None,
        options: PackOptions | None = None,
    ) -> AnswerReport:
        destination = AnswerDestination(self.output, request_for(self.manifest, blocks))
        return answer_by_packing(self.applications.plan(), destination, options or self.options, manifest=manifest)

    def right(self, blocks: Collection[BlockAt]) -> dict[BlockAt, bytes]:
        return {block: block_bytes_of(self.place, self.manifest, block) for block in blocks}


@pytest.fixture(params=OPTIONS, ids=lambda name: str(name))
def packed(tmp_path: Path, request: pytest.FixtureRequest) -> Packed:
    return Packed(tmp_path, OPTIONS[request.param])


@pytest.mark.parametrize("known", [False, True], ids=["twice", "with the table"])
class TestAllWays:
    def test_all_blocks(self, packed: Packed, known: bool) -> None:
        blocks = all_blocks(packed.manifest)
        report = packed.answer(blocks, packed.manifest if known else None)
        assert (report.written, report.kept, list(report.missing)) == (len(blocks), 0, [])
        assert blocks_of_answer(packed.output) == packed.right(blocks)

    def test_some_blocks(self, packed: Packed, known: bool) -> None:
        blocks = all_blocks(packed.manifest)[1::3]
        packed.answer(blocks, packed.manifest if known else None)
        assert blocks_of_answer(packed.output) == packed.right(blocks)

    def test_the_same_files_as_from_the_bundle(self, packed: Packed, known: bool, tmp_path: Path) -> None:
        blocks = all_blocks(packed.manifest)[::2]
        packed.answer(blocks, packed.manifest if known else None)
        request = request_for(packed.manifest, blocks)
        answer_from(open_bundle(packed.place), AnswerDestination(tmp_path / "other", request))
        assert contents_of(packed.output) == contents_of(tmp_path / "other")

    def test_sources_are_read_as_often_as_need_be(self, packed: Packed, known: bool) -> None:
        before = len(packed.applications.registry.opened)
        packed.answer(all_blocks(packed.manifest)[:1], packed.manifest if known else None)
        assert len(packed.applications.registry.opened) == before * (2 if known else 3)

    def test_nothing_is_read_where_it_is_there(self, packed: Packed, known: bool) -> None:
        blocks = all_blocks(packed.manifest)[:2]
        table = packed.manifest if known else None
        packed.answer(blocks, table)
        before = len(packed.applications.registry.opened)
        report = packed.answer(blocks, table)
        assert (report.kept, report.written) == (2, 0)
        assert len(packed.applications.registry.opened) == before


@pytest.fixture
def small(tmp_path: Path) -> Packed:
    return Packed(tmp_path, SMALL)


def test_other_options_are_refused(small: Packed) -> None:
    other = replace(SMALL, version="7")
    with pytest.raises(NotReproducible, match=r"is for the bundle sha256:\w+, this pack gives sha256:") as caught:
        small.answer([(0, 0)], options=other)
    advice = str(caught.value.advice)
    assert "--manifest" in advice
    assert f"the version 7, the part size {SMALL.part_bytes}, the block size {SMALL.block_bytes}, " in advice
    assert not small.output.exists()
    with pytest.raises(UsageError, match=r"make another bundle .*: the version is 7, it was 0$"):
        small.answer([(0, 0)], small.manifest, other)
    assert not small.output.exists()


def test_all_that_differs_is_said(small: Packed) -> None:
    other = replace(SMALL, name="x", part_bytes=1 << 20, block_bytes=1 << 20, encoder=Encoder.choose("gzip"))
    with pytest.raises(UsageError) as caught:
        small.answer([(0, 0)], small.manifest, other)
    said = str(caught.value)
    assert f"the part size is {1 << 20}, it was {SMALL.part_bytes}" in said
    assert f"the block size is {1 << 20}, it was {SMALL.block_bytes}" in said
    assert f"the name is x, it was {small.manifest.name}" in said


def test_an_image_that_is_another_one_is_named(small: Packed) -> None:
    (application, *rest) = small.manifest.applications
    (image, *others) = application.images
    moved = structs.replace(image, reference="reg.test/gone:1")
    table = structs.replace(application, images=(moved, *others))
    manifest = replace(small.manifest, applications=(table, *rest))
    with pytest.raises(
        UsageError, match=r"the image reg\.test/gone:1 in the application \w+ is not there, it was sha256:"
    ):
        small.answer([(0, 0)], manifest)


def test_blocks_that_there_are_not(small: Packed) -> None:
    with pytest.raises(UsageError, match="block 1 of part 0"):
        small.answer([(0, 0), (0, 1)], small.manifest)
    assert not small.output.exists()
    # Without the table the request is believed, and it is the pack that is another one.
    with pytest.raises(NotReproducible, match=r"gives another bundle .* block 1 of part 0") as caught:
        small.answer([(0, 0), (0, 1)])
    assert "the part size" in str(caught.value.advice)
    assert not small.output.exists()


def test_an_answer_that_is_not_whole_is_not_lost(small: Packed) -> None:
    blocks = all_blocks(small.manifest)
    whole = small.right(blocks)
    spoil(small.place, small.manifest, blocks[1:3])
    request = request_for(small.manifest, blocks)
    answer_from(open_bundle(small.place), AnswerDestination(small.output, request))
    before = contents_of(small.output)
    with pytest.raises(OutputExists, match="could not be kept"):
        small.answer(blocks)
    assert contents_of(small.output) == before
    # With the table it is known what of it is right.
    report = small.answer(blocks, small.manifest)
    assert (report.kept, report.written) == (len(blocks) - 2, 2)
    assert blocks_of_answer(small.output) == whole


class Wayward(MemorySource):
    """An engine that changes from some reading on: another order, or it breaks off when ``until`` holds."""

    def __init__(self, until: Callable[[], bool] | None = None) -> None:
        super().__init__("docker")
        self.readings, self.wayward_from, self.until = 0, 99, until

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        self.readings += 1
        contents = list(super().contents(images, wanted, task))
        if self.readings >= self.wayward_from:
            if self.until is not None:
                yield from map(self.again, contents[:-1])
                wait_until(self.until)
                raise Unreachable("it broke off")
            contents.reverse()
        yield from map(self.again, contents)

    def again(self, content: Content) -> Content:
        return Content(content.digest, content.size, MemoryStream(self.blobs[content.digest]))


def wayward(tmp_path: Path, until: Callable[[], bool] | None = None) -> tuple[Wayward, PackPlan, BundleManifest]:
    source = Wayward(until)
    image = source.make_engine_image([layer("base", 100 * KIB), layer("top", 90 * KIB)], ERP)
    plan = make_plan([PlannedImage("erp", image, source)])
    return source, plan, write_bundle(plan, tmp_path / "bundle", SMALL)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("first_wayward", [1, 2])
def test_a_source_that_changed(tmp_path: Path, known: bool, first_wayward: int) -> None:
    if known and first_wayward == 2:
        return  # there is no second reading
    source, plan, manifest = wayward(tmp_path)
    source.wayward_from = source.readings + first_wayward
    destination = AnswerDestination(tmp_path / "answer", request_for(manifest, all_blocks(manifest)))
    with pytest.raises(NotReproducible):
        answer_by_packing(plan, destination, SMALL, manifest=manifest if known else None)
    assert not (tmp_path / "answer").exists()


def test_a_source_that_breaks_off(tmp_path: Path) -> None:
    partial = tmp_path / "answer" / "answer.001.partial"
    source, plan, manifest = wayward(tmp_path, lambda: partial.exists() and partial.stat().st_size >= 64 * KIB)
    source.wayward_from = source.readings + 1
    blocks = all_blocks(manifest)
    request = request_for(manifest, blocks)
    with pytest.raises(Unreachable):
        answer_by_packing(plan, AnswerDestination(tmp_path / "answer", request), SMALL, manifest=manifest)
    assert not (tmp_path / "answer" / "answer.json").exists()
    source.wayward_from = 99
    report = answer_by_packing(plan, AnswerDestination(tmp_path / "answer", request), SMALL, manifest=manifest)
    # What came before it broke is known to be right.
    assert report.kept >= 1
    assert report.kept + report.written == len(blocks)
    assert blocks_of_answer(tmp_path / "answer") == {
        block: block_bytes_of(tmp_path / "bundle", manifest, block) for block in blocks
    }


def test_options_from_the_table(small: Packed) -> None:
    assert replace(options_like(small.manifest), workers=1) == replace(SMALL, name="erp-shop")
    manifest = Packed(small.output, OPTIONS["gzip"]).manifest
    assert replace(options_like(manifest), workers=1) == OPTIONS["gzip"]


def test_another_version_of_the_compressor(small: Packed) -> None:
    old = Encoder(algorithm="zstd", library="libzstd", version="0.0.1", level=3)
    blobs = tuple(
        structs.replace(blob, encoder=old) if blob.encoder is not None else blob for blob in small.manifest.blobs
    )
    with pytest.raises(UsageError, match=r"compressed by libzstd 0\.0\.1, this is libzstd"):
        options_like(replace(small.manifest, blobs=blobs))
