"""The cache: what a pack leaves there, what a later one takes, and what is done about everything else."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest
from bundler.content.compression import Encoder
from bundler.content.hashing import sha256
from bundler.errors import DamagedContent, DiskError, MalformedDocument, NotFound
from bundler.model.digest import Digest
from bundler.packing.pack import write_bundle
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from bundler.packing.reuse import filling
from bundler.packing.reuse.cache import Cache
from bundler.packing.reuse.entries import Entry, parse_entry, write_entry
from bundler.packing.reuse.opening import open_reuse
from tests.builders import KIB, SMALL, TwoApplications, contents_of, layer
from tests.fakes.memory import MemorySource
from tests.fakes.streams import read_and_close
from tests.unit.packing.reuse.stores import SilentSource

_LAYERS = {"x/a:1": [layer("base", 90 * KIB), layer("a", 70 * KIB)], "x/b:1": [layer("base", 90 * KIB)]}
_BIG = 1 << 30


class Messages:
    """A ``Progress`` that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def task(self, label: str, total: int | None = None):  # type: ignore[no-untyped-def]
        from bundler.progress import SILENT

        return SILENT.task(label, total)

    def message(self, text: str) -> None:
        self.texts.append(text)


def plan(kind: type[MemorySource] = MemorySource, seed: str = "") -> PackPlan:
    source = kind("docker")
    images = [
        source.make_engine_image([*layers, *([layer(seed, 20 * KIB)] if seed else [])], name)
        for name, layers in _LAYERS.items()
    ]
    return make_plan(PlannedImage("web", image, source) for image in images)


def pack(output: Path, cache: Path, of: PackPlan | None = None, size: int = _BIG) -> tuple[BundleManifest, int]:
    with open_reuse(cache=cache, cache_bytes=size) as reuse:
        manifest = write_bundle(of or plan(), output, SMALL, reuse=reuse)
    return manifest, reuse.bytes_reused


def entries(cache: Path) -> set[str]:
    notes = {path.stem for path in cache.glob("*.json")}
    assert {path.stem for path in cache.glob("*.blob")} == notes
    assert {path.suffix for path in cache.iterdir()} <= {".json", ".blob", ""}
    return notes


def size_of(cache: Path) -> int:
    return sum(path.stat().st_size for path in cache.iterdir())


def test_a_pack_fills_it_and_the_next_one_reads_no_source(tmp_path: Path) -> None:
    manifest, none = pack(tmp_path / "one", tmp_path / "cache")
    assert none == 0
    kept = {blob.digest.hex for blob in manifest.blobs if "manifest" not in blob.media_type}
    assert entries(tmp_path / "cache") == kept
    _, reused = pack(tmp_path / "two", tmp_path / "cache", plan(SilentSource))
    assert contents_of(tmp_path / "two") == contents_of(tmp_path / "one")
    assert reused == sum(blob.size for blob in manifest.blobs if blob.diff_id)


def test_it_changes_no_byte(tmp_path: Path) -> None:
    write_bundle(plan(), tmp_path / "without", SMALL)
    pack(tmp_path / "with", tmp_path / "cache")
    assert contents_of(tmp_path / "with") == contents_of(tmp_path / "without")


def test_blobs_of_registries(tmp_path: Path) -> None:
    pack(tmp_path / "one", tmp_path / "cache", TwoApplications().plan())
    again = TwoApplications()
    pack(tmp_path / "two", tmp_path / "cache", again.plan())
    assert again.registry.opened == again.engine.opened == []
    assert contents_of(tmp_path / "two") == contents_of(tmp_path / "one")


def test_only_its_owner_may_look(tmp_path: Path) -> None:
    pack(tmp_path / "one", tmp_path / "deep" / "cache")
    assert stat.S_IMODE((tmp_path / "deep" / "cache").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep" / "cache").iterdir()} == {0o600}


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    pack(tmp_path / "one", cache, plan(seed="one"))
    first = entries(cache)
    for path in cache.glob("*.json"):
        os.utime(path, (1, 1))
    pack(tmp_path / "two", cache, plan(seed="two"))
    both = entries(cache)
    only_first = {name for name in first if (cache / f"{name}.json").stat().st_mtime == 1}
    # The base is in both: it was used by the second pack.
    assert only_first
    assert only_first < first
    room = sum(
        (cache / f"{name}{suffix}").stat().st_size for name in both - only_first for suffix in (".json", ".blob")
    )
    Cache(cache, room).close()
    assert entries(cache) == both - only_first
    Cache(cache, 0).close()
    assert entries(cache) == set()


def test_it_never_takes_more_than_its_size_from_one_pack(tmp_path: Path) -> None:
    pack(tmp_path / "one", tmp_path / "cache", size=100 * KIB)
    assert entries(tmp_path / "cache")
    assert size_of(tmp_path / "cache") <= 100 * KIB
    pack(tmp_path / "two", tmp_path / "none", size=0)
    assert entries(tmp_path / "none") == set()


def test_nothing_is_removed_while_another_pack_runs(tmp_path: Path) -> None:
    pack(tmp_path / "one", tmp_path / "cache")
    with open_reuse(cache=tmp_path / "cache", cache_bytes=_BIG) as reuse:
        (tmp_path / "cache" / "new-0123456789abcdef.partial").touch()
        Cache(tmp_path / "cache", 0).close()
        write_bundle(plan(SilentSource), tmp_path / "two", SMALL, reuse=reuse)
    assert contents_of(tmp_path / "two") == contents_of(tmp_path / "one")
    assert entries(tmp_path / "cache")


def test_what_a_killed_pack_left_goes_with_the_next(tmp_path: Path) -> None:
    cache, other = tmp_path / "cache", "f" * 64
    pack(tmp_path / "one", cache)
    kept = entries(cache)
    (cache / "new-0123456789abcdef.partial").write_bytes(b"half")
    (cache / f"{other}.blob").write_bytes(b"without a note")
    (cache / "somebody's.txt").write_bytes(b"not ours")
    pack(tmp_path / "two", cache)
    (cache / "somebody's.txt").unlink()
    assert entries(cache) == kept


def _linked(note: Path, blob: Path) -> None:
    blob.rename(blob.parent.parent / "aside")
    blob.symlink_to(blob.parent.parent / "aside")


def _a_directory(note: Path, blob: Path) -> None:
    note.unlink()
    note.mkdir()


def _a_pipe(note: Path, blob: Path) -> None:
    blob.unlink()
    os.mkfifo(blob)


def _of_another(note: Path, blob: Path) -> None:
    note.write_bytes(next(path for path in note.parent.glob("*.json") if path != note).read_bytes())


_WRONG: dict[str, Callable[[Path, Path], object]] = {
    "junk": lambda note, blob: note.write_bytes(b"junk"),
    "too long": lambda note, blob: note.write_bytes(note.read_bytes() + b" " * 5000),
    "of another": _of_another,
    "no blob": lambda note, blob: blob.unlink(),
    "short": lambda note, blob: blob.write_bytes(blob.read_bytes()[:-1]),
    "flipped": lambda note, blob: blob.write_bytes(blob.read_bytes()[:-1] + b"\0"),
    "link": _linked,
    "directory": _a_directory,
    "pipe": _a_pipe,
}


@pytest.mark.parametrize("kind", _WRONG)
def test_entries_that_are_wrong_are_ignored_and_made_anew(tmp_path: Path, kind: str) -> None:
    cache = tmp_path / "cache"
    manifest, _ = pack(tmp_path / "one", cache)
    (base,) = (blob.digest.hex for blob in manifest.blobs if blob.diff_id == sha256(_LAYERS["x/b:1"][0]))
    _WRONG[kind](cache / f"{base}.json", cache / f"{base}.blob")
    pack(tmp_path / "two", cache)
    assert contents_of(tmp_path / "two") == contents_of(tmp_path / "one")
    if kind != "directory":
        pack(tmp_path / "three", cache, plan(SilentSource))
        assert contents_of(tmp_path / "three") == contents_of(tmp_path / "one")


@pytest.mark.parametrize("count", range(6))
def test_a_full_disk_is_no_failure_of_the_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    left = count

    def write(descriptor: int, data: bytes | memoryview) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.write(descriptor, data)

    monkeypatch.setattr(filling, "write_all", write)
    messages = Messages()
    with open_reuse(cache=tmp_path / "cache", progress=messages) as reuse:
        write_bundle(plan(), tmp_path / "one", SMALL, reuse=reuse)
    write_bundle(plan(), tmp_path / "right", SMALL)
    assert contents_of(tmp_path / "one") == contents_of(tmp_path / "right")
    (text,) = messages.texts
    assert "takes no more: No space left on device" in text
    assert not list((tmp_path / "cache").glob("*.partial"))
    monkeypatch.undo()
    pack(tmp_path / "two", tmp_path / "cache")
    assert contents_of(tmp_path / "two") == contents_of(tmp_path / "right")


def test_a_pack_that_fails_leaves_whole_entries_only(tmp_path: Path) -> None:
    of = plan()
    (source,) = {id(image.source): image.source for image in of.images}.values()
    assert isinstance(source, MemorySource)
    (broken,) = {image.found.diff_ids[-1] for image in of.images if image.reference.familiar == "x/a:1"}  # type: ignore[union-attr]
    source.blobs[broken] = source.blobs[broken][:-1] + b"\1"
    with pytest.raises(DamagedContent):
        pack(tmp_path / "one", tmp_path / "cache", of)
    entries(tmp_path / "cache")
    pack(tmp_path / "one", tmp_path / "cache")
    write_bundle(plan(), tmp_path / "right", SMALL)
    assert contents_of(tmp_path / "one") == contents_of(tmp_path / "right")


def test_reading_only_changes_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with open_reuse(cache=cache, read_only=True) as reuse:
        assert reuse.config(sha256(b"x")) is None
    assert not cache.exists()
    manifest, _ = pack(tmp_path / "one", cache)
    (config,) = {image.image_ids[0] for image in manifest.applications[0].images if "/b:" in image.reference}
    (cache / ("0" * 64 + ".json")).write_bytes(b"junk")
    before = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    with open_reuse(cache=cache, cache_bytes=0, read_only=True) as reuse:
        assert reuse.config(config) is not None
        assert reuse.filler is None
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == before


def test_a_blob_that_goes_meanwhile(tmp_path: Path) -> None:
    manifest, _ = pack(tmp_path / "one", tmp_path / "cache")
    cache = Cache(tmp_path / "cache", _BIG)
    blob = next(blob for blob in manifest.blobs if blob.diff_id)
    held = cache.blob(blob.digest)
    assert held is not None
    assert len(read_and_close(cache.open(held))) == blob.size
    cache.reject(held)
    with pytest.raises(NotFound):
        cache.open(held)
    cache.close()
    cache.close()


def test_a_cache_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(DiskError), open_reuse(cache=tmp_path / "cache"):
        pass


# -- notes ------------------------------------------------------------------------------------------------

_DIGEST = Digest.from_hex("a" * 64)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(digest=_DIGEST, size=0),
        Entry(digest=_DIGEST, size=1 << 40, diff_id=Digest.from_hex("b" * 64), encoder=Encoder.choose()),
    ],
)
def test_a_note_says_what_was_noted(entry: Entry) -> None:
    assert parse_entry(write_entry(entry)) == entry


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"size":1}',
        b'{"digest":"sha256:%s","size":-1}' % (b"a" * 64),
        b'{"digest":"sha256:%s","size":1,"more":1}' % (b"a" * 64),
        b'{"digest":"sha256:%s","size":1,"diff_id":"sha256:%s"}' % (b"a" * 64, b"b" * 64),
        b'{"digest":"sha256:../x","size":1}',
    ],
)
def test_a_note_that_is_none(raw: bytes) -> None:
    with pytest.raises(MalformedDocument):
        parse_entry(raw)
