"""Bad input and bad luck: each ends with the status of the table, a cause, advice, and nothing half-written."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import bundles
from tests.e2e.command import Airbundle, Result, Running
from tests.e2e.damage import cut, flip_byte
from tests.e2e.images import SHOP
from tests.e2e.layouts import Image, blob_path, layer, write_docker_archive, write_layout
from tests.fakes import http_peers
from tests.requirements import require, why_not_root
from tests.servers.engine import RealEngine
from tests.servers.registry import RealRegistry

_MIB = 1 << 20
_NAME = "bad.test/app:1"
_USAGE, _DAMAGED, _UNREACHABLE, _DISK, _INTERRUPTED = 2, 4, 10, 12, 130


@pytest.fixture(scope="module")
def image() -> Image:
    """An image of two layers, 3 MiB together."""
    return Image.of(layer("base", _MIB), layer("app", 2 * _MIB))


@pytest.fixture
def layout(image: Image, tmp_path: Path) -> Path:
    """A layout with the image, to spoil."""
    return write_layout(tmp_path / "layout", {_NAME: image})


@pytest.fixture
def bundle(airbundle: Airbundle, layout: Path, tmp_path: Path) -> Path:
    """A small bundle."""
    airbundle("pack", f"app=oci:{layout}:{_NAME}", "-o", tmp_path / "good")
    return tmp_path / "good"


def _fails(airbundle: Airbundle, status: int, *arguments: object, output: Path | None = None) -> Result:
    """Run a command that must fail, once for people and once for scripts; return the second run."""
    told = airbundle(*arguments, status=status).stderr
    result = airbundle(*arguments, "--json", status=status)
    error = result.error
    assert error["message"]
    assert error["advice"]
    assert error["code"] == error["code"].lower()
    # Both forms say the same: people get the cause and, in a line of its own, what to do.
    assert "".join(error["message"].split()) in "".join(told.split())
    assert "".join(error["advice"].split()) in "".join(told.split())
    assert len(told.strip().splitlines()) >= 2
    if output is not None:
        assert bundles.finished_files(output) == []
    return result


def _closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


# ---- things that are not there ---------------------------------------------------------


@pytest.mark.parametrize("source", ["docker-archive:{}/none.tar", "oci:{}/none", "oci-archive:{}/none.tar"])
def test_a_file_that_is_not_there(airbundle: Airbundle, tmp_path: Path, source: str) -> None:
    output = tmp_path / "out"
    _fails(airbundle, _USAGE, "pack", f"app={source.format(tmp_path)}", "-o", output, output=output)


def test_a_name_that_the_layout_does_not_have(airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    result = _fails(airbundle, _USAGE, "pack", f"app=oci:{layout}:bad.test/app:2", "-o", output, output=output)
    assert "bad.test/app:2" in result.error["message"]


def test_an_engine_that_is_not_there(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    _fails(airbundle, _UNREACHABLE, "pack", "app=docker-daemon:bad.test/app:1", "-o", output, output=output)
    _fails(airbundle, _UNREACHABLE, "load", bundle)


def test_an_image_that_the_engine_does_not_have(airbundle: Airbundle, engine: RealEngine, tmp_path: Path) -> None:
    near, output = airbundle.with_environment(DOCKER_HOST=engine.host), tmp_path / "out"
    for name in ("bad.test/none:1", "bad.test/none@sha256:" + "0" * 64):
        _fails(near, _USAGE, "pack", f"app=docker-daemon:{name}", "-o", output, output=output)


def test_a_registry_that_is_not_there(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    output, address = tmp_path / "out", _closed_port()
    wanted = f"app=docker://{address}/app:1"
    _fails(airbundle, _UNREACHABLE, "pack", wanted, "-o", output, "--plain-http", output=output)
    _fails(airbundle, _UNREACHABLE, "push", bundle, address, "--plain-http")


def test_a_registry_that_is_busy(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    with http_peers.serve(http_peers.unavailable) as peer:
        wanted = f"app=docker://{peer.address}/app:1"
        output = tmp_path / "out"
        _fails(airbundle, _UNREACHABLE, "pack", wanted, "-o", output, "--plain-http", output=output)
        _fails(airbundle, _UNREACHABLE, "push", bundle, peer.address, "--plain-http")


def test_an_image_that_the_registry_does_not_have(
    airbundle: Airbundle, registry: RealRegistry, bundle: Path, tmp_path: Path
) -> None:
    target = airbundle("push", bundle, f"{registry.address}/bad", "--plain-http", "--json").json["images"][0][
        "target"
    ]
    output = tmp_path / "out"
    for name in (f"{registry.address}/none/app:1", target.rpartition(":")[0] + ":none"):
        _fails(airbundle, _USAGE, "pack", f"app=docker://{name}", "-o", output, "--plain-http", output=output)


def test_plain_http_only_when_asked_for(airbundle: Airbundle, registry: RealRegistry, bundle: Path) -> None:
    _fails(airbundle, _UNREACHABLE, "push", bundle, registry.address)


# ---- peers that answer nonsense --------------------------------------------------------


@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_registry_that_answers_with_a_web_page(
    airbundle: Airbundle, bundle: Path, tmp_path: Path, status: int
) -> None:
    output = tmp_path / "out"
    with http_peers.serve(http_peers.html(status)) as peer:
        wanted = f"app=docker://{peer.address}/app:1"
        # A plain 404 is also how registries say that they have no such repository.
        expected = (_UNREACHABLE, _USAGE) if status == 404 else (_UNREACHABLE,)
        result = airbundle("pack", wanted, "-o", output, "--plain-http", "--json", status=None)
        assert result.status in expected, str(result)
        assert result.error["advice"]
        assert bundles.finished_files(output) == []
        push = airbundle("push", bundle, peer.address, "--plain-http", "--json", status=None)
        assert push.status in expected, str(push)
        assert push.error["advice"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"schemaVersion": 1}', b'{"schemaVersion": 2}', b"\xff\xfe", b"[" * 5000],
    ids=["nothing", "brace", "list", "null", "version", "empty", "no text", "deep"],
)
def test_a_manifest_that_is_none(airbundle: Airbundle, tmp_path: Path, body: bytes) -> None:
    output = tmp_path / "out"
    with http_peers.serve(http_peers.nonsense(body)) as peer:
        wanted = f"app=docker://{peer.address}/app:1"
        result = airbundle("pack", wanted, "-o", output, "--plain-http", "--json", status=None)
    assert result.status in (_DAMAGED, _UNREACHABLE), str(result)
    assert result.error["advice"]
    assert bundles.finished_files(output) == []


def test_an_engine_that_answers_with_a_web_page(airbundle: Airbundle, bundle: Path) -> None:
    with http_peers.serve(http_peers.html(200)) as peer:
        far = airbundle.with_environment(DOCKER_HOST=f"tcp://{peer.address}")
        _fails(far, _UNREACHABLE, "load", bundle)


# ---- damaged archives and layouts ------------------------------------------------------


def _truncated(path: Path) -> None:
    cut(path, path.stat().st_size // 2)


def _text(path: Path) -> None:
    path.write_text("this is no archive\n" * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flipped(path: Path) -> None:
    flip_byte(path, path.stat().st_size // 3)


@pytest.mark.parametrize("spoil", [_truncated, _text, _empty, _flipped])
@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_a_spoiled_archive(
    airbundle: Airbundle, layout: Path, tmp_path: Path, transport: str, spoil: Callable[[Path], None]
) -> None:
    archive, output = tmp_path / "image.tar", tmp_path / "out"
    if transport == "docker-archive":
        write_docker_archive(archive, _NAME, [layer("base", _MIB), layer("app", 2 * _MIB)])
    else:
        subprocess.run(["tar", "-C", layout, "-cf", archive, "."], check=True)
    spoil(archive)
    _fails(airbundle, _DAMAGED, "pack", f"app={transport}:{archive}", "-o", output, output=output)


def test_an_archive_that_is_of_the_other_kind(airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
    archive, output = tmp_path / "image.tar", tmp_path / "out"
    subprocess.run(["tar", "-C", layout, "-cf", archive, "."], check=True)
    _fails(airbundle, _DAMAGED, "pack", f"app=docker-archive:{archive}", "-o", output, output=output)


def _layer_of(layout: Path, image: Image) -> Path:
    return blob_path(layout, image.layer_digests[1])


def _change_byte(layout: Path, image: Image) -> None:
    flip_byte(_layer_of(layout, image), 5000)


def _shorten(layout: Path, image: Image) -> None:
    cut(_layer_of(layout, image), 1)


def _extend(layout: Path, image: Image) -> None:
    with _layer_of(layout, image).open("ab") as file:
        file.write(b"\0")


def _remove(layout: Path, image: Image) -> None:
    _layer_of(layout, image).unlink()


def _change_manifest(layout: Path, image: Image) -> None:
    flip_byte(blob_path(layout, image.manifest["digest"]), 30)


def _say_wrong_size(layout: Path, image: Image) -> None:
    index = layout / "index.json"
    document = json.loads(index.read_text())
    document["manifests"][0]["size"] += 1
    index.write_text(json.dumps(document))


def _say_wrong_digest(layout: Path, image: Image) -> None:
    # A path instead of a digest must never be followed.
    index = layout / "index.json"
    document = json.loads(index.read_text())
    document["manifests"][0]["digest"] = "sha256:../../../../etc/passwd"
    index.write_text(json.dumps(document))


def _lie_about_content(layout: Path, image: Image) -> None:
    # Every digest is right, but the config promises another file system than the layer unpacks to.
    liar = Image.of(layer("promised", _MIB), given=(layer("given", _MIB),))
    shutil.rmtree(layout)
    write_layout(layout, {_NAME: liar})


def _no_index(layout: Path, image: Image) -> None:
    (layout / "index.json").write_text('{"schemaVersion": 2, "manifests": {}}')


@pytest.mark.parametrize(
    "spoil",
    [
        _change_byte,
        _shorten,
        _extend,
        _remove,
        _change_manifest,
        _say_wrong_size,
        _say_wrong_digest,
        _no_index,
        _lie_about_content,
    ],
)
def test_a_spoiled_layout(
    airbundle: Airbundle, image: Image, layout: Path, tmp_path: Path, spoil: Callable[[Path, Image], None]
) -> None:
    spoil(layout, image)
    output = tmp_path / "out"
    _fails(airbundle, _DAMAGED, "pack", f"app=oci:{layout}", "-o", output, output=output)


# ---- the disk --------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    require(why_not_root())
    point = tmp_path / "disk"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "airbundle-test", str(point)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    require(f"cannot mount a tmpfs: {mounted.stderr.strip()}" if mounted.returncode else None)
    yield point
    subprocess.run(["umount", "--lazy", point], check=True)


def test_a_disk_that_is_too_small(airbundle: Airbundle, layout: Path, small_disk: Path) -> None:
    output = small_disk / "out"
    _fails(airbundle, _DISK, "pack", f"app=oci:{layout}:{_NAME}", "-o", output, output=output)


def test_a_disk_that_gets_full_on_the_way(airbundle: Airbundle, bundle: Path, small_disk: Path) -> None:
    # Extraction of a bundle of 3 MiB: no plan is asked for first, so the disk itself must say it.
    destination = small_disk / "layout"
    _fails(airbundle, _DISK, "extract", bundle, destination)
    assert not (destination / "index.json").exists()


def test_an_output_that_is_read_only(airbundle: Airbundle, layout: Path, small_disk: Path) -> None:
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    changed = subprocess.run(remount, capture_output=True, text=True, check=False)
    require(f"cannot mount read-only: {changed.stderr.strip()}" if changed.returncode else None)
    _fails(airbundle, _DISK, "pack", f"app=oci:{layout}:{_NAME}", "-o", small_disk / "out")
    assert list(small_disk.iterdir()) == []


def test_an_output_below_a_file(airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    result = airbundle("pack", f"app=oci:{layout}:{_NAME}", "-o", tmp_path / "file", "--json", status=None)
    assert result.status in (_USAGE, _DISK), str(result)
    assert (tmp_path / "file").read_text() == "mine"


# ---- an output directory that is in use ------------------------------------------------


def _contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_an_output_that_holds_another_bundle(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    other = write_layout(tmp_path / "other", {"bad.test/other:1": Image.of(layer("other", _MIB))})
    before = _contents(bundle)
    _fails(airbundle, _USAGE, "pack", f"other=oci:{other}", "-o", bundle)
    assert _contents(bundle) == before
    airbundle("verify", bundle)


def test_an_output_that_holds_other_files(airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "app.oci.tar.partial").mkdir()
    (output / "thesis.txt").write_text("mine")
    _fails(airbundle, _USAGE, "pack", f"app=oci:{layout}:{_NAME}", "-o", output)
    assert (output / "thesis.txt").read_text() == "mine"
    assert sorted(path.name for path in output.iterdir()) == ["app.oci.tar.partial", "thesis.txt"]


# ---- what the user writes --------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["pack"],
        ["pack", "app=oci:{layout}"],
        ["pack", "APP=oci:{layout}", "-o", "{out}"],
        ["pack", "shared=oci:{layout}", "-o", "{out}"],
        ["pack", "../app=oci:{layout}", "-o", "{out}"],
        ["pack", "app=", "-o", "{out}"],
        ["pack", "app=docker://UPPER/Case", "-o", "{out}"],
        ["pack", "app=oci:{layout}", "-o", "{out}", "--part-size", "4G"],
        ["pack", "app=oci:{layout}", "-o", "{out}", "--part-size", "1KiB"],
        ["pack", "app=oci:{layout}", "-o", "{out}", "--compression", "rar"],
        ["pack", "app=oci:{layout}", "-o", "{out}", "--level", "99"],
        ["verify", "{out}", "--level", "thorough"],
        ["fly", "{out}"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_wrong(
    airbundle: Airbundle, layout: Path, tmp_path: Path, arguments: list[str]
) -> None:
    output = tmp_path / "out"
    airbundle(*(word.format(layout=layout, out=output) for word in arguments), status=_USAGE)
    assert not output.exists()


# ---- interruption ----------------------------------------------------------------------

_SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def _interrupt(running: Running, number: signal.Signals) -> Result:
    assert not running.ended, running.stderr
    sent = time.monotonic()
    running.signal(number)
    result = running.finish(timeout=60)
    assert time.monotonic() - sent < 10
    assert result.status == _INTERRUPTED, str(result)
    return result


@_SIGNALS
def test_interrupted_in_the_middle_of_a_blob(
    airbundle: Airbundle, image: Image, tmp_path: Path, number: signal.Signals
) -> None:
    output = tmp_path / "out"
    with http_peers.serve(http_peers.stalling(image.blobs, image.manifest, image.layer_digests[1])) as peer:
        arguments = ("pack", f"app=docker://{peer.address}/app:1", "-o", output, "--plain-http")
        with airbundle.start(*arguments) as running:
            assert peer.asked.wait(60), running.stderr
            _interrupt(running, number)
    assert bundles.finished_files(output) == []


@_SIGNALS
def test_interrupted_while_the_engine_is_read(
    airbundle: Airbundle, applications: RealEngine, tmp_path: Path, number: signal.Signals
) -> None:
    output = tmp_path / "out"
    near = airbundle.with_environment(DOCKER_HOST=applications.host)
    arguments = ("pack", f"shop=docker-daemon:{SHOP}", "-o", output, "--part-size", "8MiB")
    with near.start(*arguments) as running:
        deadline = time.monotonic() + 120
        # The first bytes of the archive: the run is in the middle of its work.
        while not list(output.glob("shop.oci.tar*")):
            assert time.monotonic() < deadline, running.stderr
            assert not running.ended, running.stderr
            time.sleep(0.05)
        _interrupt(running, number)
    assert not (output / "bundle.json").exists()
    assert not (output / "bundle.json.bak").exists()
    # The same command again finishes what was begun.
    near(*arguments)
    near("verify", output)
    shutil.rmtree(output)
