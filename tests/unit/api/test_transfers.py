"""Out of a bundle: image by image, and progress that ends exactly where it should."""

from __future__ import annotations

import _thread
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bundler.api import transfers
from bundler.api.transfer_report import TransferReport, WaitingImage
from bundler.api.transfers import Selection, extract
from bundler.bundle.reader import Bundle, open_bundle
from bundler.content.images import BlobReader, ImageDestination, OutgoingImage, PutResult
from bundler.content.stopping import Stopping
from bundler.errors import (
    AirbundleError,
    DamagedBundle,
    DamagedContent,
    DiskError,
    IncompleteBundle,
    NotFound,
    OutputExists,
    PolicyRefused,
    ProtocolError,
    Refused,
    ServerFault,
    Unreachable,
    UsageError,
)
from bundler.progress import Task
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.oci_layout import OciLayoutSource
from tests.builders import ERP, SHOP, SHOP_TOOLS, TwoApplications, flip, layer, pack_images
from tests.fakes.memory import CountingTask, MemoryDestination, MemorySource

ALL = [ERP, SHOP_TOOLS, SHOP]


@dataclass
class Watched:
    """A progress with one task, which must never pass its end."""

    total: int | None = None
    task_made: CountingTask = field(default_factory=CountingTask)

    def task(self, label: str, total: int | None = None) -> Task:
        assert self.total is None
        self.total = total
        return self.task_made

    def message(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture
def packed() -> TwoApplications:
    return TwoApplications()


@pytest.fixture
def bundle(tmp_path: Path, packed: TwoApplications) -> Bundle:
    packed.pack(tmp_path / "bundle")
    return open_bundle(tmp_path / "bundle")


def transfer(
    bundle: Bundle, destination: ImageDestination, selection: Selection | None = None
) -> tuple[TransferReport, Watched]:
    progress = Watched()
    report = transfers._transfer(bundle, selection, lambda: destination, "put", progress)
    return report, progress


class Failing(MemoryDestination):
    """Refuses some images after half of the work."""

    def __init__(self, errors: dict[str, AirbundleError]) -> None:
        super().__init__()
        self.errors = errors
        self.asked: list[str] = []

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        self.asked.append(str(image.reference))
        if error := self.errors.get(str(image.reference)):
            task.advance(100)
            raise error
        return super().put(image, reader, task)


def size_of(bundle: Bundle, *names: str) -> int:
    digests = {digest for _, image in bundle.images(names=names) for digest in image.blobs}
    return sum(bundle.manifest.blob_by_digest[digest].size for digest in digests)


def test_everything(bundle: Bundle) -> None:
    destination = MemoryDestination()
    report, progress = transfer(bundle, destination)
    assert [result.reference for result in report.results] == ALL
    assert report.failures == ()
    assert destination.state == "finished"
    assert set(destination.blobs) == {blob.digest for blob in bundle.manifest.blobs}
    # Shared layers once, in the total and in what was done.
    assert progress.total == progress.task_made.done == sum(blob.size for blob in bundle.manifest.blobs)
    assert report.bytes_sent == sum(map(len, destination.blobs.values()))
    assert report.bytes_skipped > 0


def test_again_sends_nothing_and_the_progress_still_ends(bundle: Bundle) -> None:
    destination = MemoryDestination()
    transfer(bundle, destination)
    report, progress = transfer(bundle, destination)
    assert (report.bytes_sent, {result.status for result in report.results}) == (0, {"skipped"})
    assert progress.total == progress.task_made.done


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(), ALL),
        (Selection(("shop",)), [SHOP_TOOLS, SHOP]),
        (Selection(images=(ERP, SHOP)), [ERP, SHOP]),
        (Selection(("shop",), (SHOP,)), [SHOP]),
    ],
)
def test_selections(bundle: Bundle, selection: Selection, names: list[str]) -> None:
    report, progress = transfer(bundle, MemoryDestination(), selection)
    assert [result.reference for result in report.results] == names
    assert progress.total == progress.task_made.done == size_of(bundle, *names)


def test_what_is_not_there_opens_no_destination(bundle: Bundle) -> None:
    for selection in (Selection(("web",)), Selection(images=("nobody",))):
        with pytest.raises(NotFound):
            transfers._transfer(bundle, selection, lambda: pytest.fail("opened"), "put", Watched())


@pytest.mark.parametrize(
    "error",
    [
        *(DamagedContent("x"), PolicyRefused("x"), Refused("x"), DiskError("x"), NotFound("x")),
        # A peer that answers is there; it may like the next image better.
        *(ProtocolError("x"), ServerFault("x")),
    ],
    ids=repr,
)
def test_one_failing_image_does_not_stop_the_others(bundle: Bundle, error: AirbundleError) -> None:
    destination = Failing({SHOP_TOOLS: error})
    report, progress = transfer(bundle, destination)
    assert [result.reference for result in report.results] == [ERP, SHOP]
    assert report.failures == ((SHOP_TOOLS, error),)
    assert destination.state == "finished"
    assert progress.total == progress.task_made.done


def test_a_lost_destination_stops_and_no_image_is_forgotten(bundle: Bundle) -> None:
    error = Unreachable("gone")
    destination = Failing({SHOP_TOOLS: error})
    report, progress = transfer(bundle, destination)
    assert destination.asked == [ERP, SHOP_TOOLS]
    assert [result.reference for result in report.results] == [ERP]
    assert [name for name, _ in report.failures] == [SHOP_TOOLS, SHOP]
    assert report.failures[0][1] is error
    assert isinstance(report.failures[1][1], Unreachable)
    assert "not tried" in str(report.failures[1][1])
    assert report.not_tried == (SHOP,)
    assert progress.total is not None
    assert progress.task_made.done <= progress.total


class AtOnce(MemoryDestination):
    """Takes several images at once, and waits until it has them."""

    images_at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.stopping = Stopping()
        self._meeting = threading.Barrier(2)
        self._lock = threading.Lock()
        self.announced: list[str] = []

    def announce(self, image: OutgoingImage) -> None:
        self.announced.append(str(image.reference))

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        if str(image.reference) != SHOP:
            self._meeting.wait(30)
        with self._lock:
            return super().put(image, reader, task)


def test_several_images_at_once(bundle: Bundle) -> None:
    destination = AtOnce()
    report, progress = transfer(bundle, destination)
    assert [result.reference for result in report.results] == destination.announced == ALL
    assert destination.state == "finished"
    assert progress.total == progress.task_made.done


def test_a_lost_destination_of_several_images_at_once(bundle: Bundle) -> None:
    error = Unreachable("gone")

    class Lost(AtOnce):
        def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
            self._meeting.wait(30)
            raise error

    report, _ = transfer(bundle, Lost())
    assert report.results == ()
    assert [name for name, _ in report.failures] == ALL
    assert report.not_tried == (SHOP,)


def test_an_end_is_asked_of_all_images_at_once(bundle: Bundle) -> None:
    class Interrupting(AtOnce):
        def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
            if str(image.reference) == ERP:
                _thread.interrupt_main()
            self.stopping.wait(30)
            raise AssertionError("nobody asked for an end")

    destination = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        transfer(bundle, destination)
    assert destination.stopping.asked
    assert destination.state == "aborted"


def test_damage_of_a_part_fails_the_images_it_hits(bundle: Bundle, packed: TwoApplications) -> None:
    row = bundle.manifest.blob_by_digest[packed.web.tree.platform_images()[0].manifest.layers[1].digest]
    parts = bundle.parts_of("shop")
    index, inside = parts.locate(row.offset + 70_000)
    flip(bundle.directory / parts.archive.parts[index].file, inside)
    destination = MemoryDestination()
    report, _ = transfer(bundle, destination)
    assert [name for name, _ in report.failures] == [SHOP]
    assert set(destination.names) == {ERP, SHOP_TOOLS}


def test_images_whose_parts_are_not_here_are_not_begun(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    missing, *others = sorted(bundle.directory.glob("erp.oci.tar*"))
    missing.unlink()
    opened: list[str] = []
    original = os.open

    def watch(path: Path, flags: int, *rest: int) -> int:
        opened.append(Path(path).name)
        return original(path, flags, *rest)

    monkeypatch.setattr(os, "open", watch)
    destination = Failing({})
    report, progress = transfer(bundle, destination)
    assert destination.asked == [SHOP_TOOLS, SHOP]
    assert report.waiting == (WaitingImage(ERP, (missing.name,)),)
    assert others
    assert not {path.name for path in others} & set(opened)
    assert progress.total == progress.task_made.done == size_of(bundle, SHOP_TOOLS, SHOP)
    assert isinstance(report.error, IncompleteBundle)
    assert report.error.parts == (missing.name,)
    assert destination.state == "finished"


def test_a_part_that_is_too_short_is_damage_and_known_before(bundle: Bundle) -> None:
    os.truncate(bundle.directory / "erp.oci.tar.001", 5)
    destination = Failing({})
    report, _ = transfer(bundle, destination)
    assert destination.asked == [SHOP_TOOLS, SHOP]
    assert [(name, type(error)) for name, error in report.failures] == [(ERP, DamagedBundle)]
    assert report.error is report.failures[0][1]


def test_what_an_unfinished_part_lacks_shows_while_it_is_read(bundle: Bundle) -> None:
    path = bundle.directory / "erp.oci.tar.001"
    path.rename(path.with_name(f"{path.name}.partial"))
    flip(path.with_name(f"{path.name}.partial"), 0)
    destination = Failing({})
    report, progress = transfer(bundle, destination)
    assert report.waiting == (WaitingImage(ERP, (path.name,)),)
    assert set(destination.names) == {SHOP_TOOLS, SHOP}
    assert progress.total == progress.task_made.done


def test_damage_weighs_more_than_what_waits(bundle: Bundle) -> None:
    (bundle.directory / "erp.oci.tar.001").unlink()
    flip(bundle.directory / "shop.oci.tar.001", 0)
    report, _ = transfer(bundle, MemoryDestination())
    assert report.waiting
    assert isinstance(report.error, DamagedBundle)


@pytest.mark.parametrize("harm", ["missing", "too short", "damaged"])
def test_one_file_holds_all_images_or_is_not_written(bundle: Bundle, harm: str) -> None:
    class File(MemoryDestination):
        is_one_file = True

    path = bundle.directory / "erp.oci.tar.001"
    if harm == "missing":
        path.unlink()
    elif harm == "too short":
        os.truncate(path, 5)
    else:
        flip(path, 0)
    destination = File()
    report, _ = transfer(bundle, destination)
    assert destination.state == "aborted"
    # What is known before is not begun with.
    assert bool(destination.names) is (harm == "damaged")
    assert report.results == ()
    named = {name for name, _ in report.failures} | {image.reference for image in report.waiting}
    assert named == {ERP, SHOP, SHOP_TOOLS}
    assert isinstance(report.error, IncompleteBundle if harm == "missing" else DamagedBundle)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt()], ids=repr)
def test_what_is_no_declared_error_aborts(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    destination = MemoryDestination()

    def put(*_: object) -> PutResult:
        raise error

    monkeypatch.setattr(destination, "put", put)
    with pytest.raises(type(error)):
        transfer(bundle, destination)
    assert destination.state == "aborted"


def test_a_finish_that_fails_aborts(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    destination = MemoryDestination()

    def finish() -> None:
        raise DiskError("full")

    monkeypatch.setattr(destination, "finish", finish)
    with pytest.raises(DiskError):
        transfer(bundle, destination)
    assert destination.state == "aborted"


class TooEager(MemoryDestination):
    """Tells more bytes than there are, and from several threads at once."""

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        def tell() -> None:
            for _ in range(2000):
                task.advance(997)

        threads = [threading.Thread(target=tell) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return super().put(image, reader, task)


def test_a_destination_that_tells_too_much(bundle: Bundle) -> None:
    _, progress = transfer(bundle, TooEager())
    assert progress.total == progress.task_made.done


def test_one_name_for_two_images(tmp_path: Path) -> None:
    source = MemorySource()
    one = source.make_image([layer("a", 10)], SHOP)
    two = source.make_image([layer("b", 10)], SHOP)
    pack_images(tmp_path, source, {"a": [one], "b": [two]})
    bundle = open_bundle(tmp_path)
    with pytest.raises(UsageError, match="another image") as caught:
        transfer(bundle, MemoryDestination())
    assert "--app" in caught.value.advice
    report, _ = transfer(bundle, MemoryDestination(), Selection(("b",)))
    assert [result.digest for result in report.results] == [two.tree.root.digest]


def test_one_image_in_two_applications_is_put_once(tmp_path: Path) -> None:
    source = MemorySource()
    image = source.make_image([layer("a", 10)], SHOP)
    pack_images(tmp_path, source, {"a": [image], "b": [image]})
    destination = Failing({})
    transfer(open_bundle(tmp_path), destination)
    assert destination.asked == [SHOP]


class TestExtract:
    @pytest.mark.parametrize("prefix", ["oci:", ""])
    def test_to_a_layout(self, bundle: Bundle, tmp_path: Path, packed: TwoApplications, prefix: str) -> None:
        report = extract(bundle, f"{prefix}{tmp_path / 'layout'}", Selection(("shop",)))
        assert [result.status for result in report.results] == ["extracted"] * 2
        source = OciLayoutSource(tmp_path / "layout", archive=False)
        (found,) = source.resolve(SHOP)
        assert found.tree.root.digest == packed.web.tree.root.digest  # type: ignore[union-attr]

    def test_to_a_docker_archive(self, bundle: Bundle, tmp_path: Path, packed: TwoApplications) -> None:
        extract(bundle, f"docker-archive:{tmp_path / 'erp.tar'}", Selection(("erp",)))
        (found,) = DockerArchiveSource(tmp_path / "erp.tar").resolve(ERP)
        assert found.config_digest == packed.ledger.config_digest  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        "destination", ["", "oci:", "docker-archive:", "docker://x", "docker-daemon:x", "c:x"]
    )
    def test_to_what_is_no_place(self, bundle: Bundle, destination: str) -> None:
        with pytest.raises(UsageError, match="cannot extract") as caught:
            extract(bundle, destination)
        assert "oci:DIRECTORY" in caught.value.advice

    def test_over_something_else(self, bundle: Bundle, tmp_path: Path) -> None:
        with pytest.raises(OutputExists):
            extract(bundle, f"oci:{tmp_path / 'bundle'}")
