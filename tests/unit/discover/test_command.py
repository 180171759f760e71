"""``airbundle discover``: what it prints, edits and refuses."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest

from bundler import discover_images
from bundler.discover.compose.options import ComposeOptions
from bundler.errors import UsageError
from tests.unit.cli.conftest import Airbundle


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


@pytest.fixture
def shop(here: Path) -> Path:
    (here / "shop").mkdir()
    (here / "shop" / ".env").write_text("TAG=1.27\nDB_PASSWORD=hunter2\nEMPTY=\n")
    (here / "shop" / "compose.yaml").write_text(
        "services:\n"
        "  web: {image: 'nginx:${TAG}', environment: {P: '${DB_PASSWORD}'}}\n"
        "  proxy: {image: 'docker.io/library/nginx:${TAG}'}\n"
        "  job: {build: .}\n"
        "  gone: {image: 'x:${UNSET}'}\n"
    )
    return here / "shop"


def test_the_configuration(airbundle: Airbundle, shop: Path) -> None:
    said = airbundle("discover", "shop")
    assert said.out == (
        "# Images found by `airbundle discover`; `airbundle pack` takes this file as it is.\n"
        "applications:\n"
        "  shop:\n"
        "    images:\n"
        "      - nginx:1.27  # shop/compose.yaml: service proxy; shop/compose.yaml: service web\n"
        "      - shop-job  # build: shop/compose.yaml: service job\n"
    )
    assert "the variable UNSET is not set" in said.err
    assert "service gone is left out" in said.err
    assert airbundle("discover", "shop", "-q").err == ""


def test_json(airbundle: Airbundle, shop: Path) -> None:
    document = airbundle("discover", "shop", "--json").document
    assert document.keys() == {"applications", "notes"}
    (application,) = document["applications"]
    assert application.keys() == {"name", "images"}
    assert [image["reference"] for image in application["images"]] == [
        "docker.io/library/nginx:1.27", "docker.io/library/shop-job:latest",
    ]  # fmt: skip
    assert application["images"][1] == {
        "image": "shop-job", "reference": "docker.io/library/shop-job:latest", "guess": False, "build": True,
        "places": [{"file": "shop/compose.yaml", "part": "service job"}],
    }  # fmt: skip


def test_why(airbundle: Airbundle, shop: Path) -> None:
    for spelling in ("nginx:1.27", "docker.io/library/nginx:1.27", "nginx"):
        said = airbundle("discover", "shop", "--why", spelling, "-q")
        assert said.out == ""
        said = airbundle("discover", "shop", "--why", spelling)
        assert said.out == (
            "nginx:1.27  (shop)\n  shop/compose.yaml: service proxy\n  shop/compose.yaml: service web\n"
        )
    (image,) = airbundle("discover", "shop", "--why", "shop-job", "--json").document["images"]
    assert image["places"] == [{"file": "shop/compose.yaml", "part": "service job"}]
    for other in ("nginx:1.26", "mysql", "No Name"):
        assert airbundle("discover", "shop", "--why", other, "--json", status=2).error["code"] == "not-found"
    airbundle("discover", "shop", "--why", "x", "--update", "y", status=2)


def test_update(airbundle: Airbundle, shop: Path, here: Path) -> None:
    config = here / "pack.yaml"
    config.write_text("# mine\napplications:\n  shop:\n    images:\n      - nginx:1.26  # old\n")
    config.chmod(0o640)
    document = airbundle("discover", "shop", "--update", "pack.yaml", "--json").document
    assert document["changes"] == [
        {"application": "shop", "before": "nginx:1.26", "after": "nginx:1.27", "rule": None},
        {"application": "shop", "before": None, "after": "shop-job", "rule": None},
    ]
    assert config.read_text() == (
        "# mine\napplications:\n  shop:\n    images:\n      - nginx:1.27  # old\n"
        "      - shop-job  # build: shop/compose.yaml: service job\n"
    )
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    said = airbundle("discover", "shop", "--update", "pack.yaml")
    assert said.out == "pack.yaml holds all that was found\n"
    airbundle("discover", "shop", "--update", "gone.yaml", status=2)
    config.write_text(config.read_text().replace("- nginx:1.27", '- {image: nginx, tags: "1.*"}'))
    said = airbundle("discover", "shop", "--update", "pack.yaml")
    assert said.out == "shop: nginx:1.27 is left to tags 1.*, which may choose another tag\n"


def test_the_project_of_this_directory(airbundle: Airbundle, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(shop / "deep" / "er")
    document = airbundle("discover", "--json").document
    assert document["applications"][0]["name"] == "shop"
    monkeypatch.chdir(shop.parent)
    assert "no Compose file" in airbundle("discover", "--json", status=2).error["message"]


def test_nothing_secret_is_said(airbundle: Airbundle, here: Path) -> None:
    """Neither values of variables nor lines of their files are shown, whatever is wrong with them."""
    secret = "hunter2"
    (here / ".env").write_text(f"PASSWORD={secret}\n")
    for text in (
        "services: {a: {image: 'x/${PASSWORD}:::'}}",
        "services: {a: {image: 'x:1', command: '${OTHER:?$PASSWORD}'}}",
        "services: {a: {image: 'x:1', command: '${PASSWORD/}'}}",
        "services: {a: {command: '${PASSWORD}'}}",
        "services: {a: {image: 'x:1', depends_on: ['${PASSWORD}']}}",
        "services: {a: {image: 'x:1', extends: {service: b, file: 'gone-${PASSWORD2}'}}}",
    ):
        (here / "compose.yaml").write_text(text)
        said = airbundle("discover", ".", "-v", status=2)
        assert secret not in said.out + said.err, text
    (here / "compose.yaml").write_text("services: {a: {image: 'x:1'}}")
    for line in (f'A="{secret}', f"{secret} x=1", f"A=${{{secret}", f"A=${{B:?{secret}}}"):
        (here / ".env").write_text(line + "\n")
        said = airbundle("discover", ".", "-v", status=2)
        assert secret not in said.out + said.err, line


def test_comments_cannot_be_left(airbundle: Airbundle, here: Path) -> None:
    (here / "a\nb.yaml").write_text("services: {a: {image: 'x:1'}}")
    said = airbundle("discover", "-p", "p", "a\nb.yaml")
    assert said.out.splitlines()[-1] == "      - x:1  # a\\nb.yaml: service a"


class TestStandardInput:
    def test_only_once(self, airbundle: Airbundle) -> None:
        assert "only once" in airbundle("discover", "-", "-f", "-", "--json", status=2).error["message"]

    def test_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(UsageError, match="no standard input"):
            discover_images(["-"])

    def test_it_is_recognised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"FROM a:1\nRUN x\n")))
        found = discover_images(["-"], compose=ComposeOptions(project_name="p"))
        assert [image.image for image in found.applications[0].images] == ["a:1"]


class TestHelm:
    @pytest.fixture
    def chart(self, here: Path) -> Path:
        (here / "chart").mkdir()
        (here / "chart" / "Chart.yaml").write_text("name: web\nversion: 1.0.0\n")
        return here / "chart"

    def install(self, here: Path, script: str) -> None:
        (here / "bin").mkdir()
        helm = here / "bin" / "helm"
        helm.write_text(f"#!/bin/sh\n{script}\n")
        helm.chmod(0o755)

    def test_it_renders(self, airbundle: Airbundle, here: Path, chart: Path) -> None:
        pod = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
                          "spec": {"containers": [{"name": "c", "image": "from-helm:1"}]}})  # fmt: skip
        self.install(here, f'[ "$1 $2 $3" = "template release-name {chart}" ] && echo \'{pod}\'')
        (application,) = airbundle("discover", "chart", "--json").document["applications"]
        assert application["name"] == "web"
        assert application["images"][0]["image"] == "from-helm:1"
        assert application["images"][0]["guess"] is False

    def test_it_fails(self, airbundle: Airbundle, here: Path, chart: Path) -> None:
        self.install(here, "echo 'Error: no dependencies' >&2; exit 1")
        error = airbundle("discover", "chart", "--json", status=2).error
        assert "helm cannot render chart: Error: no dependencies" in error["message"]

    def test_it_takes_too_long(
        self, airbundle: Airbundle, here: Path, chart: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bundler.api.discovering._HELM_SECONDS", 0.2)
        self.install(here, "exec /bin/sleep 20")
        error = airbundle("discover", "chart", "--json", status=2).error
        assert "takes longer" in error["message"]


class TestFilesThatAreNone:
    @pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "pipe", "link-to-device"])
    def test_devices_and_pipes(self, airbundle: Airbundle, here: Path, name: str) -> None:
        os.mkfifo(here / "pipe")
        (here / "link-to-device").symlink_to("/dev/zero")
        for arguments in (["-f", name], [name]):
            error = airbundle("discover", *arguments, "--json", status=2).error
            assert "is not a regular file" in error["message"]

    @pytest.mark.parametrize("key", ["include: [{}]", "services: {{a: {{extends: {{file: {}, service: a}}}}}}"])
    def test_included_devices(self, airbundle: Airbundle, here: Path, key: str) -> None:
        (here / "compose.yaml").write_text(key.format("/dev/zero"))
        assert "not a regular file" in airbundle("discover", "--json", status=2).error["message"]

    def test_not_utf8(self, airbundle: Airbundle, here: Path) -> None:
        (here / "compose.yaml").write_bytes(b"services: {a: {image: '\xff'}}")
        assert "compose.yaml is not UTF-8" in airbundle("discover", "--json", status=2).error["message"]

    def test_links_that_lead_out_are_not_followed(self, airbundle: Airbundle, here: Path) -> None:
        (here / "outside").mkdir()
        (here / "outside" / "images.txt").write_text("outside:1\n")
        root = here / "root"
        (root / ".git").mkdir(parents=True)
        (root / ".git" / "images.txt").write_text("git:1\n")
        (root / "a").mkdir()
        (root / "a" / "images.txt").write_text("inside:1\n")
        (root / "link.d").symlink_to(here / "outside")
        (root / "loop").symlink_to(root)
        (root / "images.txt").symlink_to(here / "outside" / "images.txt")
        (application,) = airbundle("discover", "root", "--json").document["applications"]
        assert [image["image"] for image in application["images"]] == ["inside:1"]
