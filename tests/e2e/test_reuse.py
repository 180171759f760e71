"""Packing with what older bundles have: the same bytes in every file, from every kind of source."""

from __future__ import annotations

import json
import random
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler import pack
from bundler.content.images import EngineForm
from bundler.content.streams import ByteStream
from bundler.model.digest import Digest
from bundler.model.reference import Reference
from bundler.packing.planning.options import PackOptions
from bundler.transports.engine import EngineClient
from bundler.transports.engine.facts import EngineInfo
from bundler.transports.engine.save_places import save_places
from tests.e2e.command import Airbundle
from tests.requirements import require, why_no_program
from tests.servers.engine import RealEngine
from tests.servers.registry import RealRegistry

_BASE, _WEB, _API, _ODD = (f"reuse.test/{name}" for name in ("base", "web", "api", "odd"))
_ODD_LINES = [
    f"FROM {_BASE}:1",
    r'ENV A="<b>&\"ü ☃ \\" B=2',
    "EXPOSE 80 53/udp",
    "VOLUME /data /logs",
    'LABEL z="<script>" "ünï"="&&"',
    'HEALTHCHECK --interval=5s --retries=4 CMD ["/x", "<y>"]',
    'SHELL ["/bin/zsh", "-c"]',
    "USER 1000:1000",
    "WORKDIR /w",
    "STOPSIGNAL SIGQUIT",
    'ENTRYPOINT ["/e", "a b"]',
    "ONBUILD RUN true",
    "COPY two /odd",
]


def _images(version: int) -> dict[str, list[str]]:
    return {
        f"{_WEB}:{version}": [f"FROM {_BASE}:1", "COPY two /two", f"COPY v{version} /changes"],
        f"{_API}:{version}": [f"FROM {_BASE}:1", "COPY three /three", "COPY one /again"],
        f"{_ODD}:{version}": _ODD_LINES,
    }


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the images are built of."""
    path = tmp_path_factory.mktemp("context")
    (path / "one").write_bytes(random.Random(1).randbytes(300_000))
    (path / "two").write_bytes(b"two " * 100_000)
    for name in ("three", "v1", "v2"):
        (path / name).write_bytes(random.Random(name).randbytes(70_000))
    return path


@pytest.fixture(scope="module", params=["engine", "engine_26", "engine_26_containerd"])
def near(request: pytest.FixtureRequest, context: Path) -> RealEngine:
    """An engine that has two versions of three images on one base; only one of them changed."""
    engine: RealEngine = request.getfixturevalue(request.param)
    for name, lines in {f"{_BASE}:1": ["FROM scratch", "COPY one /one"], **_images(1), **_images(2)}.items():
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        engine.client.images.build(path=str(context), tag=name, rm=True)
    return engine


@pytest.fixture
def requests(near: RealEngine, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The names in each request for saved images, in order."""
    seen: list[tuple[str, ...]] = []
    save = EngineClient.save

    def recording(self: EngineClient, *asked: str) -> ByteStream:
        seen.append(asked)
        return save(self, *asked)

    monkeypatch.setattr(EngineClient, "save", recording)
    monkeypatch.setenv("DOCKER_HOST", near.host)
    return seen


_Packed = Callable[..., dict[str, bytes]]


@pytest.fixture
def packed(tmp_path: Path) -> _Packed:
    """Packs and returns every file."""

    def run(output: str, transport: str, version: int, **more: object) -> dict[str, bytes]:
        names = [f"{transport}:{name}" for name in _images(version)]
        applications = {"shop": names[:2], "erp": names[1:]}
        pack(applications, tmp_path / output, options=PackOptions(part_bytes=100 << 10), **more)  # type: ignore[arg-type]
        return _files(tmp_path / output)

    return run


def test_an_engine(requests: list[tuple[str, ...]], packed: _Packed, near: RealEngine, tmp_path: Path) -> None:
    packed("old", "docker-daemon", 1)
    right = packed("right", "docker-daemon", 2)
    requests.clear()
    again = packed("again", "docker-daemon", 2, reuse=[tmp_path / "old"])
    assert again == right
    # A containerd store is asked for the manifests of each name, once, which is no reading of layers.
    named = 3 if near.keeps_digests else 0
    assert len(requests) == named + 1
    requests.clear()
    assert packed("same", "docker-daemon", 2, reuse=[tmp_path / "again"]) == right
    assert len(requests) == named
    assert packed("cached", "docker-daemon", 2, cache=tmp_path / "cache") == right
    requests.clear()
    assert packed("from cache", "docker-daemon", 2, cache=tmp_path / "cache") == right
    assert len(requests) == named


def test_a_damaged_bundle(requests: list[tuple[str, ...]], packed: _Packed, tmp_path: Path) -> None:
    right = packed("old", "docker-daemon", 1)
    for number, part in enumerate(sorted((tmp_path / "old").glob("*.oci.tar*"))):
        data = part.read_bytes()
        part.write_bytes(data[: len(data) // 2] if number % 2 else bytes(len(data)))
        assert packed(f"again {number}", "docker-daemon", 1, reuse=[tmp_path / "old"]) == right


def test_the_places_of_an_engine_are_those_that_it_saves(
    near: RealEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every layer of every image that this session built, imported or loaded."""
    if near.keeps_digests:
        pytest.skip("a containerd store names blobs by their digests")
    require(why_no_program("docker"))
    client = EngineClient(near.host)
    info: EngineInfo = client.info
    checked = 0
    for image in near.client.images.list():
        image_id = str(image.id)
        found = client.inspect(image_id)
        if found is None or not found.diff_ids or not image.tags:
            continue
        saved = tmp_path / "saved.tar"
        subprocess.run(["docker", "-H", near.host, "save", "-o", saved, image_id], check=True)
        row, config = _saved(saved)
        form = EngineForm(Reference.parse("x/y:1"), Digest(image_id), found.diff_ids, found.platform)
        places = save_places(info, [form], {form.config_digest: config})
        lowest = dict(zip(reversed(found.diff_ids), reversed(row["Layers"]), strict=True))
        assert {digest: "/".join(places[digest]) for digest in lowest} == lowest, image.tags
        checked += 1
    assert checked >= 4
    client.close()


def _saved(path: Path) -> tuple[dict[str, list[str]], bytes]:
    with tarfile.open(path) as tar:
        (row,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        return row, tar.extractfile(row["Config"]).read()  # type: ignore[union-attr]


def test_a_file_and_an_engine_give_to_each_other(
    requests: list[tuple[str, ...]], packed: _Packed, near: RealEngine, tmp_path: Path
) -> None:
    require(why_no_program("docker"))
    saved = tmp_path / "saved.tar"
    subprocess.run(["docker", "-H", near.host, "save", "-o", saved, *_images(2)], check=True, capture_output=True)
    right = packed("right", "docker-daemon", 2)
    assert packed("file", f"docker-archive:{saved}", 2, reuse=[tmp_path / "right"]) == right
    assert packed("engine", "docker-daemon", 2, reuse=[tmp_path / "file"]) == right


def test_a_registry_and_a_layout(
    airbundle: Airbundle, registry: RealRegistry, engine: RealEngine, context: Path, tmp_path: Path
) -> None:
    airbundle = airbundle.with_environment(DOCKER_HOST=engine.host)
    for name, lines in {f"{_BASE}:1": ["FROM scratch", "COPY one /one"], **_images(1), **_images(2)}.items():
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        engine.client.images.build(path=str(context), tag=name, rm=True)
    sources: dict[str, list[list[str]]] = {"registry": [], "layout": []}
    for version in (1, 2):
        made, layout = tmp_path / f"made {version}", tmp_path / f"layout {version}"
        airbundle("pack", *(f"a=docker-daemon:{name}" for name in _images(version)), "-o", made)
        pushed = airbundle("push", made, f"{registry.address}/reuse", "--plain-http", "--json").json["images"]
        airbundle("extract", made, f"oci:{layout}")
        sources["registry"].append([f"a=docker://{image['target']}" for image in pushed])
        sources["layout"].append([f"a=oci:{layout}:{name}" for name in _images(version)])
    for kind, (old, new) in sources.items():
        _pack_and_reuse(airbundle, tmp_path / kind, old, new)


def _pack_and_reuse(airbundle: Airbundle, place: Path, old: list[str], new: list[str]) -> None:
    """Pack what is old, then what is new with it and without it."""
    place.mkdir()
    options = ("--plain-http", "--part-size", "100KiB", "--json")
    airbundle("pack", *old, "-o", place / "old", *options)
    right = airbundle("pack", *new, "-o", place / "right", *options).json
    again = airbundle("pack", *new, "-o", place / "again", *options, "--reuse", place / "old").json
    assert 0 < again["bytes_reused"] < right["bytes_written"]
    assert again["id"] == right["id"]
    assert _files(place / "again") == _files(place / "right")


def _files(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}
