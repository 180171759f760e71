"""Verification: each damage at each level, with finding, verdict, and whom it hits."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.findings import LAST_CHECK, Finding, Level, VerificationReport, worst
from bundler.bundle.manifest import Blob
from bundler.bundle.reader import Bundle, open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.compression import Encoder
from bundler.content.hashing import sha256
from bundler.errors import ExitStatus, NotWritable
from bundler.model.digest import Digest
from bundler.progress import Task
from tests.builders import (
    ERP,
    KIB,
    SHOP,
    SHOP_TOOLS,
    SMALL,
    TwoApplications,
    bytes_there,
    flip,
    layer,
    no_thread_is_left,
    overwrite,
    pack_images,
    rewrite,
    within,
)  # fmt: skip
from tests.fakes.memory import CountingTask, MemorySource, compress

LEVELS: tuple[Level, ...] = ("quick", "full", "deep")
FIRST, SECOND, LAST = (f"shop.oci.tar.00{number}" for number in (1, 2, 3))


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of two blocks each, so that damage has a place."""
    directory = tmp_path_factory.mktemp("intact") / "bundle"
    TwoApplications().pack(directory, replace(SMALL, part_bytes=96 * KIB))
    return directory


@pytest.fixture
def bundle(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "bundle")


class Recording:
    """A progress that keeps its one task."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.counted = CountingTask()

    def task(self, label: str, total: int | None = None) -> Task:
        self.total = total
        return self.counted

    def message(self, text: str) -> None:
        raise AssertionError(text)


def verify(directory: Path, level: Level = "full") -> VerificationReport:
    """Verify, and check what holds for every report."""
    progress = Recording()
    before = {path.name: path.lstat().st_mtime_ns for path in directory.iterdir()}
    with no_thread_is_left():
        opened = open_bundle(directory)
        report = within(30, lambda: verify_bundle(opened, level, progress=progress))
    assert {path.name: path.lstat().st_mtime_ns for path in directory.iterdir()} == before
    assert progress.counted.done == progress.total == bytes_there(opened.manifest, [directory])
    assert report.ok is not bool(report.findings)
    assert (report.exit_status == ExitStatus.DONE) is report.ok
    for finding in report.findings:
        assert 1 <= finding.check <= LAST_CHECK[level]
        assert finding.expected != finding.found
        assert (finding.offset is None) is (finding.length is None)
    return report


def within_part(bundle: Path, file: str, start: int = 0, end: int | None = None) -> tuple[Digest, ...]:
    """Return the blobs that have a byte in a range of a part, the slow way."""
    manifest = open_bundle(bundle).manifest
    (archive,) = (one for one in manifest.archives if file in {part.file for part in one.parts})
    before = sum(part.size for part in archive.parts[: [part.file for part in archive.parts].index(file)])
    stop = before + (96 * KIB if end is None else end)
    return tuple(
        sorted(
            blob.digest
            for blob in manifest.blobs
            if blob.archive == archive.name
            and blob.offset < stop
            and blob.offset + blob.size > before + start
            and blob.size
        )
    )


@pytest.mark.parametrize("level", LEVELS)
def test_intact(bundle: Path, level: Level) -> None:
    report = verify(bundle, level)
    assert report.ok
    assert report.level == level
    assert report.id == open_bundle(bundle).manifest.id


def remove(path: Path) -> None:
    path.unlink()


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more!")


def cut_to(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


def flip_at(*offsets: int) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        for offset in offsets:
            flip(path, offset)

    return harm


BLOCK = 64 * KIB
DAMAGED, INCOMPLETE = ExitStatus.DAMAGED, ExitStatus.INCOMPLETE
#: harm to the second part of `shop` -> for each finding check, code, offset, length; and the verdict
HARMS: dict[str, tuple[Callable[[Path], None], list[tuple[int, str, int | None, int | None]], ExitStatus]] = {
    "first byte": (flip_at(0), [(4, "damaged-block", 0, BLOCK)], DAMAGED),
    "last byte of a block": (flip_at(BLOCK - 1), [(4, "damaged-block", 0, BLOCK)], DAMAGED),
    "first byte of a block": (flip_at(BLOCK), [(4, "damaged-block", BLOCK, 32 * KIB)], DAMAGED),
    "last byte": (flip_at(96 * KIB - 1), [(4, "damaged-block", BLOCK, 32 * KIB)], DAMAGED),
    "both blocks": (
        flip_at(0, 96 * KIB - 1),
        [(4, "damaged-block", 0, BLOCK), (4, "damaged-block", BLOCK, 32 * KIB)],
        DAMAGED,
    ),
    "missing": (remove, [(3, "missing", None, None)], INCOMPLETE),
    "a directory": (directory, [(3, "not-regular", None, None)], DAMAGED),
    "a pipe": (pipe, [(3, "not-regular", None, None)], DAMAGED),
    "a link": (link, [(3, "not-regular", None, None)], DAMAGED),
    "empty": (cut_to(0), [(4, "too-short", 0, 96 * KIB)], DAMAGED),
    "cut in a block": (cut_to(10), [(4, "too-short", 10, 96 * KIB - 10)], DAMAGED),
    "cut between blocks": (cut_to(BLOCK), [(4, "too-short", BLOCK, 32 * KIB)], DAMAGED),
    "cut by a byte": (cut_to(96 * KIB - 1), [(4, "too-short", 96 * KIB - 1, 1)], DAMAGED),
    "too long": (grow, [(4, "too-long", 96 * KIB, 5)], DAMAGED),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("harm", HARMS)
def test_each_harm_at_each_level(bundle: Path, harm: str, level: Level) -> None:
    do, expected, verdict = HARMS[harm]
    ranges = [
        # What is left of a block that was cut has no sum: nobody may rely on it.
        within_part(
            bundle, SECOND, (offset or 0) // BLOCK * BLOCK, None if length is None else (offset or 0) + length
        )
        for _, _, offset, length in expected
    ]
    do(bundle / SECOND)
    report = verify(bundle, level)
    assert [(one.check, one.code, one.offset, one.length) for one in report.findings] == expected
    assert report.exit_status == verdict
    for finding, blobs in zip(report.findings, ranges, strict=True):
        assert finding.file == SECOND
        assert not finding.mendable
        if harm == "too long":
            assert (finding.blobs, finding.images) == ((), ())
        else:
            assert finding.blobs == blobs
            assert SHOP in finding.images
        assert finding.applications == ("shop",)
        assert ERP not in finding.images


def test_both_sides_of_a_damaged_block(bundle: Path) -> None:
    flip(bundle / SECOND, 1)
    (finding,) = verify(bundle).findings
    (part,) = (part for part in open_bundle(bundle).manifest.parts if part.file == SECOND)
    assert finding.expected == part.blocks[0]
    assert len(finding.found or "") == 16


def test_shared_layers_hit_every_application(bundle: Path) -> None:
    flip(bundle / "shared.oci.tar", 5000)
    (finding,) = verify(bundle).findings
    assert finding.applications == ("erp", "shop")
    assert len(finding.images) == 2


def test_the_header_of_an_archive_hits_no_image(bundle: Path) -> None:
    # Reading by offset goes past it; tar cannot. The last block holds nothing but the tables and the end.
    size = (bundle / LAST).stat().st_size
    flip(bundle / LAST, size - 1)
    (finding,) = verify(bundle).findings
    assert finding.applications == ("shop",)
    assert set(finding.images) <= {SHOP, SHOP_TOOLS}


@pytest.mark.parametrize("level", LEVELS)
def test_two_parts_that_changed_places(bundle: Path, level: Level) -> None:
    (bundle / FIRST).rename(bundle / "aside")
    (bundle / SECOND).rename(bundle / FIRST)
    (bundle / "aside").rename(bundle / SECOND)
    report = verify(bundle, level)
    assert [(one.file, one.check) for one in report.findings] == [(FIRST, 4)] * 2 + [(SECOND, 4)] * 2
    assert report.exit_status == DAMAGED


def test_everything_at_once(bundle: Path) -> None:
    flip(bundle / "erp.oci.tar", 3)
    flip(bundle / FIRST, 3)
    (bundle / SECOND).unlink()
    os.truncate(bundle / LAST, 5)
    (bundle / "bundle.json.bak").unlink()
    (bundle / "SHA256SUMS").write_bytes(b"")
    (bundle / "web.oci.tar").write_bytes(b"stranger")
    report = verify(bundle, "deep")
    assert {(one.check, one.code, one.file) for one in report.findings} == {
        (1, "missing", "bundle.json.bak"),
        (3, "wrong-checksums", "SHA256SUMS"),
        (3, "stranger", "web.oci.tar"),
        (3, "missing", SECOND),
        (4, "damaged-block", "erp.oci.tar"),
        (4, "damaged-block", FIRST),
        (4, "too-short", LAST),
    }
    assert report.exit_status == DAMAGED
    assert list(report.findings) == sorted(report.findings, key=lambda one: (one.check, one.file, one.offset or 0))


@pytest.mark.parametrize(
    "name", ["shop.oci.tar.005", "web.oci.tar", "SHOP.OCI.TAR.009", "SHOP.OCI.TAR.001", "shop.oci.tar"]
)
def test_strangers(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"x")
    report = verify(bundle, "quick")
    assert [(one.check, one.code, one.file) for one in report.findings] == [(3, "stranger", name)]
    assert report.exit_status == DAMAGED


def test_a_file_system_that_gives_names_back_in_capitals(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Opening works there by either name; only the listing differs.
    iterdir = Path.iterdir
    opened = open_bundle(bundle)
    monkeypatch.setattr(
        Path, "iterdir", lambda self: [path.with_name(path.name.upper()) for path in iterdir(self)]
    )
    assert verify_bundle(opened, "quick").ok


def test_what_systems_leave_is_listed_and_not_judged(bundle: Path) -> None:
    (bundle / "lost+found").mkdir()
    (bundle / f"._{FIRST}").write_bytes(b"x")
    (bundle / "shop.oci.tar.001.partial").write_bytes(b"x")
    (bundle / "notes.txt").write_bytes(b"x")
    report = verify(bundle)
    assert report.ok
    assert report.strangers == (f"._{FIRST}", "lost+found")


# -- media that cannot be read ------------------------------------------------------------------------------


def bad_sectors(monkeypatch: pytest.MonkeyPatch, file: Path, ranges: list[range]) -> None:
    """Let reads that touch one of some ranges of a file fail as a bad sector does."""
    readv, number = os.readv, file.stat().st_ino

    def refuse(descriptor: int, buffers: list[memoryview]) -> int:
        if os.fstat(descriptor).st_ino == number:
            start = os.lseek(descriptor, 0, os.SEEK_CUR)
            if any(bad.start < start + len(buffers[0]) and start < bad.stop for bad in ranges):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return readv(descriptor, buffers)

    monkeypatch.setattr(os, "readv", refuse)


@pytest.mark.parametrize("level", LEVELS)
def test_bad_sectors_are_found_and_the_scan_goes_on(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, level: Level
) -> None:
    bad_sectors(monkeypatch, bundle / SECOND, [range(70_000, 70_512)])
    flip(bundle / LAST, 0)
    report = verify(bundle, level)
    assert [(one.code, one.file, one.offset, one.length) for one in report.findings] == [
        ("unreadable", SECOND, BLOCK, 32 * KIB),
        ("damaged-block", LAST, 0, (bundle / LAST).stat().st_size),
    ]
    assert "Input/output error" in (report.findings[0].found or "")
    assert report.findings[0].blobs == within_part(bundle, SECOND, BLOCK)
    assert report.exit_status == DAMAGED


@pytest.mark.parametrize("number", [errno.EIO, errno.ENXIO])
def test_a_part_that_cannot_be_opened(bundle: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    refuse_to_open(monkeypatch, SECOND, number)
    flip(bundle / LAST, 0)
    report = verify(bundle)
    assert [(one.check, one.code, one.file) for one in report.findings] == [
        (4, "unreadable", SECOND),
        (4, "damaged-block", LAST),
    ]


def test_a_part_that_must_not_be_read_is_not_called_bad(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_open(monkeypatch, SECOND, errno.EACCES)
    opened = open_bundle(bundle)
    with no_thread_is_left(), pytest.raises(NotWritable):
        verify_bundle(opened)


def refuse_to_open(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    original = os.open

    def refuse(path: Path, flags: int, *rest: int) -> int:
        if Path(path).name == name:
            raise OSError(number, os.strerror(number))
        return original(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)


# -- check 2 ------------------------------------------------------------------------------------------------


def test_a_signature_that_is_not_right_weighs_most(bundle: Path) -> None:
    flip(bundle / FIRST, 0)
    seen: list[tuple[Path, bytes]] = []

    def signature(directory: Path, raw: bytes) -> Finding:
        seen.append((directory, raw))
        return Finding(2, "bad-signature", "bundle.json.sig", expected="a", found="b")

    opened = open_bundle(bundle)
    report = verify_bundle(opened, "quick", signature=signature)
    assert [one.check for one in report.findings] == [2, 4]
    assert report.exit_status == ExitStatus.REFUSED_BY_POLICY
    assert seen == [(bundle, opened.manifest.raw)]
    assert [one.check for one in verify_bundle(opened, signature=lambda *_: None).findings] == [4]


# -- checks 5 to 8: every block sum is right, and yet something is not --------------------------------------


def change_part(table: dict[str, Any], file: str, **change: object) -> None:
    for archive in table["archives"]:
        for part in archive["parts"]:
            if part["file"] == file:
                part.update(change)


def row_of(bundle: Bundle, digest: Digest) -> Blob:
    return bundle.manifest.blob_by_digest[digest]


def change_row(table: dict[str, Any], which: Digest, **change: object) -> None:
    (row,) = (blob for blob in table["blobs"] if blob["digest"] == which)
    row.update(change)


def made_layer(bundle: Path) -> Blob:
    """Return the largest layer that was compressed when it was packed."""
    return max((blob for blob in open_bundle(bundle).manifest.blobs if blob.encoder), key=lambda blob: blob.size)


def findings(bundle: Path, level: Level) -> list[tuple[int, str]]:
    return [(one.check, one.code) for one in verify(bundle, level).findings]


def test_the_sha256_of_a_part(bundle: Path) -> None:
    rewrite(bundle, lambda table: change_part(table, SECOND, sha256="0" * 64))
    assert findings(bundle, "quick") == []
    for level in LEVELS[1:]:
        report = verify(bundle, level)
        (finding,) = report.findings
        assert (finding.check, finding.code, finding.file) == (5, "wrong-sha256", SECOND)
        assert finding.expected == "0" * 64
        assert finding.found == sha256((bundle / SECOND).read_bytes()).hex
        assert SHOP in finding.images
        assert report.exit_status == DAMAGED


def test_a_blob_with_other_bytes(bundle: Path) -> None:
    blob = made_layer(bundle)
    overwrite(bundle, blob.archive, blob.offset + blob.size // 2, b"other bytes")
    assert findings(bundle, "quick") == findings(bundle, "full") == []
    report = verify(bundle, "deep")
    assert [one.check for one in report.findings] == [7, 8]
    for finding in report.findings:
        assert finding.length == blob.size
        assert (finding.blobs, finding.applications, finding.images) == ((blob.digest,), ("erp",), (ERP,))
    assert report.findings[0].expected == blob.digest
    assert report.exit_status == DAMAGED


def test_a_blob_of_another_layer(bundle: Path) -> None:
    """Digest and sums are right; only what is inside is not what the config of the image names."""
    blob = made_layer(bundle)
    rewrite(bundle, lambda table: change_row(table, blob.digest, diff_id="sha256:" + "1" * 64))
    assert findings(bundle, "quick") == []
    assert findings(bundle, "full") == [(6, "broken-image")]
    assert findings(bundle, "deep") == [(6, "broken-image"), (8, "wrong-diff-id")]


def test_a_layer_whose_diff_id_is_kept_silent(bundle: Path) -> None:
    # Without it check 8 would look into nothing.
    blob = made_layer(bundle)
    rewrite(bundle, lambda table: change_row(table, blob.digest, diff_id=None))
    assert findings(bundle, "full") == findings(bundle, "deep") == [(6, "broken-image")]


def test_a_layer_of_another_uncompressed_size(bundle: Path) -> None:
    blob = made_layer(bundle)
    rewrite(bundle, lambda table: change_row(table, blob.digest, uncompressed_size=7))
    (finding,) = verify(bundle, "deep").findings
    assert (finding.check, finding.expected, finding.found) == (8, "7 bytes", f"{blob.uncompressed_size} bytes")


def test_an_image_without_one_of_its_blobs(bundle: Path) -> None:
    blob = made_layer(bundle)

    def forget(table: dict[str, Any]) -> None:
        for application in table["applications"]:
            for image in application["images"]:
                image["blobs"] = [digest for digest in image["blobs"] if digest != blob.digest]
        table["blobs"] = [row for row in table["blobs"] if row["digest"] != blob.digest]

    rewrite(bundle, forget)
    report = verify(bundle)
    (finding,) = report.findings
    assert (finding.check, finding.code, finding.expected) == (6, "not-in-bundle", blob.digest)
    assert (finding.applications, finding.images) == (("erp",), (ERP,))
    assert report.exit_status == DAMAGED
    assert findings(bundle, "quick") == []


def test_an_image_with_a_blob_that_is_not_its_own(bundle: Path) -> None:
    blob = made_layer(bundle)

    def add(table: dict[str, Any]) -> None:
        for image in table["applications"][1]["images"]:
            image["blobs"].append(blob.digest)

    rewrite(bundle, add)
    assert findings(bundle, "full") == [(6, "not-in-image")] * 2


def test_a_row_of_another_size_than_the_documents_say(bundle: Path) -> None:
    blob = made_layer(bundle)
    rewrite(bundle, lambda table: change_row(table, blob.digest, size=blob.size - 1))
    assert findings(bundle, "full") == [(6, "broken-image")]
    # Deep reads one byte less and finds that as well.
    assert {check for check, _ in findings(bundle, "deep")} == {6, 7, 8}


def test_a_config_of_another_size_than_its_manifest_says(bundle: Path) -> None:
    opened = open_bundle(bundle)
    (_, image), *_ = opened.images(["erp"])
    config = row_of(opened, image.image_ids[0])
    rewrite(bundle, lambda table: change_row(table, config.digest, size=config.size - 1))
    assert (6, "broken-image") in findings(bundle, "full")


def test_a_manifest_with_other_bytes(bundle: Path) -> None:
    opened = open_bundle(bundle)
    (_, image), *_ = opened.images(["erp"])
    root = row_of(opened, image.descriptor.digest)
    overwrite(bundle, root.archive, root.offset, b"[")
    assert findings(bundle, "quick") == []
    assert findings(bundle, "full") == [(6, "broken-image")]
    assert findings(bundle, "deep") == [(6, "broken-image"), (7, "wrong-digest")]


def test_damage_below_a_document_is_said_once(bundle: Path) -> None:
    opened = open_bundle(bundle)
    (_, image), *_ = opened.images(["erp"])
    root = row_of(opened, image.descriptor.digest)
    parts = opened.parts_of("erp")
    index, inside = parts.locate(root.offset)
    flip(bundle / parts.archive.parts[index].file, inside)
    assert findings(bundle, "deep") == [(4, "damaged-block")]


def test_a_layer_that_unpacks_without_end(tmp_path: Path) -> None:
    """A few bytes of zstd that would unpack to a gigabyte are given up, not unpacked."""
    source = MemorySource("docker")
    pack_images(tmp_path, source, {"web": [source.make_engine_image([layer("a", 70 * KIB)], "x/one:1")]})
    blob = made_layer(tmp_path)
    bomb = compress(bytes(1 << 30), "zstd")
    assert len(bomb) < blob.size
    overwrite(tmp_path, "web", blob.offset, bomb)
    assert findings(tmp_path, "deep") == [(7, "wrong-digest"), (8, "wrong-diff-id")]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_deep_looks_into_layers_of_every_kind(tmp_path: Path, compression: str) -> None:
    source = MemorySource("registry")
    image = source.make_image([layer("a", 70 * KIB), layer("b", 5)], "x/one:1", compression=compression)
    manifest = pack_images(tmp_path, source, {"web": [image]})
    assert findings(tmp_path, "deep") == []
    (blob,) = (row for row in manifest.blobs if row.diff_id == sha256(layer("a", 70 * KIB)))
    rewrite(tmp_path, lambda table: change_row(table, blob.digest, uncompressed_size=1))
    assert findings(tmp_path, "deep") == [(8, "wrong-diff-id")]
    assert blob.encoder is None
    assert Encoder.choose().algorithm == "zstd"


def test_an_empty_blob_at_the_very_end(tmp_path: Path) -> None:
    source = MemorySource("registry")
    layers = {f"x/{name}:1": source.make_artifact(b"", f"x/{name}:1", annotations={"of": name}) for name in "ab"}
    found = list(layers.values())
    pack_images(tmp_path, source, {"a": [found[0]], "b": [found[1]]})
    empty = sha256(b"")
    row = open_bundle(tmp_path).manifest.blob_by_digest[empty]
    assert row.archive == "shared"
    assert findings(tmp_path, "deep") == []

    def change(table: dict[str, Any]) -> None:
        # Another name for nothing, in the table and nowhere else.
        size = next(archive["size"] for archive in table["archives"] if archive["name"] == "shared")
        change_row(table, empty, digest="sha256:" + "2" * 64, offset=size)
        for application in table["applications"]:
            for image in application["images"]:
                image["blobs"] = ["sha256:" + "2" * 64 if one == empty else one for one in image["blobs"]]

    rewrite(tmp_path, change)
    checks = findings(tmp_path, "deep")
    assert (7, "wrong-digest") in checks


# -- the verdict --------------------------------------------------------------------------------------------


def finding(code: str = "damaged-block", check: int = 4, *, mendable: bool = False) -> Finding:
    return Finding(check, code, "x", mendable=mendable)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([], 0),
        ([finding(mendable=True)], 3),
        ([finding("missing", 3, mendable=True)], 3),
        ([finding("missing", 3)], 5),
        ([finding("missing", 3), finding(mendable=True)], 5),
        ([finding()], 4),
        ([finding(), finding("missing", 3)], 4),
        ([finding(), finding(mendable=True)], 4),
        ([finding("stranger", 3)], 4),
        ([finding("no-signature", 2), finding(), finding("missing", 3)], 7),
    ],
)
def test_the_worst_decides(found: list[Finding], status: int) -> None:
    assert worst(found) == worst(reversed(found)) == status
