"""Packing what an attacker made: refused with a declared error, or packed without doing what it asks for."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.archives import (
    BAD_JSON,
    CONFIG,
    END,
    LAYER,
    NASTY,
    docker_archive,
    entry,
    header,
    layout,
    link,
    pax,
    spoiled_layout,
    table,
    tar_of_layout,
)
from tests.hostile.child import Sandbox
from tests.requirements import require, why_not_root

_USAGE, _DAMAGED, _NO_SPACE = 2, 4, 12


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox")


def _refuse(
    sandbox: Sandbox, transport: str, archive: bytes, *more: str, statuses: tuple[int, ...] = (_DAMAGED,)
) -> None:
    path = sandbox.work / "image.tar"
    path.write_bytes(archive)
    sandbox.refused("pack", f"app={transport}:{path}", "-o", sandbox.out, *more, statuses=statuses)
    assert sandbox.final_names() == []


# -- harmless as long as no name of an entry is ever a path ---------------------------------------------------

_LONG = b"x" * 99
IGNORED = {
    "parent": entry("../../evil", b"evil"),
    "parent inside": entry("a/../../../evil", b"evil"),
    "absolute": entry("/tmp/airbundle-evil", b"evil"),
    "symbolic link": link("evil", "/etc/passwd"),
    "hard link": link("evil", "../../../../etc/passwd", b"1"),
    "link, then a file through it": link("dir", "/tmp") + entry("dir/airbundle-evil", b"evil"),
    "character device": header(b"evil", kind=b"3"),
    "block device": header(b"evil", kind=b"4"),
    "pipe": header(b"evil", kind=b"6"),
    "directory": header(b"config.json/", kind=b"5"),
    "unknown kind": entry("evil", b"evil", kind=b"Z"),
    "case twins": entry("Manifest.JSON", b"{}") + entry("LAYER.TAR", b"x") + entry("Config.json", b"[]"),
    "no name": entry(b"", b"evil"),
    "dots": entry("..", b"evil") + entry(".", b"evil") + entry("...", b""),
    "NUL and controls": entry(b"a\x1b[2J\nb", b"evil"),
    "not UTF-8": entry(b"\xff\xfe\xed\xa0\x80", b"evil"),
    "Unicode twins": entry("config\u2024json", b"x") + entry("caf\u00e9", b"x") + entry("cafe\u0301", b"x"),
    "right to left": entry("\u202enosj.gifnoc", b"x"),
    "backslashes": entry("..\\..\\evil", b"evil") + entry("C:\\evil", b"evil"),
    "long PAX path": pax(b"path=" + b"../" * 1000 + b"evil") + entry("x", b"evil"),
    "global PAX header": entry("g", b"30 path=../../../../../../evil\n", kind=b"g"),
}


@pytest.mark.parametrize("more", IGNORED.values(), ids=IGNORED)
def test_entries_that_are_not_asked_for_are_not_looked_at(more: bytes, sandbox: Sandbox) -> None:
    for transport, archive in (
        ("docker-archive", docker_archive(more)),
        ("oci-archive", tar_of_layout(layout(), more)),
    ):
        path = sandbox.work / transport
        path.write_bytes(archive)
        out = sandbox.out / transport
        ended = sandbox.run("pack", f"app={transport}:{path}", "-o", out)
        assert ended.status == 0, ended
        assert sorted(file.name for file in out.iterdir()) == sorted(
            ["README.txt", "SHA256SUMS", "app.oci.tar", "bundle.json", "bundle.json.bak"]
        )
        assert not Path("/tmp/airbundle-evil").exists()


# -- the headers of a tar -------------------------------------------------------------------------------------

HEADERS = {
    "wrong checksum": entry("x", b"x", sum_=1),
    "checksum of letters": entry("x")[:148] + b"letters!" + entry("x")[156:],
    "negative size": header(b"x", size_field=b"\xff" * 12),
    "smallest negative size": header(b"x", size_field=b"\xc0" + bytes(11)),
    "size over 2^63": header(b"x", size_field=b"\x80\0\0\x80" + bytes(8)),
    "size over 2^88": header(b"x", size_field=b"\x80" + b"\xff" * 11),
    "size of letters": header(b"x", size_field=b"0000000000x\0"),
    "size beyond the end": header(b"x", size_field=b"77777777777\0"),
    "PAX size beyond the end": pax(b"size=4000000000000") + header(b"x"),
    "PAX size over 2^63": pax(b"size=99999999999999999999") + header(b"x"),
    "PAX size of a thousand digits": pax(b"size=" + b"9" * 1000) + header(b"x"),
    "negative PAX size": pax(b"size=-1") + header(b"x"),
    "PAX size in other digits": pax("size=\u0663".encode()) + header(b"x"),
    "PAX record without length": entry("p", b"path=x\n", kind=b"x") + entry("x"),
    "PAX record that is too long": entry("p", b"99 path=x\n", kind=b"x") + entry("x"),
    "PAX record of length 0": entry("p", b"0 path=x\n", kind=b"x") + entry("x"),
    "PAX records of 1 TiB": header(b"p", size_field=b"\x80\0\0\0\0\0\1" + bytes(5), kind=b"x"),
    "long name of 1 TiB": header(b"p", size_field=b"\x80\0\0\0\0\0\1" + bytes(5), kind=b"L"),
    "name of 5000 bytes": entry("././@LongLink", b"n" * 5000, kind=b"L") + entry("x"),
    "records without end": pax(b"comment=" + b"c" * 100_000) * 20 + entry("x"),
    "sparse": entry("x", kind=b"S"),
    "PAX sparse": pax(b"GNU.sparse.major=1", b"GNU.sparse.name=../x") + entry("x"),
    "records and then nothing": b"",
    "junk": b"junk" * 128,
}
HEADERS_AT_THE_END = {"records and then nothing": pax(b"path=x")}


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_lie(name: str, transport: str, sandbox: Sandbox) -> None:
    good = docker_archive() if transport == "docker-archive" else tar_of_layout(layout())
    last = HEADERS_AT_THE_END.get(name)
    _refuse(sandbox, transport, HEADERS[name] + good if last is None else good[: -len(END)] + last)


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_million_entries(compressed: bool, transport: str, sandbox: Sandbox) -> None:
    thousand = b"".join(header(b"entry-%06d" % number) for number in range(1000))
    piece = gzip.compress(thousand, 1) if compressed else thousand
    path = sandbox.work / "image.tar"
    with path.open("wb") as file:
        for _ in range(1000 if compressed else 260):
            file.write(piece)
    error = sandbox.refused("pack", f"app={transport}:{path}", "-o", sandbox.out, statuses=(_DAMAGED,))
    assert error["code"] == "limit-exceeded"
    assert "archive_entries" in error["message"]
    assert sandbox.final_names() == []


# -- a docker-archive -----------------------------------------------------------------------------------------

_PASSWD = "../../../../../../../../etc/passwd"
DOCKER = {
    "config that is a path": docker_archive(rows=table(Config="/etc/passwd")),
    "config that leads upwards": docker_archive(rows=table(Config=_PASSWD)),
    "layer that is a path": docker_archive(rows=table(Layers=["/etc/passwd"])),
    "layer that leads upwards": docker_archive(rows=table(Layers=[_PASSWD])),
    "layer that is a link outside": docker_archive(layer=link("layer.tar", _PASSWD)),
    "layer that is a hard link outside": docker_archive(layer=link("layer.tar", "/etc/passwd", b"1")),
    "layer that is a link to itself": docker_archive(layer=link("layer.tar", "layer.tar")),
    "layer that is a circle": docker_archive(link("a", "b"), link("b", "a"), layer=link("layer.tar", "a")),
    "layer that is a device": docker_archive(layer=header(b"layer.tar", kind=b"3")),
    "layer that is a pipe": docker_archive(layer=header(b"layer.tar", kind=b"6")),
    "layer that is a directory": docker_archive(layer=header(b"layer.tar", kind=b"5")),
    "layer that is another": docker_archive(layer=entry("layer.tar", LAYER[:-1] + b"!")),
    "layer that is cut": docker_archive(layer=entry("layer.tar", LAYER[:1000])),
    "layer that is longer": docker_archive(layer=entry("layer.tar", LAYER + b"more")),
    "layer that is not there": docker_archive(rows=table(Layers=["none.tar"])),
    "layer twice": docker_archive(rows=table(Layers=["layer.tar", "layer.tar"])),
    "no layers": docker_archive(rows=table(Layers=[])),
    "name of the layer with controls": docker_archive(rows=table(Layers=[NASTY])),
    "name of the config with controls": docker_archive(rows=table(Config=NASTY)),
    "tag with controls": docker_archive(rows=table(RepoTags=[NASTY])),
    "tag in capitals": docker_archive(rows=table(RepoTags=["Bad.test/APP:1"])),
    "tag that leads upwards": docker_archive(rows=table(RepoTags=["bad.test/../../app:1"])),
    "tag with a look-alike": docker_archive(rows=table(RepoTags=["bad.test/\u0430pp:1"])),
    "tag with a digest": docker_archive(rows=table(RepoTags=["bad.test/app@sha256:" + "0" * 64])),
    "tags that are numbers": docker_archive(rows=table(RepoTags=[1])),
    "name of another table": docker_archive().replace(b"manifest.json\0", b"manifest.jsoN\0"),
    "config of something else": docker_archive(config=b'{"rootfs":{"type":"layers","diff_ids":["../../x"]}}'),
    "config of another kind": docker_archive(config=b'{"rootfs":{"type":"nasty","diff_ids":[]}}'),
}


@pytest.mark.parametrize("archive", DOCKER.values(), ids=DOCKER)
def test_docker_archives_that_lie(archive: bytes, sandbox: Sandbox) -> None:
    _refuse(sandbox, "docker-archive", archive, statuses=(_DAMAGED, _USAGE))


@pytest.mark.parametrize("document", BAD_JSON.values(), ids=BAD_JSON)
def test_json_that_no_parser_should_take(document: bytes, sandbox: Sandbox) -> None:
    _refuse(sandbox, "docker-archive", docker_archive(rows=document))
    _refuse(sandbox, "docker-archive", docker_archive(config=document))
    _refuse(sandbox, "oci-archive", tar_of_layout(layout(index=document)))
    _refuse(sandbox, "oci-archive", tar_of_layout(layout(version=document)))


# -- a layout -------------------------------------------------------------------------------------------------

LAYOUTS = {
    "size too small": layout(size=10),
    "size too large": layout(size=100_000),
    "negative size": layout(size=-1),
    "size over 2^63": layout(size=1 << 63),
    "size of 4 GiB": layout(size=4 << 30),
    "size that is none": layout(size="10"),
    "size that is a float": layout(size=1e30),
    "digest that is a path": layout(digest="sha256:../../../../../etc/passwd"),
    "digest in capitals": layout(digest="sha256:" + "A" * 64),
    "digest with a line end": layout(digest="sha256:" + "a" * 64 + "\n"),
    "digest of md5": layout(digest="md5:" + "a" * 32),
    "digest of nothing that is there": layout(digest="sha256:" + "a" * 64),
    "another type": layout(mediaType="application/vnd.oci.image.index.v1+json"),
    "type with controls": layout(mediaType=NASTY),
    "annotations that are none": layout(annotations=[1]),
    "name with controls": layout(annotations={"org.opencontainers.image.ref.name": NASTY}),
    "containerd's name with controls": layout(annotations={"io.containerd.image.name": "a.test/" + NASTY}),
    "name that leads upwards": layout(annotations={"org.opencontainers.image.ref.name": "a.test/../../x:1"}),
    "two thousand annotations": layout(annotations={f"k{number}": "" for number in range(2000)}),
    "layer that is smaller": spoiled_layout(size=10),
    "layer that is larger": spoiled_layout(size=1 << 40),
    "layer of negative size": spoiled_layout(size=-5),
    "layer of another kind": spoiled_layout(mediaType="application/vnd.oci.image.layer.v1.tar+zstd"),
    "layer that is not there": spoiled_layout(digest="sha256:" + "b" * 64),
    "layer that is the config": spoiled_layout(digest="sha256:" + "b" * 64, size=len(CONFIG)),
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts_that_lie(files: dict[str, bytes], sandbox: Sandbox) -> None:
    # Whether there is room for what a document promises is asked before anything is read.
    statuses = (_DAMAGED, _USAGE, _NO_SPACE)
    _refuse(sandbox, "oci-archive", tar_of_layout(files), statuses=statuses)
    _write(sandbox.work / "layout", files)
    sandbox.refused("pack", f"app=oci:{sandbox.work}/layout", "-o", sandbox.out, statuses=statuses)
    assert sandbox.final_names() == []


def _write(directory: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory


def _as_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _as_link_outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _as_device(path: Path) -> None:
    require(why_not_root())
    path.unlink()
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # zeros without end


def _as_hole(path: Path) -> None:
    os.truncate(path, 6 << 30)


REPLACED = [_as_link, _as_link_outside, _as_directory, _as_pipe, _as_device, _as_hole]


@pytest.mark.parametrize("replace", REPLACED, ids=lambda one: one.__name__[4:])
@pytest.mark.parametrize("kind", ["oci-layout", "index.json", "manifest", "layer"])
def test_files_of_a_layout_that_are_none(kind: str, replace: Callable[[Path], None], sandbox: Sandbox) -> None:
    files = layout()
    directory = _write(sandbox.work / "layout", files)
    blobs = [name for name in files if name.startswith("blobs/")]
    name = {"manifest": blobs[0], "layer": blobs[2]}.get(kind, kind)
    replace(directory / name)
    sandbox.refused("pack", f"app=oci:{directory}", "-o", sandbox.out, statuses=(_DAMAGED, _USAGE))
    assert sandbox.final_names() == []


@pytest.mark.parametrize("replace", REPLACED[2:], ids=lambda one: one.__name__[4:])
@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive", "oci"])
def test_archives_that_are_no_files(transport: str, replace: Callable[[Path], None], sandbox: Sandbox) -> None:
    path = sandbox.work / "image.tar"
    path.write_bytes(docker_archive() if transport == "docker-archive" else tar_of_layout(layout()))
    if replace is _as_hole:
        path.write_bytes(b"")
    replace(path)
    sandbox.refused("pack", f"app={transport}:{path}", "-o", sandbox.out, statuses=(_DAMAGED, _USAGE))
    assert sandbox.final_names() == []
