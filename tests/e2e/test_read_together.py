"""Images of a real engine that share layers: few requests, and the same bytes as from files of that engine."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from bundler import PackOptions, pack
from bundler.content.streams import ByteStream
from bundler.transports.engine import EngineClient
from tests.requirements import require, why_no_program
from tests.servers.engine import RealEngine

_BASE, _SHOP, _ERP, _CRM, _TWIN = (f"together.test/{name}:1" for name in ("base", "shop", "erp", "crm", "twin"))
_IMAGES = {
    _BASE: ["FROM scratch", "COPY one /one"],
    _SHOP: [f"FROM {_BASE}", "COPY two /two", "COPY one /again"],
    _ERP: [f"FROM {_BASE}", "COPY two /other", "ENV ERP=1"],
    _CRM: [f"FROM {_BASE}", "COPY three /three"],
    # The layers of shop under another config: where the top one lies depends on which image comes first.
    _TWIN: [f"FROM {_SHOP}", "ENV TWIN=1"],
}
_APPLICATIONS = {"crm": [_CRM], "erp": [_ERP, _CRM], "shop": [_SHOP, _TWIN]}


@pytest.fixture(scope="module", params=["engine", "engine_26"])
def near(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RealEngine:
    """An engine with a classic store that has the images."""
    engine: RealEngine = request.getfixturevalue(request.param)
    context = tmp_path_factory.mktemp("context")
    (context / "one").write_bytes(random.Random(1).randbytes(300_000))
    (context / "two").write_bytes(b"two " * 100_000)
    (context / "three").write_bytes(random.Random(3).randbytes(70_000))
    for name, lines in _IMAGES.items():
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        engine.client.images.build(path=str(context), tag=name, rm=True)
    return engine


@pytest.fixture
def requests(near: RealEngine, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the images in each request for saved ones, in order."""
    names = {str(near.facts(name)["Id"]): name for name in _IMAGES}
    seen: list[list[str]] = []
    save = EngineClient.save

    def recording(self: EngineClient, *asked: str) -> ByteStream:
        seen.append([names[image_id] for image_id in asked])
        return save(self, *asked)

    monkeypatch.setattr(EngineClient, "save", recording)
    monkeypatch.setenv("DOCKER_HOST", near.host)
    return seen


def _packed(output: Path, applications: dict[str, list[str]], workers: int = 2) -> dict[str, bytes]:
    pack(applications, output, options=PackOptions(part_bytes=100 << 10, workers=workers))
    return {file.name: file.read_bytes() for file in output.iterdir()}


def _from_engine(reverse: bool = False) -> dict[str, list[str]]:
    step = -1 if reverse else 1
    return {
        application: [f"docker-daemon:{name}" for name in names[::step]]
        for application, names in list(_APPLICATIONS.items())[::step]
    }


def test_one_request_for_all_images_on_a_base(requests: list[list[str]], tmp_path: Path) -> None:
    _packed(tmp_path / "bundle", _from_engine())
    # `crm` is in two applications and comes once; the twin has a layer that must not be read with the others.
    assert requests == [[_CRM, _ERP, _SHOP], [_TWIN]]


def test_the_base_alone_goes_before(requests: list[list[str]], tmp_path: Path) -> None:
    _packed(tmp_path / "bundle", {"a": [f"docker-daemon:{_BASE}"], **_from_engine()})
    assert requests == [[_BASE], [_CRM, _ERP, _SHOP], [_TWIN]]


def test_the_same_bytes_however_they_come(near: RealEngine, requests: list[list[str]], tmp_path: Path) -> None:
    require(why_no_program("docker"))
    right = _packed(tmp_path / "right", _from_engine())
    assert "shared.oci.tar.001" in right
    for number, workers in enumerate((1, 2, 4)):
        assert _packed(tmp_path / f"again {number}", _from_engine(), workers) == right
    assert _packed(tmp_path / "reversed", _from_engine(reverse=True)) == right
    whole = _save(near, tmp_path / "all.tar", *_IMAGES)
    one_file = {app: [f"docker-archive:{whole}:{name}" for name in names] for app, names in _APPLICATIONS.items()}
    assert _packed(tmp_path / "one file", one_file) == right
    alone = {name: _save(near, tmp_path / f"{number}.tar", name) for number, name in enumerate(_IMAGES)}
    files = {app: [f"docker-archive:{alone[name]}" for name in names] for app, names in _APPLICATIONS.items()}
    assert _packed(tmp_path / "a file for each", files) == right
    both = {**files, "erp": _from_engine()["erp"]}
    assert _packed(tmp_path / "both", both) == right


def _save(engine: RealEngine, path: Path, *names: str) -> Path:
    subprocess.run(["docker", "-H", engine.host, "save", "-o", path, *names], check=True, capture_output=True)
    return path
