"""Same images and options, same bytes in every file; and each byte is written once."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.content import files
from bundler.content.compression import Encoder
from bundler.content.images import EngineForm
from bundler.packing.pack import write_bundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import make_plan
from bundler.packing.writing import cut_file
from tests.builders import KIB, SMALL, TwoApplications, contents_of, layer, pack_images
from tests.fakes.memory import MemorySource
from tests.requirements import require


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the bundle, packed once."""
    directory = tmp_path_factory.mktemp("right")
    TwoApplications().pack(directory)
    return contents_of(directory)


@pytest.mark.parametrize("workers", [1, 2, 4, None])
def test_the_number_of_threads(tmp_path: Path, right: dict[str, bytes], workers: int | None) -> None:
    TwoApplications().pack(tmp_path, replace(SMALL, workers=workers))
    assert contents_of(tmp_path) == right


def test_the_order_of_arguments(tmp_path: Path, right: dict[str, bytes]) -> None:
    packed = TwoApplications()
    for number, order in enumerate(itertools.permutations(packed.images)):
        write_bundle(make_plan(order), tmp_path / str(number), SMALL)
        assert contents_of(tmp_path / str(number)) == right


def test_the_directory_and_the_time(
    tmp_path: Path, right: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    TwoApplications().pack(Path("elsewhere"))
    assert contents_of(tmp_path / "elsewhere") == right


@pytest.mark.parametrize(
    "change",
    [
        {"part_bytes": 128 * KIB},
        {"block_bytes": 128 * KIB},
        {"name": "other"},
        {"version": "2"},
        {"encoder": Encoder.choose("gzip")},
        {"encoder": Encoder.choose("zstd", 9)},
    ],
    ids=str,
)
def test_options_are_what_decides(tmp_path: Path, right: dict[str, bytes], change: dict[str, object]) -> None:
    TwoApplications().pack(tmp_path, replace(SMALL, **change))  # type: ignore[arg-type]
    assert contents_of(tmp_path)["bundle.json"] != right["bundle.json"]


def test_cutting_changes_no_byte_of_an_archive(tmp_path: Path, right: dict[str, bytes]) -> None:
    TwoApplications().pack(tmp_path, replace(SMALL, part_bytes=0))
    whole = contents_of(tmp_path)
    for archive in ("shared", "erp", "shop"):
        cut = [data for name, data in right.items() if name.startswith(f"{archive}.oci.tar")]
        assert b"".join(cut) == whole[f"{archive}.oci.tar"]


class Written:
    """Counts what passes through the two ways in which the product writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parts = self.tables = 0
        write_all, write_file = files.write_all, files.write_file

        def count_part(descriptor: int, data: bytes | memoryview) -> None:
            self.parts += len(data)
            write_all(descriptor, data)

        def count_table(path: Path, data: bytes) -> None:
            self.tables += len(data)
            write_file(path, data)

        monkeypatch.setattr(cut_file, "write_all", count_part)
        monkeypatch.setattr("bundler.packing.writing.output.write_file", count_table)


def test_a_pack_of_n_bytes_writes_n_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, packed = Written(monkeypatch), TwoApplications()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    manifest = packed.pack(tmp_path / "out")
    size = sum(part.size for part in manifest.parts)
    # The header of a layer that is compressed here is left out first and written when its size is known.
    owed = 512 * sum(blob.encoder is not None for blob in manifest.blobs)
    assert written.parts == size + owed
    assert written.parts + written.tables == sum(map(len, contents_of(tmp_path / "out").values())) + owed
    assert list(temporary.iterdir()) == []


def test_the_kernel_counts_no_more(tmp_path: Path) -> None:
    require(None if Path("/proc/self/io").exists() else "this system has no /proc/self/io")
    source = MemorySource("docker")
    images: list[EngineForm] = [source.make_engine_image([layer("big", 8 << 20)], "x/one:1")]

    def counted() -> int:
        lines = Path("/proc/self/io").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("wchar:")).split()[1])

    before = counted()
    pack_images(tmp_path, source, {"web": list(images)}, PackOptions(part_bytes=1 << 20, workers=2))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size > 8 << 20
    assert size <= counted() - before < size + 64 * KIB


def test_no_file_but_the_final_ones_and_their_partial_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: set[str] = set()
    original = os.open

    def recording(path: str | Path, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            opened.add(Path(path).name)
        return original(path, flags, *rest)

    monkeypatch.setattr(os, "open", recording)
    manifest = TwoApplications().pack(tmp_path)
    monkeypatch.undo()
    digits = {part.file + ".partial" for part in manifest.parts}
    assert digits <= opened <= digits | {"bundle.json.partial", "pack-journal.partial"}
