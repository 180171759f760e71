"""Every way in: each form of an archive, each kind of name, and one image by several ways at once."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import zstandard

from tests.e2e import bundles
from tests.e2e.archives import (
    PLAIN_LAYER,
    Members,
    blob_members,
    config_of,
    image_of,
    index_of,
    old_members,
    packed,
    pipe_of,
    write_tar,
)
from tests.e2e.command import Airbundle
from tests.e2e.layouts import Image, descriptor, layer, sha256, write_docker_archive, write_layout
from tests.requirements import require, why_no_program
from tests.servers.engine import RealEngine, import_busybox
from tests.servers.registry import RealRegistry

_KIB = 1 << 10
_BASE, _WEB, _API = layer("base", 40 * _KIB), layer("web", 70 * _KIB), layer("api", 30 * _KIB)
_WEB_TAGS = ("reg.test:5000/team/shop/web:1", "web:latest")
_API_TAGS = ("reg.test:5000/team/shop/api:1",)
_WEB_NAMES = {"reg.test:5000/team/shop/web:1", "docker.io/library/web:latest"}
_PROGRAMS = ("gzip", "zstd", "xz", "bzip2")


def _gzipped(*layers: bytes) -> Image:
    return image_of([(f"{PLAIN_LAYER}+gzip", gzip.compress(data, mtime=0)) for data in layers], config_of(layers))


def _uncompressed(*layers: bytes) -> Image:
    return image_of([(PLAIN_LAYER, data) for data in layers], config_of(layers))


SHAPES: Mapping[str, Members] = {
    "of an old engine": old_members({_WEB_TAGS: [_BASE, _WEB, _BASE], _API_TAGS: [_BASE, _API]}),
    "of a newer engine": blob_members(
        {_WEB_TAGS: _uncompressed(_BASE, _WEB, _BASE), _API_TAGS: _uncompressed(_BASE, _API)}, classic=True
    ),
    "of a containerd store": blob_members(
        {_WEB_TAGS: _gzipped(_BASE, _WEB, _BASE), _API_TAGS: _gzipped(_BASE, _API)}, classic=False
    ),
}


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


# ---- the same bytes, whatever the archive looks like ------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_compressed_piped_or_shuffled_a_docker_archive_gives_the_same(
    airbundle: Airbundle, tmp_path: Path, shape: str
) -> None:
    plain = write_tar(tmp_path / "images.tar", SHAPES[shape])

    def pack(number: int, path: object, **more: object) -> dict[str, bytes]:
        output = tmp_path / str(number)
        airbundle("pack", f"shop=docker-archive:{path}", "-o", output, **more)  # type: ignore[arg-type]
        return _files(output)

    expected = pack(0, plain)
    held = bundles.images(tmp_path / "0")
    assert held.keys() == {*_WEB_NAMES, *_API_TAGS}
    assert all(image["digest_preserved"] is ("containerd" in shape) for image in held.values())
    assert airbundle("verify", tmp_path / "0", "--level", "deep", "--json").json["ok"]

    assert pack(1, write_tar(tmp_path / "backwards.tar", SHAPES[shape], backwards=True)) == expected
    backwards = packed(tmp_path / "backwards.tar", "gzip")
    assert pack(2, backwards) == expected
    for number, program in enumerate(_PROGRAMS, 3):
        assert pack(number, packed(plain, program)) == expected
    with plain.open("rb") as file:
        assert pack(7, "-", stdin=file) == expected
    for number, data in enumerate((plain.read_bytes(), backwards.read_bytes()), 8):
        with pipe_of(data) as pipe:
            assert pack(number, "-", stdin=pipe) == expected


def test_an_oci_archive_gives_the_same_too(airbundle: Airbundle, tmp_path: Path) -> None:
    image = image_of(
        [
            (f"{PLAIN_LAYER}+gzip", gzip.compress(_BASE, mtime=0)),
            (f"{PLAIN_LAYER}+zstd", zstandard.compress(_WEB)),
            (PLAIN_LAYER, _API),
        ],
        config_of([_BASE, _WEB, _API]),
    )
    layout = write_layout(tmp_path / "layout", {_WEB_TAGS[0]: image})
    members = {str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()}
    plain = write_tar(tmp_path / "images.tar", members)
    airbundle("pack", f"shop=oci:{layout}", "-o", tmp_path / "expected")
    expected = _files(tmp_path / "expected")
    for number, program in enumerate(_PROGRAMS):
        path = packed(plain, program)
        airbundle("pack", f"shop=oci-archive:{path}:{_WEB_TAGS[0]}", "-o", tmp_path / str(number))
        assert _files(tmp_path / str(number)) == expected
    with pipe_of(path.read_bytes()) as pipe:
        airbundle("pack", f"shop=oci-archive:-:{_WEB_TAGS[0]}", "-o", tmp_path / "piped", stdin=pipe)
    assert _files(tmp_path / "piped") == expected


def test_what_docker_saves_into_a_pipe_is_what_the_engine_gives(
    airbundle: Airbundle, engine: RealEngine, tmp_path: Path
) -> None:
    name = "ways.test:5000/in/busybox:1"
    require(why_no_program("docker"))
    import_busybox(engine.client, name)
    from_engine = airbundle.with_environment(DOCKER_HOST=engine.host)
    from_engine("pack", f"app=docker-daemon:{name}", "-o", tmp_path / "engine")
    save = ["docker", "--host", engine.host, "save", name]
    with subprocess.Popen(save, stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        airbundle("pack", "app=docker-archive:-", "-o", tmp_path / "pipe", stdin=saving.stdout)
    assert saving.returncode == 0
    assert _files(tmp_path / "pipe") == _files(tmp_path / "engine")


# ---- standard input ---------------------------------------------------------------------------------------------


def test_one_pipe_serves_several_applications(airbundle: Airbundle, tmp_path: Path) -> None:
    plain = write_tar(tmp_path / "images.tar", SHAPES["of an old engine"])
    names = (_WEB_TAGS[0], _API_TAGS[0])
    with pipe_of(plain.read_bytes()) as pipe:
        ways = [f"{app}=docker-archive:-:{name}" for app, name in zip(("a", "b"), names, strict=True)]
        result = airbundle("pack", *ways, "-o", tmp_path / "piped", "--name", "x", stdin=pipe)
    assert f"kept in {tmp_path}/piped/standard-input.partial until the pack ends" in result.stderr
    ways = [f"{app}=docker-archive:{plain}:{name}" for app, name in zip(("a", "b"), names, strict=True)]
    airbundle("pack", *ways, "-o", tmp_path / "file", "--name", "x")
    assert _files(tmp_path / "piped") == _files(tmp_path / "file")


@pytest.mark.parametrize("command", [("plan",), ("pack", "--dry-run", "-o", "out")])
def test_a_plan_does_not_use_up_a_pipe(airbundle: Airbundle, tmp_path: Path, command: tuple[str, ...]) -> None:
    plain = write_tar(tmp_path / "images.tar", SHAPES["of a newer engine"])
    with pipe_of(plain.read_bytes()) as pipe:
        error = airbundle(*command, "app=docker-archive:-", "--json", stdin=pipe, status=2).error
        assert pipe.read() == plain.read_bytes()
    assert "pipe" in error["message"]
    assert "file" in error["advice"]
    # A file that was redirected can be read as often as one likes.
    with plain.open("rb") as file:
        document = airbundle(*command, "app=docker-archive:-", "--json", stdin=file).json
    assert len(document["applications"][0]["images"]) == 3


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 4),
        (b"not a tar" * 1000, 4),
        (gzip.compress(b"not a tar" * 1000), 4),
        (bytes(10240), 4),
    ],
    ids=["nothing", "text", "compressed text", "an empty tar"],
)
def test_a_pipe_of_something_else_leaves_nothing(
    airbundle: Airbundle, tmp_path: Path, data: bytes, status: int
) -> None:
    with pipe_of(data) as pipe:
        airbundle("pack", "app=docker-archive:-", "-o", tmp_path / "out", stdin=pipe, status=status)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bundle.json.partial"]


def test_a_pipe_never_touches_a_directory_that_is_not_ours(airbundle: Airbundle, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pipe_of(b"x") as pipe:
        airbundle("pack", "app=docker-archive:-", "-o", tmp_path, stdin=pipe, status=2)
        assert pipe.read() == b"x"
    assert not (tmp_path / "standard-input.partial").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_while_a_pipe_stalls(airbundle: Airbundle, tmp_path: Path, number: signal.Signals) -> None:
    plain = write_tar(tmp_path / "images.tar", SHAPES["of an old engine"]).read_bytes()
    kept = tmp_path / "out" / "standard-input.partial"
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb") as pipe,
        os.fdopen(writer, "wb", buffering=0) as sender,
        airbundle.start("pack", "app=docker-archive:-", "-o", tmp_path / "out", stdin=pipe) as running,
    ):
        sender.write(plain[:20_000])
        deadline = time.monotonic() + 30
        while not (kept.exists() and kept.stat().st_size == 20_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        running.signal(number)
        if number == signal.SIGINT:
            result = running.finish(timeout=10)
            assert result.status == 130, str(result)
    assert kept.exists() is (number == signal.SIGKILL)
    # Whatever was left, the next run needs no help.
    with pipe_of(plain) as again:
        airbundle("pack", "app=docker-archive:-", "-o", tmp_path / "out", stdin=again)
    assert not kept.exists()
    assert airbundle("verify", tmp_path / "out", "--json").json["ok"]


# ---- names ------------------------------------------------------------------------------------------------------


def test_images_without_a_name_and_images_by_their_place(airbundle: Airbundle, tmp_path: Path) -> None:
    unnamed = write_tar(tmp_path / "unnamed.tar", old_members({(): [_BASE]}))
    error = airbundle("pack", f"a=docker-archive:{unnamed}", "-o", tmp_path / "x", "--json", status=2).error
    assert "name" in error["advice"]
    both = write_tar(tmp_path / "both.tar", old_members({_WEB_TAGS: [_WEB], _API_TAGS: [_API]}))
    ways = [f"a=docker-archive:{unnamed}:given.test/name:7", f"a=docker-archive:{both}:@1"]
    airbundle("pack", *ways, "-o", tmp_path / "out")
    assert bundles.images(tmp_path / "out").keys() == {"given.test/name:7", *_API_TAGS}


def test_two_names_of_one_image_cost_nothing(airbundle: Airbundle, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "images.tar", SHAPES["of an old engine"])
    airbundle("pack", f"shop=docker-archive:{path}", "-o", tmp_path / "out")
    held = bundles.images(tmp_path / "out")
    one, two = (held[name] for name in sorted(_WEB_NAMES))
    assert one["descriptor"] == two["descriptor"]
    # Three layers, two configs, two manifests; the layer that one image has twice is there once.
    assert len(bundles.blobs_by_digest(tmp_path / "out")) == 7


def test_an_image_of_a_layout_by_digest_only(airbundle: Airbundle, tmp_path: Path) -> None:
    wanted, other = _gzipped(_BASE, _WEB), _gzipped(_API)
    layout = write_layout(tmp_path / "store", {"a": wanted, "b": other})
    # As tools leave it that know no names.
    index = json.loads((layout / "index.json").read_bytes())
    for entry in index["manifests"]:
        del entry["annotations"]
    (layout / "index.json").write_text(json.dumps(index))
    digest = wanted.manifest["digest"]
    airbundle("pack", f"app=oci:{layout}:@{digest}", "-o", tmp_path / "out")
    ((name, image),) = bundles.images(tmp_path / "out").items()
    assert name == f"docker.io/library/store@{digest}"
    assert image["descriptor"]["digest"] == digest
    assert bundles.blobs_by_digest(tmp_path / "out").keys() == wanted.blobs.keys()
    airbundle("extract", tmp_path / "out", f"oci:{tmp_path}/again")
    airbundle("pack", f"app=oci:{tmp_path}/again:@{digest}", "-o", tmp_path / "back")
    assert _files(tmp_path / "back") == _files(tmp_path / "out")


# ---- what layouts hold ------------------------------------------------------------------------------------------


def _everything() -> tuple[Image, dict[str, bytes]]:
    """An index in an index with every kind of layer and child; and what of it is of no known type."""
    mixed = image_of(
        [
            (PLAIN_LAYER, _BASE),
            (f"{PLAIN_LAYER}+gzip", gzip.compress(_WEB, mtime=0)),
            (f"{PLAIN_LAYER}+zstd", zstandard.compress(_API)),
        ],
        config_of([_BASE, _WEB, _API]),
    )
    below = layer("foreign", 2 * _KIB)
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    windows = image_of(
        [(f"{PLAIN_LAYER}+gzip", gzip.compress(_BASE, mtime=0))],
        config_of([below, _BASE]),
        foreign=[{**descriptor(kind, gzip.compress(below)), "urls": ["https://owner.test/layer"]}],
    )
    artifact = image_of(
        [("application/vnd.test.unheard-of", b"payload")],
        b'{"my": "config"}',
        config_type="application/vnd.test.config",
        artifactType="application/vnd.test.thing",
    )
    opaque = {"application/vnd.test.future.v9+json": b'{"future": true}', "application/vnd.test.raw": bytes(5000)}
    strange = [descriptor(unknown, data) for unknown, data in opaque.items()]
    absent = {**descriptor("application/vnd.test.absent", b"nobody has it")}
    inner = index_of([mixed, strange[0], windows])
    outer = index_of([inner, artifact, strange[1], absent])
    outer.blobs.update({sha256(data): data for data in opaque.values()})
    return outer, opaque


@pytest.mark.parametrize("form", ["oci", "oci-archive"])
def test_nested_indexes_and_every_kind_of_layer_and_child_travel(
    airbundle: Airbundle, tmp_path: Path, form: str
) -> None:
    outer, opaque = _everything()
    source: Path = write_layout(tmp_path / "layout", {"all.test/x:1": outer})
    if form == "oci-archive":
        members = {str(p.relative_to(source)): p.read_bytes() for p in source.rglob("*") if p.is_file()}
        source = packed(write_tar(tmp_path / "all.tar", members), "gzip")
    bundle, layout = tmp_path / "out", tmp_path / "extracted"
    airbundle("pack", f"app={form}:{source}:all.test/x:1", "-o", bundle)
    assert airbundle("verify", bundle, "--level", "deep", "--json").json["ok"]
    image = bundles.images(bundle)["all.test/x:1"]
    assert image["digest_preserved"]
    assert image["descriptor"]["digest"] == outer.manifest["digest"]
    assert set(image["blobs"]) == outer.blobs.keys()
    assert image["blobs"][-2:] == [sha256(data) for data in reversed(opaque.values())]

    airbundle("extract", bundle, f"oci:{layout}")
    for digest, data in outer.blobs.items():
        assert (layout / "blobs" / digest.replace(":", "/")).read_bytes() == data
    airbundle("pack", f"app=oci:{layout}:all.test/x:1", "-o", tmp_path / "again")
    airbundle("pack", f"app=bundle:{bundle}:all.test/x:1", "-o", tmp_path / "third")
    assert _files(tmp_path / "again") == _files(bundle)
    assert bundles.images(tmp_path / "third")["all.test/x:1"]["blobs"] == image["blobs"]


def test_children_of_unknown_type_go_to_a_registry_and_come_back(
    airbundle: Airbundle, tmp_path: Path, registry: RealRegistry
) -> None:
    opaque = descriptor("application/vnd.test.raw", b"opaque to all")
    index = index_of([_gzipped(_BASE), opaque])
    index.blobs[opaque["digest"]] = b"opaque to all"
    layout = write_layout(tmp_path / "layout", {"ways.test/opaque:1": index})
    airbundle("pack", f"app=oci:{layout}", "-o", tmp_path / "out")
    pushed = airbundle("push", tmp_path / "out", registry.address, "--plain-http", "--json").json
    assert [image["digest"] for image in pushed["images"]] == [index.manifest["digest"]]
    name = f"{registry.address}/opaque:1"
    airbundle("pack", f"app=docker://{name}", "--plain-http", "-o", tmp_path / "back")
    assert set(bundles.images(tmp_path / "back")[name]["blobs"]) == index.blobs.keys()
    assert airbundle("verify", tmp_path / "back", "--level", "deep", "--json").json["ok"]


# ---- one image by several ways ----------------------------------------------------------------------------------


def test_one_image_by_two_ways_in_two_applications_is_stored_once(airbundle: Airbundle, tmp_path: Path) -> None:
    """An engine's archive knows its layers by DiffID, a layout by digest: they are the same layers."""
    image = _gzipped(_BASE, _WEB)
    layout = write_layout(tmp_path / "layout", {"first.test/web:1": image})
    archive = write_docker_archive(tmp_path / "web.tar", "second.test/web:2", [_BASE, _WEB])
    bundle = tmp_path / "out"
    ways = [f"one=oci:{layout}", f"two=docker-archive:{archive}", f"two=oci:{layout}"]
    airbundle("pack", *ways, "-o", bundle)
    result = airbundle("verify", bundle, "--level", "deep", "--json").json
    assert result["ok"], result["findings"]

    blobs = bundles.blobs_by_digest(bundle)
    assert len([blob for blob in blobs.values() if "diff_id" in blob]) == 2
    assert {blobs[digest]["archive"] for digest in image.layer_digests} == {"shared"}
    one, two = (bundles.images(bundle)[name] for name in ("first.test/web:1", "second.test/web:2"))
    assert set(image.layer_digests) < set(one["blobs"]) & set(two["blobs"])
    assert one["digest_preserved"]
    assert not two["digest_preserved"]

    airbundle("extract", bundle, f"docker-archive:{tmp_path}/two.tar", "--app", "two")
    airbundle("pack", f"two=docker-archive:{tmp_path}/two.tar", "-o", tmp_path / "from-two")
    assert bundles.images(tmp_path / "from-two").keys() == {"first.test/web:1", "second.test/web:2"}
    # Only what it needs of `shared` and `two` makes an application readable on its own.
    for file in bundle.glob("one.oci.tar*"):
        file.unlink()
    airbundle("extract", bundle, f"oci:{tmp_path}/alone", "--app", "two")


def test_a_sparse_and_a_whole_index_in_one_bundle(airbundle: Airbundle, tmp_path: Path) -> None:
    here, away = _gzipped(_BASE, _WEB), _gzipped(_BASE, _API)
    index = index_of([here, away])
    whole = write_layout(tmp_path / "whole", {"multi.test/x:1": index})
    sparse = tmp_path / "sparse"
    shutil.copytree(whole, sparse)
    for digest in away.blobs.keys() - here.blobs.keys():
        (sparse / "blobs" / digest.replace(":", "/")).unlink()
    bundle = tmp_path / "out"
    airbundle("pack", f"part=oci:{sparse}", f"whole=oci:{whole}", "-o", bundle)
    result = airbundle("verify", bundle, "--level", "deep", "--json").json
    assert result["ok"], result["findings"]
    part, full = (app["images"][0] for app in bundles.table(bundle)["applications"])
    assert set(full["blobs"]) == index.blobs.keys()
    assert set(part["blobs"]) == {index.manifest["digest"], *here.blobs}
