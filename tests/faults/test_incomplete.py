"""Bundles that have not arrived whole: what is here is used, what is not is named, and nothing wrong goes out."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest, Image, Part
from bundler.bundle.reader import Bundle, open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import DamagedContent, ExitStatus, IncompleteBundle
from tests.builders import KIB, SMALL, TwoApplications, flip, layer, pack_images
from tests.fakes.memory import MemorySource
from tests.faults.far_sides import FAR_SIDES, KINDS, FarSide
from tests.faults.kills import Command

BLOCK = SMALL.block_bytes


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose larger parts have two blocks each."""
    directory = tmp_path_factory.mktemp("intact") / "bundle"
    TwoApplications().pack(directory, replace(SMALL, part_bytes=96 * KIB))
    return directory


Make = Callable[[str], AbstractContextManager[FarSide]]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes an empty far side of a kind."""
    numbers = iter(range(1000))

    def made(kind: str) -> AbstractContextManager[FarSide]:
        place = tmp_path / f"place{next(numbers)}"
        place.mkdir()
        return FAR_SIDES[kind](place, request)

    return made


def blocks_of(manifest: BundleManifest, image: Image) -> set[tuple[str, int]]:
    """Return the blocks that an image lies in, the slow way: part and number."""
    result = set()
    starts: dict[str, list[tuple[int, Part]]] = {}
    for archive in manifest.archives:
        start = 0
        for part in archive.parts:
            starts.setdefault(archive.name, []).append((start, part))
            start += part.size
    for digest in image.blobs:
        blob = manifest.blob_by_digest[digest]
        for start, part in starts[blob.archive]:
            for number in range(len(part.blocks)):
                first = start + number * BLOCK
                last = start + min((number + 1) * BLOCK, part.size)
                if blob.offset < last and first < blob.offset + blob.size:
                    result.add((part.file, number))
    return result


# -- parts that are not here --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_part_in_turn_is_missing_and_is_brought(intact: Path, tmp_path: Path, make: Make, kind: str) -> None:
    whole = open_bundle(intact)
    everything = {image.reference for _, image in whole.images()}
    for part in whole.manifest.parts:
        directory = shutil.copytree(intact, tmp_path / "bundle")
        (directory / part.file).unlink()
        bundle = open_bundle(directory)
        waiting = {
            image.reference
            for _, image in bundle.images()
            if part.file in {file for file, _ in blocks_of(whole.manifest, image)}
        }
        with make(kind) as far:
            report = far.take(bundle)
            done = set() if far.is_one_file and waiting else everything - waiting
            assert {image.reference for image in report.waiting} == waiting
            assert all(image.waiting_for == (part.file,) for image in report.waiting)
            assert {result.reference for result in report.results} == done == far.arrived(whole)
            if waiting:
                assert isinstance(report.error, IncompleteBundle)
                assert part.file in str(report.error)
            assert {name for name, _ in report.failures} == everything - waiting - done
            # What was done is not done again.
            shutil.copy(intact / part.file, directory)
            report = far.take(bundle)
            assert report.error is None
            assert {result.reference for result in report.results} == everything == far.arrived(whole)
            skipped = {result.reference for result in report.results if result.status == "skipped"}
            assert skipped == done
        shutil.rmtree(directory)


# -- sticks -------------------------------------------------------------------------------------------------


def test_sticks_in_any_order_and_overlapping(intact: Path, tmp_path: Path, make: Make) -> None:
    whole = open_bundle(intact)
    sticks = [shutil.copytree(intact, tmp_path / f"stick{number}") for number in range(3)]
    for number, part in enumerate(whole.manifest.parts):
        # Each part lies on two of the three.
        (sticks[number % 3] / part.file).unlink()
    for order in ((0, 1, 2), (2, 0, 1), (1, 0), (0, 2)):
        with make("layout") as far:
            report = far.take(open_bundle(*(sticks[number] for number in order)))
            assert report.error is None
            assert len(far.arrived(whole)) == 3
    with make("layout") as far:
        report = far.take(open_bundle(sticks[1]))
        assert isinstance(report.error, IncompleteBundle)
        named = {file for image in report.waiting for file in image.waiting_for}
        assert named <= {part.file for number, part in enumerate(whole.manifest.parts) if number % 3 == 1}


@dataclass
class Wear:
    """What became of the copies of a bundle on some sticks, and which blocks are right somewhere."""

    sticks: list[Path]
    right: set[tuple[str, int]]
    damaged: set[tuple[str, int]]

    @classmethod
    def of(cls, intact: Path, below: Path, chance: random.Random) -> Wear:
        manifest = open_bundle(intact).manifest
        wear = cls([below / f"stick{number}" for number in range(chance.randint(1, 3))], set(), set())
        for stick in wear.sticks:
            shutil.copytree(intact, stick)
            if chance.random() < 0.5:
                (stick / "bundle.json").rename(stick / "bundle.json.partial")
            for part in manifest.parts:
                wear._harm(stick / part.file, part, chance)
        wear.damaged -= wear.right
        return wear

    def _harm(self, path: Path, part: Part, chance: random.Random) -> None:
        numbers = set(range(len(part.blocks)))
        fate = chance.choice(["whole", "whole", "gone", "damaged", "cut", "unfinished", "unfinished with a hole"])
        right = set(numbers)
        if fate == "gone":
            right = set()
            path.unlink()
        elif fate in ("damaged", "unfinished with a hole"):
            number = chance.choice(sorted(numbers))
            right.discard(number)
            flip(path, number * BLOCK + chance.randrange(min(BLOCK, part.size - number * BLOCK)))
        elif fate in ("cut", "unfinished"):
            keep = chance.randrange(part.size)
            right = {number for number in numbers if min((number + 1) * BLOCK, part.size) <= keep}
            path.write_bytes(path.read_bytes()[:keep])
        if fate.startswith("unfinished"):
            path.rename(path.with_name(f"{path.name}.partial"))
        elif fate != "gone":
            self.damaged |= {(part.file, number) for number in numbers - right}
        self.right |= {(part.file, number) for number in right}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_became_of_the_sticks(intact: Path, tmp_path: Path, make: Make, seed: int) -> None:
    whole = open_bundle(intact)
    wear = Wear.of(intact, tmp_path, random.Random(seed))
    bundle = open_bundle(*wear.sticks)
    needed = {image.reference: blocks_of(whole.manifest, image) for _, image in whole.images()}
    done = {name for name, blocks in needed.items() if blocks <= wear.right}
    with make(random.Random(seed).choice(["layout", "fake registry"])) as far:
        report = far.take(bundle)
        assert {result.reference for result in report.results} == done == far.arrived(whole)
    for image in report.waiting:
        assert image.waiting_for
        absent = {file for file, _ in needed[image.reference] - wear.right}
        assert set(image.waiting_for) <= absent
    for name, error in report.failures:
        assert isinstance(error, DamagedContent)
        assert needed[name] & wear.damaged
    _check_verdict(bundle, wear, done)


def _check_verdict(bundle: Bundle, wear: Wear, done: set[str]) -> None:
    """What verification says of the same sticks agrees with it."""
    everything = {(part.file, number) for part in bundle.manifest.parts for number in range(len(part.blocks))}
    report = verify_bundle(bundle, "deep")
    lasting = [finding for finding in report.findings if not finding.mendable]
    hit = {name for finding in lasting for name in finding.images}
    assert {image.reference for _, image in bundle.images()} - hit == done
    assert all(finding.check <= 4 for finding in report.findings)
    if wear.damaged:
        assert report.exit_status == ExitStatus.DAMAGED
    elif everything - wear.right or bundle.is_unfinished:
        assert report.exit_status == ExitStatus.INCOMPLETE


def test_what_a_killed_copy_left_is_used(tmp_path: Path, make: Make) -> None:
    """Wherever the copy was: what has arrived is right, the rest is waited for, and nothing is called damaged."""
    source = MemorySource()
    images = [source.make_image([layer(name, 4 << 20)], f"x.test/{name}:1") for name in "abcdef"]
    pack_images(tmp_path / "source", source, {str(image.reference.repository): [image] for image in images})
    whole = open_bundle(tmp_path / "source")
    stick, cut = tmp_path / "stick", 0
    command = Command.of("copy", tmp_path / "source", stick, "--json", "--quiet")
    for size in range(2 << 20, 24 << 20, 2 << 20):
        with command.start() as process:
            while process.poll() is None and written(stick) < size:
                pass
            process.kill()
        if (stick / "bundle.json").exists() or not (stick / "bundle.json.partial").exists():
            continue
        cut += 1
        bundle = open_bundle(stick)
        assert bundle.is_unfinished
        with make("layout") as far:
            report = far.take(bundle)
            done = {result.reference for result in report.results}
            assert far.arrived(whole) == done
        assert report.failures == ()
        assert len(done) + len(report.waiting) == len(images)
        verdict = verify_bundle(bundle)
        assert verdict.exit_status == ExitStatus.INCOMPLETE
        hit = {name for finding in verdict.findings for name in finding.images}
        assert {image.reference for image in report.waiting} == hit
    assert cut
    command.finish()
    assert verify_bundle(open_bundle(stick)).ok


def written(directory: Path) -> int:
    """Return how many bytes of parts lie there now."""
    total = 0
    for path in directory.glob("*.oci.tar*") if directory.exists() else ():
        with contextlib.suppress(FileNotFoundError):  # it has its final name by now
            total += path.stat().st_size
    return total


# -- damage that nobody looked for --------------------------------------------------------------------------


def places(intact: Path, kind: str) -> Iterator[tuple[str, int, int]]:
    """Yield a byte of each block: part, number of the block, offset. For real servers one of each part."""
    for part in open_bundle(intact).manifest.parts:
        numbers = range(len(part.blocks))
        for number in numbers[:1] if kind.startswith("real") else numbers:
            length = min(BLOCK, part.size - number * BLOCK)
            yield part.file, number, number * BLOCK + random.Random(f"{part.file} {number}").randrange(length)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_block_goes_nowhere(intact: Path, tmp_path: Path, make: Make, kind: str) -> None:
    whole = open_bundle(intact)
    everything = {image.reference for _, image in whole.images()}
    failed_once = set()
    for file, number, offset in places(intact, kind):
        directory = shutil.copytree(intact, tmp_path / f"{file} {number}")
        flip(directory / file, offset)
        hit = {
            image.reference for _, image in whole.images() if (file, number) in blocks_of(whole.manifest, image)
        }
        with make(kind) as far:
            report = far.take(open_bundle(directory))
            failed = {name for name, _ in report.failures}
            arrived = far.arrived(whole)
            assert arrived == {result.reference for result in report.results} == everything - failed
            if far.is_one_file:
                assert failed in (set(), everything)
            elif far.keeps_blobs:
                assert failed == hit
            else:
                # An engine is not sent what it has or has no use for.
                assert failed <= hit
            assert all(isinstance(error, DamagedContent) for _, error in report.failures)
            assert report.waiting == ()
            failed_once |= failed
            if far.is_one_file and arrived:
                continue  # it has no use for that block, and is written once
            # Once the block is right the same command ends right.
            shutil.copy(intact / file, directory)
            assert far.take(open_bundle(directory)).error is None
            assert far.arrived(whole) == everything
    assert failed_once == everything
