"""Locks against a registry whose tags move, an engine and a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundler.api.image_names import ImageName
from bundler.api.locking import check_lock, make_lock, read_lock, update_lock
from bundler.api.packing import pack, planned
from bundler.api.registry_access import AccessOptions
from bundler.api.source_set import SourceSet
from bundler.content.images import ImageSource, OutgoingImage, RegistryForm
from bundler.destinations.registry import RegistryDestination
from bundler.errors import ConfigError, LockRefused, NotFound, Unreachable, UsageError
from bundler.model.digest import Digest
from bundler.packing.locking.lock_file import Lock, LockedImage, LockEntry
from bundler.packing.planning.image_entry import ImageEntry
from bundler.packing.planning.plan import PackPlan
from tests.builders import SMALL, layer
from tests.fakes.layouts import entry, layout_files, write_directory
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.registry import FakeRegistry
from tests.registry_access import PLAIN_HTTP

Applications = Mapping[str, Sequence[str | ImageEntry]]


class Shop:
    """A registry in which tags of ``shop/app`` are given, and moved."""

    def __init__(self, fake: FakeRegistry) -> None:
        self.fake = fake
        self.name = f"{fake.address}/shop/app"

    def push(self, tag: str, content: str = "") -> Digest:
        """Let a tag stand for an image of some content."""
        memory = MemorySource()
        image = memory.make_image([layer(content or tag, 300)], f"reg.test/shop/app:{tag}")
        destination = RegistryDestination(self.fake.address, PLAIN_HTTP, on_existing_tag="overwrite")
        destination.put(OutgoingImage(image.reference, image.tree), memory, CountingTask())
        destination.finish()
        return image.tree.root.digest

    def entry(self, **rule: str) -> ImageEntry:
        return ImageEntry(image=f"docker://{self.name}", **rule)  # type: ignore[arg-type]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    with FakeRegistry() as fake:
        yield Shop(fake)


def locked(applications: Applications) -> Lock:
    return make_lock(applications, access=AccessOptions(plain_http=True))


def plan(applications: Applications, lock: Lock | None = None) -> PackPlan:
    with planned(applications, options=SMALL, access=AccessOptions(plain_http=True), lock=lock) as made:
        return made


def root(made: PackPlan) -> str:
    (image,) = made.images
    assert isinstance(image.found, RegistryForm)
    return image.found.tree.root.digest


def test_a_range_chooses_a_tag_and_the_lock_keeps_it(shop: Shop, tmp_path: Path) -> None:
    digests = {tag: shop.push(tag) for tag in ("1.3.0", "1.4.0", "1.10.0", "2.0.0-rc.1", "latest")}
    wanted = {"web": [shop.entry(version=">=1.4 <2")]}
    lock = locked(wanted)
    (found,) = lock.entries
    image = LockedImage(reference=f"{shop.name}:1.10.0", digest=digests["1.10.0"], platforms=("linux/amd64",))
    assert (found.images, found.source, found.where) == ((image,), "registry", shop.fake.address)
    assert found.resolved == "1970-01-01T00:00:00Z"
    shop.push("1.11.0")
    assert str(plan(wanted).images[0].reference) == f"{shop.name}:1.11.0"
    assert plan(wanted).images[0].rule == "version >=1.4 <2"
    kept = plan(wanted, lock)
    assert (str(kept.images[0].reference), root(kept)) == (f"{shop.name}:1.10.0", digests["1.10.0"])
    manifest = pack(wanted, tmp_path / "out", options=SMALL, access=AccessOptions(plain_http=True), lock=lock)
    assert manifest.applications[0].images[0].reference == f"{shop.name}:1.10.0"


def test_a_tag_that_moved_is_packed_as_it_was(shop: Shop) -> None:
    wanted = {"web": [f"docker://{shop.name}:1"]}
    before = shop.push("1", "old")
    lock = locked(wanted)
    assert shop.push("1", "new") != before
    kept = plan(wanted, lock)
    assert (str(kept.images[0].reference), root(kept)) == (f"{shop.name}:1", before)


def test_a_lock_is_written_once_and_compared(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "airbundle.lock"
    wanted = {"web": [f"docker://{shop.name}:1"]}
    shop.push("1", "old")
    with pytest.raises(NotFound, match=r"airbundle\.lock"):
        check_lock(path, locked(wanted))
    assert [change.kind for change in update_lock(path, locked(wanted))] == ["added"]
    raw = path.read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert update_lock(path, locked(wanted)) == () == check_lock(path, locked(wanted))
    assert path.read_bytes() == raw
    shop.push("1", "new")
    assert [change.kind for change in check_lock(path, locked(wanted))] == ["changed"]
    assert path.read_bytes() == raw
    assert [change.kind for change in update_lock(path, locked(wanted))] == ["changed"]
    assert read_lock(path).entries[0].resolved == "2001-09-09T01:46:40Z"
    path.write_bytes(b"somebody's own file")
    with pytest.raises(ConfigError):
        update_lock(path, locked(wanted))
    assert path.read_bytes() == b"somebody's own file"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        locked(wanted)


def test_what_is_gone_or_not_locked_is_refused(shop: Shop) -> None:
    digest = shop.push("1")
    wanted: Applications = {"web": [f"docker://{shop.name}:1"]}
    lock = locked(wanted)
    with pytest.raises(LockRefused, match="does not have"):
        plan({"web": [f"docker://{shop.name}:2"]}, lock)
    with pytest.raises(LockRefused, match="does not have"):
        plan({"web": [shop.entry(tags="*")]}, lock)
    del shop.fake.store.repo("shop/app").manifests[digest]
    with pytest.raises(LockRefused, match="is gone"):
        plan(wanted, lock)


@pytest.mark.parametrize(
    "change",
    [
        {"source": "docker"}, {"source": "oci"}, {"source": "bundle"}, {"reference": "reg.test/evil:1"},
        {"reference": "NAME:2"}, {"reference": "NAME:1.0.0@sha256:" + "2" * 64}, {"image_id": True},
        {"platforms": ("linux/arm64",)},
    ],
)  # fmt: skip
@pytest.mark.parametrize("by_rule", [False, True])
def test_a_lock_cannot_slip_in_another_image(shop: Shop, change: dict[str, Any], by_rule: bool) -> None:
    shop.push("1.0.0")
    wanted = {"web": [shop.entry(version="1") if by_rule else f"docker://{shop.name}:1.0.0"]}
    (found,) = locked(wanted).entries
    (image,) = found.images
    if "reference" in change:
        image = msgspec.structs.replace(image, reference=change["reference"].replace("NAME", shop.name))
    elif "image_id" in change:
        image = msgspec.structs.replace(image, digest=None, image_id=image.digest)
    else:
        image = msgspec.structs.replace(image, **{k: v for k, v in change.items() if k == "platforms"})
    source = change.get("source", found.source)
    forged = msgspec.structs.replace(found, images=(image,), source=source)
    with pytest.raises(LockRefused):
        plan(wanted, Lock.of([forged]))


def test_several_images_for_one_name_are_refused(shop: Shop) -> None:
    shop.push("1.0.0")
    wanted = {"web": [f"docker://{shop.name}:1.0.0"]}
    (found,) = locked(wanted).entries
    more = msgspec.structs.replace(found.images[0], reference=f"{shop.name}:2")
    with pytest.raises(LockRefused):
        plan(wanted, Lock.of([msgspec.structs.replace(found, images=(*found.images, more))]))


@pytest.mark.parametrize(
    "image", ["reg.test/app:1", "reg.test/app@sha256:" + "0" * 64, "docker-daemon:app", "oci:x"]
)
def test_a_rule_needs_a_bare_repository(image: str) -> None:
    with pytest.raises(ConfigError):
        locked({"web": [ImageEntry(image=image, version="1")]})


def test_files_are_compared(tmp_path: Path) -> None:
    def write(content: str) -> str:
        source = MemorySource()
        images = [source.make_image([layer(content, 200)], f"reg.test/{name}:1") for name in ("x", "y")]
        write_directory(
            tmp_path / content, layout_files(source, [entry(one, str(one.reference)) for one in images])
        )
        return f"oci:{tmp_path / 'layout'}"

    name = write("old")
    (tmp_path / "old").rename(tmp_path / "layout")
    lock = locked({"web": [name]})
    assert [image.reference for image in lock.entries[0].images] == ["reg.test/x:1", "reg.test/y:1"]
    assert lock.entries[0].where == str(tmp_path / "layout")
    assert len(plan({"web": [name]}, lock).images) == 2
    write("new")
    (tmp_path / "layout").rename(tmp_path / "kept")
    (tmp_path / "new").rename(tmp_path / "layout")
    with pytest.raises(LockRefused, match=r"locked is reg.test/x:1 .*, there is reg.test/x:1"):
        plan({"web": [name]}, lock)
    (tmp_path / "layout").rename(tmp_path / "elsewhere")
    with pytest.raises(LockRefused, match="is gone"):
        plan({"web": [name]}, lock)


class _Engine(MemorySource):
    """An engine that keeps no manifests."""

    def __init__(self, content: str) -> None:
        super().__init__("docker")
        self.made = self.make_engine_image([layer(content, 100)], "docker.io/library/app:1")


def test_images_of_an_engine_are_compared_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    engine: ImageSource = _Engine("old")
    monkeypatch.setattr(SourceSet, "_source", lambda _, name: engine)
    lock = locked({"web": ["app:1"]})
    (image,) = lock.entries[0].images
    assert image.digest is None
    assert image.image_id is not None
    assert lock.entries[0].where == "engine"
    assert len(plan({"web": ["app:1"]}, lock).images) == 1
    engine = _Engine("new")
    with pytest.raises(LockRefused, match="is not what is locked"):
        plan({"web": ["app:1"]}, lock)


def test_the_name_decides_who_is_asked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is locked at a registry is not looked for in an engine that has the name meanwhile."""
    shop.push("1")

    def no_engine(*_: object) -> ImageSource:
        raise Unreachable("no engine here")

    monkeypatch.setitem(SourceSet._makers, "docker-daemon", no_engine)
    wanted = {"web": [f"{shop.name}:1"]}
    lock = locked(wanted)
    assert lock.entries[0].source == "registry"
    asked: list[str] = []
    find = SourceSet._source

    def watch(self: SourceSet, name: ImageName) -> ImageSource:
        asked.append(name.transport)
        return find(self, name)

    monkeypatch.setattr(SourceSet, "_source", watch)
    plan(wanted, lock)
    assert asked == ["docker"]


def test_an_image_of_two_applications_is_asked_for_once(shop: Shop) -> None:
    shop.push("1")
    shop.fake.log.clear()
    plan({name: [f"docker://{shop.name}:1"] for name in ("a", "b")})
    # What refers to it is looked for beside it, under names that begin with its digest.
    paths = [one.path for one in shop.fake.log]
    assert len([path for path in paths if "/manifests/" in path and "sha256-" not in path]) == 1
    assert len(paths) == len(set(paths))


def test_an_entry_of_a_lock_names_its_rule() -> None:
    made = LockEntry(application="a", image="x", tags="1.*", source="registry", where="x", resolved="x", images=())
    assert made.title == "x (tags 1.*) in the application a"
