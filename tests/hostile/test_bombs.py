"""Little that unpacks to much: stopped by a limit, in bounded memory and time, whatever form it has."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest
import zstandard

from bundler.content.hashing import sha256
from tests.builders import pack_images
from tests.fakes.memory import MemorySource
from tests.hostile.archives import docker_archive, entry, header, spoiled_layout, table, tar_of_layout
from tests.hostile.child import Sandbox

_MIB = 1 << 20
_ZEROS = bytes(64 * _MIB)
_HUGE = header(b"layer.tar", size_field=b"\x80\0\0\0\0\0\x10" + bytes(5))  # 16 TiB


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox")


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=19).compress(data)


def _squeeze(kind: str, start: bytes, count: int) -> bytes:
    """Return ``start`` and so many times 64 MiB of zeros, as members or frames one behind the other."""
    compress = {
        "gzip": lambda data: gzip.compress(data, 9),
        "zstd": _zstd,
        "xz": lzma.compress,
        "bzip2": bz2.compress,
    }
    squeeze = compress[kind]
    return bytes(squeeze(start)) + bytes(squeeze(_ZEROS)) * count


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("kind", ["gzip", "zstd", "xz", "bzip2"])
def test_an_archive(kind: str, transport: str, sandbox: Sandbox) -> None:
    path = sandbox.work / "image.tar"
    path.write_bytes(_squeeze(kind, _HUGE, 8))
    limit = "layer_ratio=50" if kind in ("zstd", "bzip2") else "archive_bytes=200MiB"
    error = sandbox.refused(
        "pack", f"app={transport}:{path}", "-o", sandbox.out, "--limit", limit, statuses=(4,), seconds=60
    )
    assert error["code"] == "limit-exceeded"
    assert limit.partition("=")[0] in error["message"]
    assert sandbox.final_names() == []


def test_an_archive_with_the_usual_limits(sandbox: Sandbox) -> None:
    """Less than a MiB that holds a quarter of a terabyte: the usual ratio stops it after a few gigabytes.

    No zstd frame exceeds that ratio: what bounds those is how many bytes a layer or archive may have.
    """
    path = sandbox.work / "image.tar"
    path.write_bytes(_squeeze("bzip2", _HUGE, 4_000))
    error = sandbox.refused("pack", f"app=docker-archive:{path}", "-o", sandbox.out, statuses=(4,), seconds=240)
    assert error["code"] == "limit-exceeded"
    assert sandbox.final_names() == []


def test_a_bomb_in_a_bomb(sandbox: Sandbox) -> None:
    """What is inside a layer is nobody's business here: it is unpacked once, never a second time."""
    inner = _squeeze("gzip", b"", 2)
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [sha256(inner)]}}).encode()
    path = sandbox.work / "image.tar"
    path.write_bytes(gzip.compress(docker_archive(layer=entry("layer.tar", inner), config=config)))
    ended = sandbox.run("pack", f"app=docker-archive:{path}", "-o", sandbox.out, "--limit", "archive_bytes=20MiB")
    # The layer is a gzip stream, and layers that are compressed are stored by what they hold.
    assert ended.status == 4, ended
    assert sandbox.final_names() == []


@pytest.mark.parametrize("kind", ["gzip", "zstd", "xz", "bzip2"])
def test_a_layer_of_a_docker_archive(kind: str, sandbox: Sandbox) -> None:
    path = sandbox.work / "image.tar"
    path.write_bytes(docker_archive(layer=entry("layer.tar", _squeeze(kind, b"", 8))))
    limit = "layer_ratio=50" if kind in ("zstd", "bzip2") else "layer_bytes=200MiB"
    error = sandbox.refused(
        "pack", f"app=docker-archive:{path}", "-o", sandbox.out, "--limit", limit, statuses=(4,)
    )
    assert error["code"] == "limit-exceeded"
    assert sandbox.final_names() == []


@pytest.mark.parametrize(("kind", "limit"), [("gzip", "layer_bytes=200MiB"), ("zstd", "layer_ratio=50")])
def test_a_layer_of_a_layout(kind: str, limit: str, sandbox: Sandbox) -> None:
    bomb = _squeeze(kind, b"", 8)
    media_type = f"application/vnd.oci.image.layer.v1.tar+{kind}"
    files = spoiled_layout(digest=sha256(bomb), size=len(bomb), mediaType=media_type)
    path = sandbox.work / "layout.tar"
    path.write_bytes(tar_of_layout({**files, f"blobs/sha256/{sha256(bomb).hex}": bomb}))
    error = sandbox.refused("pack", f"app=oci-archive:{path}", "-o", sandbox.out, "--limit", limit, statuses=(4,))
    assert error["code"] == "limit-exceeded"
    assert sandbox.final_names() == []


@pytest.mark.parametrize("kind", ["zstd", "xz"])
def test_a_window_that_no_memory_holds(kind: str, sandbox: Sandbox) -> None:
    if kind == "zstd":
        # Magic, descriptor, and a window of 2^41 bytes.
        bomb = b"\x28\xb5\x2f\xfd\x00\xf8" + bytes(600)
    else:
        # The dictionary of the first block of an empty .xz file is set to its largest, with the right checksum.
        bomb = lzma.compress(
            _HUGE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1536 * _MIB, "mode": 1, "mf": 3}]
        )
    path = sandbox.work / "image.tar"
    path.write_bytes(bomb)
    error = sandbox.refused("pack", f"app=docker-archive:{path}", "-o", sandbox.out, statuses=(4,))
    assert "the limit window_log is" in error["message"]


def test_documents_that_promise_more_documents(sandbox: Sandbox) -> None:
    """Ten thousand rows of one table that all ask for one config: each is read once, or it is refused."""
    row = json.loads(table())[0]
    rows = [{**row, "RepoTags": [f"bad.test/app:{number}"]} for number in range(10_000)]
    path = sandbox.work / "image.tar"
    path.write_bytes(docker_archive(rows=json.dumps(rows).encode()))
    ended = sandbox.run("plan", f"app=docker-archive:{path}", seconds=60)
    assert ended.status == 0, ended


def test_a_deep_check_of_a_layer(sandbox: Sandbox) -> None:
    source = MemorySource()
    image = source.make_image([_ZEROS[: 48 * _MIB]], "bad.test/app:1", compression="zstd")
    pack_images(sandbox.work / "bundle", source, {"app": [image]})
    ended = sandbox.run(
        "verify", sandbox.work / "bundle", "--level", "deep", "--limit", "layer_ratio=10", "--json"
    )
    assert ended.status == 4, ended
    (finding,) = json.loads(ended.stdout)["findings"]
    assert finding["code"] == "wrong-diff-id"
    assert "layer_ratio" in finding["found"]
