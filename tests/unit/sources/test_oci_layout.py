"""OCI layouts as a source: names, strictness, and files that are not what they seem."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.content.images import RegistryForm
from bundler.errors import (
    AirbundleError,
    DamagedContent,
    InvalidReference,
    MalformedDocument,
    NotFound,
    UsageError,
)
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.limits import Limits
from bundler.sources.oci_layout import OciLayoutSource
from tests.fakes.layouts import entry, layout_files, write_archive, write_directory
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.streams import drain, read_and_close

Names = list[tuple[str | None, str | None]]


def source_of(tmp_path: Path, names: Names, *, own: str = "web", archive: bool = False) -> OciLayoutSource:
    """Open a layout with one image for each pair of ``ref.name`` and containerd's name."""
    memory = MemorySource()
    images = [memory.make_image([b"base", b"%d" % number], f"x{number}") for number in range(len(names))]
    files = layout_files(memory, [entry(image, *pair) for image, pair in zip(images, names, strict=True)])
    path = write_archive(tmp_path / own, files) if archive else write_directory(tmp_path / own, files)
    return OciLayoutSource(path, archive=archive)


def names_of(source: OciLayoutSource, name: str = "") -> list[str]:
    return [str(image.reference) for image in source.resolve(name)]


@pytest.mark.parametrize(
    ("ref_name", "containerd", "expected"),
    [
        ("1.0", None, "docker.io/library/web:1.0"),
        ("latest", None, "docker.io/library/web:latest"),
        ("busybox:1", None, "docker.io/library/busybox:1"),
        ("shop/web", None, "docker.io/shop/web:latest"),
        ("reg.example:5000/shop/web:1", None, "reg.example:5000/shop/web:1"),
        ("1.0", "docker.io/library/other:1.0", "docker.io/library/other:1.0"),
        (None, "docker.io/library/other:1.0", "docker.io/library/other:1.0"),
        ("1.0", "", "docker.io/library/web:1.0"),
        # containerd's name is unusable: the other one counts.
        ("2.0", "Not/A Name", "docker.io/library/web:2.0"),
        (None, None, "docker.io/library/web:latest"),
        ("", "", "docker.io/library/web:latest"),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_names(tmp_path: Path, ref_name: str | None, containerd: str | None, expected: str, archive: bool) -> None:
    own = "web.oci.tar" if archive else "web"
    assert names_of(source_of(tmp_path, [(ref_name, containerd)], own=own, archive=archive)) == [expected]


@pytest.mark.parametrize(
    ("own", "repository"),
    [("Web", "web"), ("web-1.0", "web-1.0"), ("web.tar", "web"), ("web.oci.tar", "web"), ("WEB.TAR", "web"),
     ("a_b", "a_b")],
)  # fmt: skip
def test_the_repository_of_a_bare_tag(tmp_path: Path, own: str, repository: str) -> None:
    source = source_of(tmp_path, [("v1", None)], own=own, archive=own.lower().endswith(".tar"))
    assert names_of(source) == [f"docker.io/library/{repository}:v1"]


@pytest.mark.parametrize("own", ["my web", "wéb", "-web", "web+1", ".web", "a..b"])
def test_a_directory_that_makes_no_repository(tmp_path: Path, own: str) -> None:
    source = source_of(tmp_path, [("v1", None), ("shop/web:1", None)], own=own)
    with pytest.raises(InvalidReference) as caught:
        source.resolve("")
    assert "Rename it" in caught.value.advice
    # What has a name of its own is not touched by that.
    assert names_of(source, "shop/web:1") == ["docker.io/shop/web:1"]


def test_the_current_directory_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source_of(tmp_path, [("v1", None)])
    monkeypatch.chdir(tmp_path / "web")
    assert names_of(OciLayoutSource(Path(), archive=False)) == ["docker.io/library/web:v1"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("1.0", "docker.io/library/web:1.0"),
        ("web:1.0", "docker.io/library/web:1.0"),
        ("docker.io/library/web:1.0", "docker.io/library/web:1.0"),
        ("shop/api:2", "docker.io/shop/api:2"),
        ("docker.io/shop/api:2", "docker.io/shop/api:2"),
        ("2", "docker.io/shop/api:2"),
        ("web", "docker.io/library/web:latest"),
    ],
)
def test_ways_to_ask_for_one_image(tmp_path: Path, asked: str, expected: str) -> None:
    source = source_of(tmp_path, [("1.0", None), ("2", "docker.io/shop/api:2"), ("latest", None)])
    assert names_of(source, asked) == [expected]


def test_asking_by_digest(tmp_path: Path) -> None:
    source = source_of(tmp_path, [("1.0", None), (None, None), ("a+b", None)])
    named = source.resolve("1.0")[0]
    assert isinstance(named, RegistryForm)
    digest = named.tree.root.digest
    for asked in (f"@{digest}", f"web@{digest}", f"web:1.0@{digest}"):
        assert names_of(source, asked) == ["docker.io/library/web:1.0"]
    for asked in (f"web:2@{digest}", f"other@{digest}", "@sha256:" + "0" * 64):
        with pytest.raises(NotFound):
            source.resolve(asked)
    with pytest.raises(InvalidReference):
        source.resolve("@sha256:short")


def test_a_name_that_is_none_can_be_had_by_digest(tmp_path: Path) -> None:
    source = source_of(tmp_path, [("a+b", None)])
    with pytest.raises(InvalidReference):
        source.resolve("a+b")
    digest = source._layout.entries[0].descriptor.digest
    assert names_of(source, f"@{digest}") == [f"docker.io/library/web@{digest}"]


@pytest.mark.parametrize("asked", ["3", "web:3", "other:1.0", "shop/api", "not a name at all:", "WEB:1.0"])
def test_asking_for_what_is_not_there(tmp_path: Path, asked: str) -> None:
    source = source_of(tmp_path, [("1.0", None), ("2", "docker.io/shop/api:2")])
    with pytest.raises((NotFound, InvalidReference)) as caught:
        source.resolve(asked)
    if isinstance(caught.value, NotFound):
        assert "It holds: 1.0, docker.io/shop/api:2." in caught.value.advice


def test_all_means_all_that_are_named(tmp_path: Path) -> None:
    source = source_of(tmp_path, [("1", None), (None, None), ("2", None)])
    assert names_of(source) == ["docker.io/library/web:1", "docker.io/library/web:2"]
    with pytest.raises(NotFound, match="no named images"):
        source_of(tmp_path, [(None, None), (None, None)], own="b").resolve("")
    with pytest.raises(NotFound, match="no named images"):
        source_of(tmp_path, [], own="c").resolve("")


def test_one_name_for_two_images_is_refused(tmp_path: Path) -> None:
    source = source_of(tmp_path, [("1", None), ("1", None)])
    for asked in ("", "1", "web:1"):
        with pytest.raises(MalformedDocument, match="several images"):
            source.resolve(asked)
    digest = source._layout.entries[1].descriptor.digest
    assert names_of(source, f"@{digest}") == ["docker.io/library/web:1"]


def test_one_image_listed_twice_is_one(tmp_path: Path) -> None:
    memory = MemorySource()
    image = memory.make_image([b"1"], "x")
    files = layout_files(memory, [entry(image, "1"), entry(image, "docker.io/library/web:1"), entry(image, "2")])
    source = OciLayoutSource(write_directory(tmp_path / "web", files), archive=False)
    assert names_of(source) == ["docker.io/library/web:1", "docker.io/library/web:2"]


# -- trees ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("archive", [False, True])
def test_nested_and_sparse_indexes_and_artifacts(tmp_path: Path, archive: bool) -> None:
    memory = MemorySource()
    images = [memory.make_image([name.encode()], "x", platform=f"linux/{name}") for name in ("amd64", "arm64")]
    inner = memory.make_index([images[1]], "x")
    away = Descriptor(media_type=images[0].tree.root.media_type, digest=Digest.from_hex("1" * 64), size=9)
    web = memory.make_index([images[0], inner, memory.make_artifact(b"sig", "x")], "x", absent=[away])
    files = layout_files(memory, [entry(web, "shop/web:1")])
    path = write_archive(tmp_path / "l", files) if archive else write_directory(tmp_path / "l", files)
    source = OciLayoutSource(path, archive=archive)
    (found,) = source.resolve("")
    assert isinstance(found, RegistryForm)
    assert found.tree.documents == web.tree.documents
    wanted = {descriptor.digest for descriptor in found.tree.blobs()}
    got = {item.digest: drain(item.stream) for item in source.contents([found], wanted, CountingTask())}
    assert got == {digest: memory.blobs[digest] for digest in wanted}
    assert list(got) == [descriptor.digest for descriptor in found.tree.blobs()]


def foreign_image(memory: MemorySource, media_type: str, **more: object) -> RegistryForm:
    layer = memory.store(b"windows", media_type, **more)
    config = memory.make_image([b"windows"], "x").tree.platform_images()[0].manifest.config
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    image = memory.add({**manifest, "config": config, "layers": [layer]}, "web:1")
    del memory.blobs[layer.digest]
    return image


@pytest.mark.parametrize(
    ("media_type", "urls", "allowed"),
    [("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", (), True),
     ("application/vnd.oci.image.layer.v1.tar", ("https://x.example/l",), True),
     ("application/vnd.oci.image.layer.v1.tar", (), False)],
)  # fmt: skip
def test_only_foreign_layers_may_be_absent(
    tmp_path: Path, media_type: str, urls: tuple[str, ...], allowed: bool
) -> None:
    memory = MemorySource()
    image = foreign_image(memory, media_type, urls=urls)
    files = layout_files(memory, [entry(image, "1")])
    source = OciLayoutSource(write_directory(tmp_path / "web", files), archive=False)
    (found,) = source.resolve("")
    assert isinstance(found, RegistryForm)
    wanted = {descriptor.digest for descriptor in found.tree.blobs()}

    def read() -> int:
        return len([drain(item.stream) for item in source.contents([found], wanted, CountingTask())])

    if allowed:
        assert read() == 2
    else:
        with pytest.raises(DamagedContent, match="lacks"):
            read()


# -- what is broken -------------------------------------------------------------------------------------------


def good_files() -> tuple[dict[str, bytes], RegistryForm]:
    memory = MemorySource()
    image = memory.make_image([b"base"], "x")
    return layout_files(memory, [entry(image, "1")]), image


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("oci-layout", None, NotFound),
        ("oci-layout", b"", MalformedDocument),
        ("oci-layout", b"[]", MalformedDocument),
        ("oci-layout", b"{}", MalformedDocument),
        ("oci-layout", b'{"imageLayoutVersion":"2.0.0"}', MalformedDocument),
        ("oci-layout", b'{"imageLayoutVersion":1}', MalformedDocument),
        ("oci-layout", b"{" + b" " * 5000 + b"}", DamagedContent),
        ("index.json", None, NotFound),
        ("index.json", b"", MalformedDocument),
        ("index.json", b"<html>", MalformedDocument),
        ("index.json", b'{"schemaVersion":2}', MalformedDocument),
        ("index.json", b'{"schemaVersion":1,"manifests":[]}', MalformedDocument),
        ("index.json", b'{"schemaVersion":2,"manifests":[{}]}', MalformedDocument),
        ("index.json", b'{"schemaVersion":2,"manifests":[],"manifests":[]}', MalformedDocument),
        ("index.json", b'{"schemaVersion":2,"manifests":[]' + b" " * 5000 + b"}", DamagedContent),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_broken_layouts(
    tmp_path: Path, name: str, data: bytes | None, kind: type[AirbundleError], archive: bool
) -> None:
    files, _ = good_files()
    files.pop(name)
    if data is not None:
        files[name] = data
    path = write_archive(tmp_path / "l", files) if archive else write_directory(tmp_path / "l", files)
    with pytest.raises(kind):
        OciLayoutSource(path, archive=archive, limits=Limits(document_bytes=4000, table_bytes=4000))


def test_the_index_must_be_an_index(tmp_path: Path) -> None:
    files, image = good_files()
    files["index.json"] = image.tree.documents[image.tree.root.digest]
    with pytest.raises(MalformedDocument, match="no image index"):
        OciLayoutSource(write_directory(tmp_path / "l", files), archive=False)


@pytest.mark.parametrize("archive", [False, True])
def test_nothing_there(tmp_path: Path, archive: bool) -> None:
    with pytest.raises(NotFound):
        OciLayoutSource(tmp_path / "no", archive=archive)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "directory").mkdir()
    with pytest.raises(AirbundleError):
        OciLayoutSource(tmp_path / ("directory" if archive else "file"), archive=archive)


def blob_path(tmp_path: Path) -> tuple[OciLayoutSource, Descriptor, Path]:
    files, image = good_files()
    source = OciLayoutSource(write_directory(tmp_path / "l", files), archive=False)
    layer = image.tree.platform_images()[0].manifest.layers[0]
    return source, layer, tmp_path / "l" / "blobs/sha256" / layer.digest.hex


def make_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_device_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("change", [make_link, make_directory, make_pipe, make_device_link])
def test_only_regular_files_are_opened(tmp_path: Path, change: Callable[[Path], None]) -> None:
    source, layer, path = blob_path(tmp_path)
    change(path)
    outcome: list[BaseException] = []

    def read() -> None:
        try:
            source.open_blob(layer)
        except AirbundleError as error:
            outcome.append(error)

    # In a thread: opening a pipe the wrong way would never come back.
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert type(outcome[0]) is DamagedContent
    assert "no regular file" in str(outcome[0])


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_links_are_refused_for_documents_too(tmp_path: Path, name: str) -> None:
    files, _ = good_files()
    make_link(write_directory(tmp_path / "l", files) / name)
    with pytest.raises(DamagedContent, match="no regular file"):
        OciLayoutSource(tmp_path / "l", archive=False)


def test_a_link_in_a_document_s_place(tmp_path: Path) -> None:
    files, image = good_files()
    path = write_directory(tmp_path / "l", files)
    make_link(path / "blobs/sha256" / image.tree.root.digest.hex)
    with pytest.raises(DamagedContent, match="no regular file"):
        OciLayoutSource(path, archive=False).resolve("")


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"!" + data[1:]]
)
def test_damaged_documents(tmp_path: Path, damage: Callable[[bytes], bytes], archive: bool) -> None:
    files, image = good_files()
    for digest in image.tree.documents:
        name = f"blobs/sha256/{digest.hex}"
        changed = {**files, name: damage(files[name])}
        where = tmp_path / digest.hex
        path = write_archive(where, changed) if archive else write_directory(where, changed)
        with pytest.raises(DamagedContent):
            OciLayoutSource(path, archive=archive).resolve("")


@pytest.mark.parametrize("archive", [False, True])
def test_ranges_are_bounded_by_the_descriptor(tmp_path: Path, archive: bool) -> None:
    files, image = good_files()
    layer = image.tree.platform_images()[0].manifest.layers[0]
    name = f"blobs/sha256/{layer.digest.hex}"
    right = files[name]
    for data, offset, outcome in (
        (right, 3, right[3:]),
        (right, layer.size, b""),
        (right + b"more", 3, right[3:]),
        (right[:-2], 3, None),
        (b"", 5, None),
    ):
        files[name] = data
        where = tmp_path / f"{len(data)}-{offset}"
        path = write_archive(where, files) if archive else write_directory(where, files)
        source = OciLayoutSource(path, archive=archive)
        if outcome is None:
            with pytest.raises(DamagedContent, match="truncated"):
                read_and_close(source.open_blob(layer, offset))
        else:
            assert read_and_close(source.open_blob(layer, offset)) == outcome
        for outside in (-1, layer.size + 1):
            with pytest.raises(UsageError):
                source.open_blob(layer, outside)
