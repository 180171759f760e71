"""Packing with stores: the same bytes, and nothing read that they have."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.compression import Encoder
from bundler.content.hashing import sha256
from bundler.content.images import EngineForm
from bundler.errors import DamagedContent, Unreachable
from bundler.model.digest import Digest
from bundler.packing.pack import check_reproducible, write_bundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from bundler.packing.reuse.old_bundle import OldBundle
from bundler.packing.reuse.reuse import Reuse
from bundler.packing.reuse.stores import Held, LayerStore
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.engine import EngineSource
from bundler.transports.engine import EngineClient
from tests.builders import (
    KIB,
    SMALL,
    TwoApplications,
    contents_of,
    flip,
    layer,
    no_thread_is_left,
    within,
)
from tests.fakes.engine import FakeEngine
from tests.fakes.memory import MemorySource, compress
from tests.unit.engines import CLASSIC, CONTAINERD, NEW_CLASSIC, load, make_fake
from tests.unit.packing.reuse.stores import MemoryStore, SilentSource, store_of

_BASE = layer("base", 90 * KIB)
_LAYERS: Mapping[str, Sequence[bytes]] = {
    "x/a:1": [_BASE, layer("a", 70 * KIB)],
    "x/b:1": [_BASE, layer("b", 3 * KIB), layer("b top", KIB)],
    "x/c:1": [_BASE, layer("c", 130 * KIB), _BASE],
    "x/d:1": [layer("d", 30 * KIB)],
}
_NEW = {**_LAYERS, "x/b:1": [_BASE, layer("b", 3 * KIB), layer("b top, changed", 2 * KIB)]}


def plan_of(source: MemorySource) -> PackPlan:
    found = source.resolve("")
    return make_plan(PlannedImage("ab"[number % 2], image, source) for number, image in enumerate(found))


def engine_images(layers: Mapping[str, Sequence[bytes]], kind: type[MemorySource] = MemorySource) -> MemorySource:
    source = kind("docker")
    for name, content in layers.items():
        source.make_engine_image(content, name)
    return source


def reused(*stores: LayerStore) -> Reuse:
    return Reuse(stores)


def old(directory: Path) -> OldBundle:
    return OldBundle(open_bundle(directory))


def made(directory: Path, source: MemorySource, options: PackOptions = SMALL) -> BundleManifest:
    return write_bundle(plan_of(source), directory, options)


def test_what_changed_is_read_and_nothing_else(tmp_path: Path) -> None:
    made(tmp_path / "old", engine_images(_LAYERS))
    made(tmp_path / "right", engine_images(_NEW))
    source, reuse = engine_images(_NEW), reused(old(tmp_path / "old"))
    changed = next(image for image in source.resolve("x/b:1") if isinstance(image, EngineForm))
    with no_thread_is_left():
        manifest = write_bundle(plan_of(source), tmp_path / "new", SMALL, reuse=reuse)
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "right")
    assert source.opened == [changed.config_digest, changed.diff_ids[-1]]
    assert verify_bundle(open_bundle(tmp_path / "new"), "deep").ok
    assert reuse.bytes_reused == sum(
        blob.size for blob in manifest.blobs if blob.encoder and blob.diff_id != changed.diff_ids[-1]
    )


def test_a_source_that_stores_make_up_for_is_not_asked(tmp_path: Path) -> None:
    made(tmp_path / "old", engine_images(_LAYERS))
    for options in (SMALL, replace(SMALL, part_bytes=100 * KIB, name="another", version="2")):
        right, again = tmp_path / f"right {options.name}", tmp_path / f"again {options.name}"
        made(right, engine_images(_LAYERS), options)
        silent = engine_images(_LAYERS, SilentSource)
        write_bundle(plan_of(silent), again, options, reuse=reused(old(tmp_path / "old")))
        assert contents_of(again) == contents_of(right)


def test_another_recipe_makes_other_bytes(tmp_path: Path) -> None:
    made(tmp_path / "old", engine_images(_LAYERS))
    for encoder in (Encoder.choose("zstd", 4), Encoder.choose("gzip")):
        options, source = replace(SMALL, encoder=encoder), engine_images(_LAYERS)
        output = tmp_path / encoder.algorithm
        reuse = reused(old(tmp_path / "old"))
        made(output / "right", engine_images(_LAYERS), options)
        write_bundle(plan_of(source), output / "new", options, reuse=reuse)
        assert contents_of(output / "new") == contents_of(output / "right")
        assert reuse.bytes_reused == 0
        # Configs are the same whatever the layers are compressed by.
        assert {digest for form in source.resolve("") for digest in form.diff_ids} == set(source.opened)  # type: ignore[union-attr]


def test_blobs_of_registries_by_their_digest(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path / "old")
    applications = TwoApplications()
    write_bundle(applications.plan(), tmp_path / "new", SMALL, reuse=reused(old(tmp_path / "old")))
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "old")
    assert applications.engine.opened == applications.registry.opened == []


def test_a_layer_that_was_made_here_and_is_in_a_registry_now(tmp_path: Path) -> None:
    made(tmp_path / "old", engine_images({"x/a:1": [_BASE]}))
    registry = MemorySource("registry")
    registry.make_image([_BASE], "x/a:1", compression="zstd")
    right = made(tmp_path / "right", registry)
    registry.opened.clear()
    write_bundle(plan_of(registry), tmp_path / "new", SMALL, reuse=reused(old(tmp_path / "old")))
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "right")
    assert [blob.encoder for blob in right.blobs if blob.diff_id] == [None]


def test_the_first_store_that_has_it_right(tmp_path: Path) -> None:
    manifest = made(tmp_path / "old", engine_images(_LAYERS))
    first, second = store_of(tmp_path / "old", manifest), store_of(tmp_path / "old", manifest)
    layers = [blob.digest for blob in manifest.blobs if blob.diff_id]
    first.blobs[layers[0]] = first.blobs[layers[0]][:-1] + b"\0"
    del first.blobs[layers[1]]
    silent = engine_images(_LAYERS, SilentSource)
    write_bundle(plan_of(silent), tmp_path / "new", SMALL, reuse=reused(first, second))
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "old")
    assert first.rejected == [layers[0]]
    assert set(second.opened) == set(layers[:2])


# -- stores that are damaged, or lie ------------------------------------------------------------------------


def _damaged(store: MemoryStore, digest: Digest) -> None:
    store.blobs[digest] = bytes([store.blobs[digest][0] ^ 1]) + store.blobs[digest][1:]


def _shorter(store: MemoryStore, digest: Digest) -> None:
    store.sizes[digest] = len(store.blobs[digest]) - 1


def _longer(store: MemoryStore, digest: Digest) -> None:
    store.blobs[digest] += b"\0"
    store.sizes[digest] = len(store.blobs[digest])


def _another_layer(store: MemoryStore, digest: Digest) -> None:
    other = compress(layer("another", 4 * KIB), "zstd")
    store.blobs[sha256(other)] = other
    for key in [key for key, made_of in store.made.items() if made_of == digest]:
        store.made[key] = sha256(other)


def _no_layer(store: MemoryStore, digest: Digest) -> None:
    store.blobs[sha256(b"junk")] = b"junk"
    for key in [key for key, made_of in store.made.items() if made_of == digest]:
        store.made[key] = sha256(b"junk")


@pytest.mark.parametrize("lie", [_damaged, _shorter, _longer, _another_layer, _no_layer])
def test_what_is_not_right_comes_from_its_source(tmp_path: Path, lie: object) -> None:
    manifest = made(tmp_path / "right", engine_images(_LAYERS))
    for number, row in enumerate(blob for blob in manifest.blobs if blob.diff_id):
        store, source = store_of(tmp_path / "right", manifest), engine_images(_LAYERS)
        lie(store, row.digest)  # type: ignore[operator]
        output = tmp_path / str(number)
        with no_thread_is_left():
            within(20, partial(write_bundle, plan_of(source), output, SMALL, reuse=reused(store)))
        assert contents_of(output) == contents_of(tmp_path / "right")
        assert source.opened == [row.diff_id]
        assert len(store.rejected) == 1


def test_a_config_that_is_damaged_comes_from_its_source(tmp_path: Path) -> None:
    manifest = made(tmp_path / "right", engine_images(_LAYERS))
    store, source = store_of(tmp_path / "right", manifest), engine_images(_LAYERS)
    (form,) = source.resolve("x/a:1")
    assert isinstance(form, EngineForm)
    _damaged(store, form.config_digest)
    write_bundle(plan_of(source), tmp_path / "new", SMALL, reuse=reused(store))
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "right")
    assert source.opened == [form.config_digest]


def test_a_part_that_is_damaged_or_missing(tmp_path: Path) -> None:
    made(tmp_path / "right", engine_images(_LAYERS))
    files = sorted((tmp_path / "right").glob("*.oci.tar*"))
    assert len(files) > 3
    for number, file in enumerate(files):
        store = tmp_path / f"old {number}"
        store.mkdir()
        for name, data in contents_of(tmp_path / "right").items():
            (store / name).write_bytes(data)
        if number % 2:
            (store / file.name).unlink()
        else:
            flip(store / file.name, file.stat().st_size // 2)
        write_bundle(plan_of(engine_images(_LAYERS)), tmp_path / str(number), SMALL, reuse=reused(old(store)))
        assert contents_of(tmp_path / str(number)) == contents_of(tmp_path / "right")


class Fickle(MemoryStore):
    """Gives a blob right once, and then otherwise."""

    def open(self, held: Held):  # type: ignore[no-untyped-def]
        stream = super().open(held)
        data = self.blobs[held.digest]
        self.blobs[held.digest] = data[:-1] + bytes([data[-1] ^ 1])
        return stream


def test_what_changes_behind_its_proof_is_an_error_that_names_the_store(tmp_path: Path) -> None:
    manifest = made(tmp_path / "right", engine_images(_LAYERS))
    store = store_of(tmp_path / "right", manifest)
    fickle = Fickle(blobs=store.blobs, made=store.made)
    with no_thread_is_left(), pytest.raises(DamagedContent, match=r"^the store changed") as caught:
        write_bundle(plan_of(engine_images(_LAYERS)), tmp_path / "new", SMALL, reuse=reused(fickle))
    assert "Leave it out" in str(caught.value.advice)
    write_bundle(plan_of(engine_images(_LAYERS)), tmp_path / "new", SMALL)
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "right")


def test_a_source_that_fails_ends_the_proofs(tmp_path: Path) -> None:
    made(tmp_path / "old", engine_images(_LAYERS))
    silent = engine_images(_NEW, SilentSource)
    with no_thread_is_left(), pytest.raises(Unreachable):
        write_bundle(plan_of(silent), tmp_path / "new", SMALL, reuse=reused(old(tmp_path / "old")))


# -- a pack that was cut ------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False], ids=["cut with", "cut without"])
def test_a_cut_pack_goes_on_with_or_without(tmp_path: Path, first: bool) -> None:
    """Whatever was cut with stores goes on without them, and the other way round."""
    manifest = made(tmp_path / "right", engine_images(_LAYERS))
    for count in range(1, 6):
        output = tmp_path / str(count)
        store = store_of(tmp_path / "right", manifest)
        reuse = reused(store)

        class Breaking(MemorySource):
            left = count

            def contents(self, images, wanted, task):  # type: ignore[no-untyped-def]
                for content in super().contents(images, wanted, task):
                    if self.left == 0:
                        raise Unreachable("gone")
                    self.left -= 1
                    yield content

        # Half of the layers are in the store: both ways are gone in one run.
        for key in sorted(store.made)[::2]:
            del store.made[key]
        try:
            write_bundle(plan_of(engine_images(_LAYERS, Breaking)), output, SMALL, reuse=reuse if first else None)
        except Unreachable:
            write_bundle(plan_of(engine_images(_LAYERS)), output, SMALL, reuse=None if first else reuse)
        assert contents_of(output) == contents_of(tmp_path / "right")


def test_the_check_reads_the_sources(tmp_path: Path) -> None:
    made(tmp_path / "old", engine_images(_LAYERS))
    source = engine_images(_LAYERS)
    plan = plan_of(source)
    manifest = write_bundle(plan, tmp_path / "new", SMALL, reuse=reused(old(tmp_path / "old")))
    assert source.opened == []
    check_reproducible(plan, manifest, SMALL)
    assert len(source.opened) > len(_LAYERS)


# -- engines and their files --------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    """The fake engine is in UTC, and what it saves has names that depend on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


class Near:
    """An engine with all images, old and new, and what it saves."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.client = engine, EngineClient(engine.host)
        memory = MemorySource()
        for layers, tag in ((_LAYERS, "1"), (_NEW, "2")):
            for name, content in layers.items():
                load(self.client, memory, memory.make_image(content, name.replace(":1", f":{tag}")))
        engine.saves.clear()

    def plan(self, tag: str, source: EngineSource | DockerArchiveSource | None = None) -> PackPlan:
        from_engine = source or EngineSource(self.client)
        return make_plan(
            PlannedImage("ab"[number % 2], found, from_engine)
            for number, name in enumerate(_LAYERS)
            for found in from_engine.resolve(name.replace(":1", f":{tag}"))
        )


@pytest.fixture(params=[CLASSIC, NEW_CLASSIC, CONTAINERD])
def near(request: pytest.FixtureRequest) -> Iterator[Near]:
    with make_fake(request.param) as engine:
        near = Near(engine)
        yield near
        near.client.close()


def test_an_engine_is_asked_for_the_image_that_changed(near: Near, tmp_path: Path) -> None:
    write_bundle(near.plan("1"), tmp_path / "old", SMALL)
    write_bundle(near.plan("2"), tmp_path / "right", SMALL)
    plan = near.plan("2")
    near.engine.saves.clear()
    write_bundle(plan, tmp_path / "new", SMALL, reuse=reused(old(tmp_path / "old")))
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "right")
    assert len(near.engine.saves) == 1
    assert len(near.engine.saves[0]) == 1


def test_an_engine_of_which_everything_is_known_is_not_asked(near: Near, tmp_path: Path) -> None:
    write_bundle(near.plan("1"), tmp_path / "old", SMALL)
    plan = near.plan("1")
    near.engine.saves.clear()
    near.client.close()
    near.engine.faults.nonsense = b"nothing"
    write_bundle(plan, tmp_path / "new", SMALL, reuse=reused(old(tmp_path / "old")))
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "old")
    assert near.engine.saves == []


def test_an_engine_whose_names_are_not_certain_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    with make_fake(CLASSIC) as engine:
        near = Near(engine)
        write_bundle(near.plan("1"), tmp_path / "old", SMALL)
        reuse = reused(old(tmp_path / "old"))
        write_bundle(near.plan("1"), tmp_path / "new", SMALL, reuse=reuse)
        near.client.close()
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "old")
    assert reuse.bytes_reused == 0


def test_every_choice_of_layers_from_stores_gives_the_same(near: Near, tmp_path: Path) -> None:
    """Whichever layers are reused, and whichever are read: each comes where it would have come."""
    manifest = write_bundle(near.plan("1"), tmp_path / "right", SMALL)
    whole = store_of(tmp_path / "right", manifest)
    blobs = [blob.digest for blob in manifest.blobs if blob.diff_id]
    for number in range(1, 1 << len(blobs), 5):
        left = {digest for place, digest in enumerate(blobs) if number >> place & 1}
        store = MemoryStore(
            blobs={digest: data for digest, data in whole.blobs.items() if digest not in left},
            made={key: digest for key, digest in whole.made.items() if digest not in left},
        )
        output = tmp_path / str(number)
        write_bundle(near.plan("1"), output, SMALL, reuse=reused(store))
        assert contents_of(output) == contents_of(tmp_path / "right")


@pytest.mark.parametrize("which", [CLASSIC, NEW_CLASSIC])
def test_from_the_engine_to_its_file_and_back(which: str, tmp_path: Path) -> None:
    from bundler.content.streams import StreamFile

    with make_fake(which) as engine:
        near = Near(engine)
        names = [name.replace(":1", ":2") for name in _LAYERS]
        (tmp_path / "saved.tar").write_bytes(StreamFile(near.client.save(*names)).read())
        archive = DockerArchiveSource(tmp_path / "saved.tar")
        write_bundle(near.plan("1"), tmp_path / "old", SMALL)
        write_bundle(near.plan("2", archive), tmp_path / "right", SMALL)
        for number, source in enumerate((archive, None)):
            plan = near.plan("2", source)
            write_bundle(plan, tmp_path / str(number), SMALL, reuse=reused(old(tmp_path / "old")))
            assert contents_of(tmp_path / str(number)) == contents_of(tmp_path / "right")
        near.client.close()
