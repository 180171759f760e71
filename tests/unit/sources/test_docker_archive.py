from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from bundler.content.hashing import sha256
from bundler.content.images import EngineForm, RegistryForm
from bundler.errors import AirbundleError, DamagedContent, MalformedDocument, NotFound, UsageError
from bundler.model.reference import Reference
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.transports.docker_archive_writer import ArchiveImage, ArchiveLayer, DockerArchiveWriter
from tests.fakes.engine_archives import tar
from tests.fakes.memory import AMD64, MemorySource, make_config, tar_of
from tests.unit.engines import layer
from tests.unit.sources.reading import read, wanted_of

BASE, TOP = layer("base"), layer("top")
CONFIG = make_config([BASE, TOP])
NAME = "docker.io/library/shop:1"


def entry(
    *tags: str, config: str = "c.json", layers: tuple[str, ...] = ("b/layer.tar", "a/layer.tar")
) -> dict[str, Any]:
    return {"Config": config, "RepoTags": list(tags) or None, "Layers": list(layers)}


def write(path: Path, table: object, files: dict[str, bytes] | None = None, **links: str) -> Path:
    files = {"c.json": CONFIG, "b/layer.tar": BASE, "a/layer.tar": TOP} if files is None else files
    path.write_bytes(tar({**files, "manifest.json": json.dumps(table).encode()}, links))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.tar"


def test_the_old_layout_gives_the_engine_form_in_the_order_of_its_members(path: Path) -> None:
    source = DockerArchiveSource(write(path, [entry("shop:1")]))
    (image,) = source.resolve("shop:1")
    assert image == EngineForm(
        Reference.parse("shop:1"),
        sha256(CONFIG),
        (sha256(BASE), sha256(TOP)),
        image.platform if isinstance(image, EngineForm) else None,  # type: ignore[arg-type]
        len(BASE) + len(TOP),
    )
    assert isinstance(image, EngineForm)
    assert str(image.platform) == AMD64
    assert list(read(source, image).items()) == [
        (sha256(TOP), TOP),
        (sha256(BASE), BASE),
        (sha256(CONFIG), CONFIG),
    ]
    assert list(read(source, image, [sha256(BASE)])) == [sha256(BASE)]


@pytest.mark.parametrize(
    "name", ["shop:1", "library/shop:1", "docker.io/library/shop:1", "index.docker.io/library/shop:1"]
)
def test_names_are_compared_as_docker_does(path: Path, name: str) -> None:
    source = DockerArchiveSource(write(path, [entry("shop:1"), entry("reg:5000/erp:2")]))
    (image,) = source.resolve(name)
    assert str(image.reference) == NAME


def test_all_names_of_all_images_are_found_without_a_name(path: Path) -> None:
    source = DockerArchiveSource(write(path, [entry("shop:1", "shop:latest"), entry("reg:5000/erp:2")]))
    assert [image.reference.familiar for image in source.resolve("")] == [
        "shop:1",
        "shop:latest",
        "reg:5000/erp:2",
    ]
    assert [image.reference.familiar for image in source.resolve("@0")] == ["shop:1", "shop:latest"]
    assert source.resolve("@1")[0].reference.familiar == "reg:5000/erp:2"


@pytest.mark.parametrize("name", ["@2", "shop", "other:1", "shop@sha256:" + "a" * 64])
def test_what_is_not_there_is_not_found(path: Path, name: str) -> None:
    source = DockerArchiveSource(write(path, [entry("shop:1"), entry("erp:1")]))
    with pytest.raises(NotFound):
        source.resolve(name)


@pytest.mark.parametrize("name", ["@", "@x", "@-1", "@²", "@999999"])
def test_what_is_no_position_is_refused(path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        DockerArchiveSource(write(path, [entry("shop:1")])).resolve(name)


def test_an_only_image_without_a_name_takes_the_name_that_is_given(path: Path) -> None:
    source = DockerArchiveSource(write(path, [entry()]))
    assert source.resolve("mine:3")[0].reference == Reference.parse("mine:3")
    for name in ("", "@0"):
        with pytest.raises(UsageError, match="no name"):
            source.resolve(name)
    with pytest.raises(NotFound):
        DockerArchiveSource(write(path, [entry(), entry("erp:1")])).resolve("mine:3")


def test_of_two_images_with_one_name_the_last_keeps_it(path: Path) -> None:
    other = make_config([TOP])
    files = {"c.json": CONFIG, "d.json": other, "b/layer.tar": BASE, "a/layer.tar": TOP}
    table = [entry("shop:1"), entry("shop:1", config="d.json", layers=("a/layer.tar",))]
    source = DockerArchiveSource(write(path, table, files))
    for name in ("", "shop:1"):
        (image,) = source.resolve(name)
        assert isinstance(image, EngineForm)
        assert image.config_digest == sha256(other)


def test_a_layer_may_be_a_link_to_a_later_entry_and_lie_in_two_places(path: Path) -> None:
    config = make_config([BASE, TOP, BASE])
    files = {"c.json": config, "x/layer.tar": BASE, "m/layer.tar": TOP}
    table = [entry("shop:1", layers=("k/layer.tar", "m/layer.tar", "x/layer.tar"))]
    source = DockerArchiveSource(write(path, table, files, **{"k/layer.tar": "../x/layer.tar"}))
    (image,) = source.resolve("")
    # By the place of the lowest occurrence, k, which is where an engine would save it alone.
    assert list(read(source, image)) == [sha256(config), sha256(BASE), sha256(TOP)]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_compressed_layers_without_a_manifest_are_read_as_engines_read_them(path: Path, compress: Any) -> None:
    files = {"c.json": CONFIG, "b/layer.tar": compress(BASE), "a/layer.tar": TOP}
    source = DockerArchiveSource(write(path, [entry("shop:1")], files))
    (image,) = source.resolve("")
    assert isinstance(image, EngineForm)
    assert image.size is None
    assert read(source, image)[sha256(BASE)] == BASE


def archive_of(
    path: Path, *, compression: str, registry_form: bool = True
) -> tuple[Path, RegistryForm, MemorySource]:
    memory = MemorySource()
    form = memory.make_image([BASE, TOP], NAME, compression=compression)
    chosen = form.tree.platform_images()[0]
    layers = tuple(ArchiveLayer(blob, diff_id) for blob, diff_id in chosen.layers() if diff_id)
    writer = DockerArchiveWriter(registry_form)
    image = ArchiveImage(NAME, form.tree, chosen, layers)
    path.write_bytes(b"".join((*writer.add(image, memory), *writer.end())))
    return path, form, memory


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_manifests_in_the_archive_are_kept_to_the_byte(path: Path, compression: str) -> None:
    path, form, memory = archive_of(path, compression=compression)
    source = DockerArchiveSource(path)
    for name in ("", "shop:1", "@0", f"shop@{form.tree.root.digest}"):
        (image,) = source.resolve(name)
        assert isinstance(image, RegistryForm)
        assert image.tree.root.digest == form.tree.root.digest
        assert image.tree.documents == form.tree.documents
        assert read(source, image) == memory.blobs
    assert list(read(source, image)) == sorted(wanted_of(image))


def test_an_index_is_kept_with_all_its_platforms(path: Path) -> None:
    memory = MemorySource()
    images = [memory.make_image([BASE], f"x{n}:1", platform=p) for n, p in enumerate((AMD64, "linux/arm64"))]
    index = memory.make_index(images, NAME)
    writer, chosen = DockerArchiveWriter(True), index.tree.platform_images()[0]
    layers = tuple(ArchiveLayer(blob, diff_id) for blob, diff_id in chosen.layers() if diff_id)
    path.write_bytes(
        b"".join((*writer.add(ArchiveImage(NAME, index.tree, chosen, layers), memory), *writer.end()))
    )
    (image,) = DockerArchiveSource(path).resolve("shop:1")
    assert image == index


def test_a_manifest_without_its_layers_is_not_taken_for_an_image(path: Path) -> None:
    _, form, memory = archive_of(path, compression="gzip")
    gone = form.tree.platform_images()[0].manifest.layers[0].digest
    files = {f"blobs/sha256/{digest.hex}": data for digest, data in memory.blobs.items() if digest != gone}
    root = {"mediaType": form.tree.root.media_type, "digest": form.tree.root.digest, "size": form.tree.root.size}
    root["annotations"] = {"io.containerd.image.name": NAME}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [root]}).encode()
    config = f"blobs/sha256/{form.tree.platform_images()[0].image_id.hex}"
    source = DockerArchiveSource(write(path, [entry("shop:1", config=config, layers=())], files))
    with pytest.raises(DamagedContent, match="not saved whole"):
        source.resolve("")


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ([entry("shop:1", config="none.json")], DamagedContent),
        ([entry("shop:1", layers=("b/layer.tar", "none.tar"))], DamagedContent),
        ([entry("shop:1", layers=("b/layer.tar",))], MalformedDocument),
        ([entry("shop:1", config="b/layer.tar")], MalformedDocument),
        ([entry("shop:1", config="../../etc/passwd")], DamagedContent),
        ([entry("SHOP:1")], MalformedDocument),
    ],
)
def test_tables_that_lie_are_refused(path: Path, table: object, error: type[AirbundleError]) -> None:
    source = DockerArchiveSource(write(path, table))
    with pytest.raises(error):
        source.resolve("")


def test_a_config_that_is_not_what_its_name_says_is_damaged(path: Path) -> None:
    name = f"{sha256(CONFIG).hex}.json"
    files = {name: CONFIG.replace(b"linux", b"winux"), "b/layer.tar": BASE, "a/layer.tar": TOP}
    with pytest.raises(DamagedContent, match="config"):
        DockerArchiveSource(write(path, [entry("shop:1", config=name)], files)).resolve("")


def test_a_layer_that_is_not_what_the_config_says_is_found_by_the_reader(path: Path) -> None:
    files = {"c.json": CONFIG, "b/layer.tar": tar_of({"evil": b"x"}), "a/layer.tar": TOP}
    source = DockerArchiveSource(write(path, [entry("shop:1")], files))
    (image,) = source.resolve("")
    with pytest.raises(DamagedContent):
        read(source, image)


def test_a_tar_without_a_table_is_no_docker_archive(path: Path) -> None:
    path.write_bytes(tar({"oci-layout": b"{}"}))
    with pytest.raises(MalformedDocument, match=r"no manifest\.json") as caught:
        DockerArchiveSource(path)
    assert "oci-archive" in caught.value.advice


def test_every_truncation_and_a_missing_file_give_a_declared_error(path: Path) -> None:
    with pytest.raises(NotFound):
        DockerArchiveSource(path)
    whole = write(path, [entry("shop:1")]).read_bytes()
    end = whole.rindex(b"ustar") + 512
    for size in range(0, end, 256):
        path.write_bytes(whole[:size])
        with pytest.raises((DamagedContent, NotFound)):
            DockerArchiveSource(path)
