"""An answer as a source of blocks: right ones are given, and of damage only the damaged block is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from bundler.bundle.block_reader import BlockFailure
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.requests.answering import answer_from
from bundler.bundle.requests.answers.destination import AnswerDestination
from bundler.bundle.requests.answers.reader import AnswerReader, is_answer
from bundler.bundle.requests.block_ranges import BlockAt
from bundler.errors import (
    IncompleteBundle,
    MalformedDocument,
    NotFound,
    UnsupportedVersion,
    UsageError,
)
from tests.bad_blocks import all_blocks, block_bytes_of, request_for, spoil
from tests.builders import flip, noise
from tests.copies import BLOCK, make_bundle

WANTED: list[BlockAt] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 1)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def manifest(place: Path) -> BundleManifest:
    # Files of an answer are as large as parts: here a block lies in two of them.
    return make_bundle(place, part_bytes=3 * BLOCK + 500)


@pytest.fixture
def answer(place: Path, manifest: BundleManifest, tmp_path: Path) -> Path:
    """Files of 3 blocks and 500 bytes, of which the second begins within the fourth block."""
    request = request_for(manifest, WANTED)
    answer_from(open_bundle(place), AnswerDestination(tmp_path / "answer", request))
    return tmp_path / "answer"


def read(answer: Path, manifest: BundleManifest) -> dict[BlockAt, bytes | str]:
    """Return every block of the bundle, or the code of its failure."""
    reader = AnswerReader(answer, manifest)
    buffer = memoryview(bytearray(BLOCK))
    found: dict[BlockAt, bytes | str] = {}
    try:
        for index, number in all_blocks(manifest):
            part = manifest.parts[index]
            failure = reader.read(part, number, buffer)
            assert failure is None or isinstance(failure, BlockFailure)
            found[index, number] = failure.code if failure else bytes(buffer[: reader.length(part, number)])
    finally:
        reader.close()
        reader.close()
    return found


def right(
    place: Path, manifest: BundleManifest, but: dict[BlockAt, str] | None = None
) -> dict[BlockAt, bytes | str]:
    held: dict[BlockAt, bytes | str] = {
        block: block_bytes_of(place, manifest, block) if block in WANTED else "missing"
        for block in all_blocks(manifest)
    }
    return {**held, **(but or {})}


def test_all_blocks(place: Path, manifest: BundleManifest, answer: Path) -> None:
    assert read(answer, manifest) == right(place, manifest)
    assert list(AnswerReader(answer, manifest).blocks) == WANTED


def test_parity_files_are_in_no_answer(place: Path, manifest: BundleManifest, answer: Path) -> None:
    parity = structs.replace(manifest.parts[0], file="parity.001")
    failure = AnswerReader(answer, manifest).read(parity, 0, memoryview(bytearray(BLOCK)))
    assert failure is not None
    assert failure.code == "missing"


def test_a_bad_byte_costs_one_block(place: Path, manifest: BundleManifest, answer: Path) -> None:
    flip(answer / "answer.001", BLOCK + 3)
    assert read(answer, manifest) == right(place, manifest, {(0, 1): "damaged-block"})


def test_a_lost_file_costs_the_blocks_in_it(place: Path, manifest: BundleManifest, answer: Path) -> None:
    (answer / "answer.002").unlink()
    assert read(answer, manifest) == right(place, manifest, dict.fromkeys(WANTED[3:], "missing"))


def test_a_short_file(place: Path, manifest: BundleManifest, answer: Path) -> None:
    with (answer / "answer.002").open("r+b") as file:
        file.truncate(BLOCK - 500 + 7)
    assert read(answer, manifest) == right(place, manifest, dict.fromkeys(WANTED[4:], "too-short"))


def test_a_link_is_no_file(place: Path, manifest: BundleManifest, answer: Path) -> None:
    (answer / "answer.001").rename(answer / "moved")
    (answer / "answer.001").symlink_to("moved")
    assert read(answer, manifest) == right(place, manifest, dict.fromkeys(WANTED[:4], "not-regular"))


def test_blocks_that_the_near_side_lacked(place: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    whole = right(place, manifest)
    spoil(place, manifest, [(0, 1)])
    request = request_for(manifest, WANTED)
    answer_from(open_bundle(place), AnswerDestination(tmp_path / "answer", request))
    assert read(tmp_path / "answer", manifest) == {**whole, (0, 1): "missing"}


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: flip(path, 30), lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["answer.json", "answer.json.bak"])
def test_one_table_is_enough(
    place: Path, manifest: BundleManifest, answer: Path, name: str, damage: Callable[[Path], object]
) -> None:
    damage(answer / name)
    assert read(answer, manifest) == right(place, manifest)


def test_without_a_table_there_is_no_answer(manifest: BundleManifest, answer: Path, tmp_path: Path) -> None:
    flip(answer / "answer.json", 30)
    (answer / "answer.json.bak").write_bytes(noise("x", 100))
    assert is_answer(answer)
    with pytest.raises(MalformedDocument):
        AnswerReader(answer, manifest)
    (answer / "answer.json").unlink()
    (answer / "answer.json.bak").unlink()
    assert not is_answer(answer)
    with pytest.raises(NotFound):
        AnswerReader(answer, manifest)


def test_an_unfinished_answer(manifest: BundleManifest, answer: Path) -> None:
    (answer / "answer.json").rename(answer / "answer.json.partial")
    (answer / "answer.json.bak").unlink()
    assert is_answer(answer)
    with pytest.raises(IncompleteBundle, match="was not finished"):
        AnswerReader(answer, manifest)


def test_an_answer_for_another_bundle(answer: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the answer is for the bundle"):
        AnswerReader(answer, make_bundle(tmp_path / "other", name="other"))


def test_a_newer_answer(manifest: BundleManifest, tmp_path: Path) -> None:
    from tests.unit.bundle.requests.test_request_file import sealed

    tmp_path.joinpath("answer.json").write_bytes(sealed(mediaType="application/vnd.airbundle.answer.v2+json"))
    with pytest.raises(UnsupportedVersion):
        AnswerReader(tmp_path, manifest)
