"""README.txt at its word: every command for sh that it holds, run as it stands on real software.

Only the name of the registry is put in. What the readers have afterwards is compared with bundle.json, as far as
the text promises it. PowerShell cannot be had here: its lines are checked for their form, in the unit tests.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import bundles, layouts
from tests.e2e.command import Airbundle
from tests.e2e.damage import flip_byte
from tests.e2e.readme_bundles import GZIP, KEPT, MULTI, SBOM, ZSTD, Bundle, pack_bundles, tool_of
from tests.readme_text import CHECK, SH, lines_of
from tests.requirements import require, why_no_program, why_not_root
from tests.servers.containerd import RealContainerd, why_no_containerd
from tests.servers.engine import RealEngine
from tests.servers.registry import RealRegistry


@pytest.fixture(scope="module")
def made(shared_airbundle: Airbundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Bundle]]:
    """The three bundles."""
    directory = tmp_path_factory.mktemp("readers")
    yield pack_bundles(shared_airbundle, directory)
    shutil.rmtree(directory)


# ---- 1. check ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ZSTD, KEPT])
def test_the_check_finds_what_is_damaged(made: dict[str, Bundle], kind: str, tmp_path: Path) -> None:
    bundle = made[kind]
    (line,) = lines_of(bundle.readme, CHECK, "sh")
    archives = bundles.table(bundle.path)["archives"]
    files = ["bundle.json", *(part["file"] for archive in archives for part in archive["parts"])]
    assert sorted(bundle.run(line).splitlines()) == sorted(f"{file}: OK" for file in files)
    copy = tmp_path / "copy"
    shutil.copytree(bundle.path, copy)
    flip_byte(copy / files[-1], 1_000)
    run = subprocess.run(["sh", "-c", line], cwd=copy, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert f"{files[-1]}: FAILED" in run.stdout


@pytest.mark.parametrize("kind", [ZSTD, GZIP, KEPT])
def test_there_is_a_line_for_every_tool(made: dict[str, Bundle], kind: str) -> None:
    """And no line that no test below runs."""
    bundle = made[kind]
    for application, images in bundle.applications.items():
        lines = lines_of(bundle.readme, SH, application)
        tools = [tool_of(line) for line in lines]
        joined = kind != KEPT or application != "lone"
        assert tools.count("docker") == tools.count("podman") == tools.count("ctr") == 1
        assert tools.count("skopeo") == len(images)
        assert tools.count("convert") == (len(images) if kind == ZSTD else 0)
        assert tools.count("join") == tools.count("clean") == joined


# ---- docker ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "kind"),
    [
        ("second_engine", GZIP), ("engine_26", GZIP), ("engine_26", ZSTD), ("engine_26", KEPT),
        ("engine_26_containerd", ZSTD), ("engine_26_containerd", KEPT),
    ],
)  # fmt: skip
def test_docker_reads_it(made: dict[str, Bundle], fixture: str, kind: str, request: pytest.FixtureRequest) -> None:
    require(why_no_program("docker"))
    bundle, engine = made[kind], request.getfixturevalue(fixture)
    for application, images in bundle.applications.items():
        engine.empty()
        (line,) = bundle.lines(application, "docker")
        bundle.run(line, DOCKER_HOST=engine.host)
        for name, image in images.items():
            _check_in_engine(engine, name, image)


@pytest.mark.parametrize("fixture", ["second_engine", "engine_26"])
def test_docker_before_23_reads_what_skopeo_converts(
    made: dict[str, Bundle], fixture: str, request: pytest.FixtureRequest
) -> None:
    require(why_no_program("docker", "skopeo"))
    bundle, engine = made[ZSTD], request.getfixturevalue(fixture)
    engine.empty()
    for application, images in bundle.applications.items():
        with bundle.joined(application):
            for line in bundle.lines(application, "convert"):
                bundle.run(line, DOCKER_HOST=engine.host)
        for name, image in images.items():
            assert engine.layers(name) == bundle.layers(image)
            if not engine.keeps_digests:
                _check_in_engine(engine, name, image)


def _check_in_engine(engine: RealEngine, name: str, image: dict[str, Any]) -> None:
    """Check what the text promises of Docker engines with either store."""
    if engine.keeps_digests:
        facts = engine.facts(name)
        assert facts["Id"] == image["descriptor"]["digest"]
    elif image.get("platforms"):
        facts = engine.facts(_tagged(name) or image["image_ids"][0])
        assert facts["Id"] == dict(zip(image["platforms"], image["image_ids"], strict=True))["linux/amd64"]
        assert facts["RepoTags"] == ([_short(name)] if _tagged(name) else [])


# ---- podman ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ZSTD, GZIP, KEPT])
def test_podman_reads_it(made: dict[str, Bundle], kind: str) -> None:
    require(why_no_program("podman") or why_not_root())
    bundle = made[kind]
    own = {
        "CONTAINERS_STORAGE_CONF": f"{bundle.home}/storage.conf",
        "CONTAINERS_CONF": f"{bundle.home}/containers.conf",
    }
    # An image that podman has keeps the digest under which it came first.
    bundle.run("podman image rm --all --force", **own)
    for application, images in bundle.applications.items():
        (line,) = bundle.lines(application, "podman")
        bundle.run(line, **own)
        for name, image in images.items():
            if image.get("platforms"):
                known_by = _tagged(name) or image["image_ids"][0].removeprefix("sha256:")
                (facts,) = json.loads(bundle.run(f"podman image inspect {known_by}", **own))
                assert f"sha256:{facts['Id']}" in image["image_ids"]
                assert facts["RepoTags"] == ([_tagged(name)] if _tagged(name) else [])
                if application in bundle.promised("Every digest with podman"):
                    assert facts["Digest"] == image["descriptor"]["digest"]
    promises = (bundle.promised("Every digest with podman"), bundle.promised("Image IDs but not all digests"))
    assert promises == ((["lone"], ["mixed", "pins"]) if kind == KEPT else (["erp"], ["shop"]))


def _short(name: str) -> str:
    return name.partition("@")[0].removeprefix("docker.io/library/")


def _tagged(name: str) -> str | None:
    tagged = name.partition("@")[0]
    return tagged if ":" in tagged.rpartition("/")[2] else None


# ---- ctr ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def containerd() -> Iterator[RealContainerd]:
    """An empty containerd."""
    require(why_no_containerd())
    with RealContainerd() as running:
        yield running


@pytest.mark.parametrize("kind", [ZSTD, GZIP, KEPT])
def test_ctr_reads_it(made: dict[str, Bundle], containerd: RealContainerd, kind: str) -> None:
    bundle = made[kind]
    expected = {}
    for application, images in bundle.applications.items():
        (line,) = bundle.lines(application, "ctr")
        bundle.run(line, CONTAINERD_ADDRESS=str(containerd.socket))
        expected.update({name: image["descriptor"]["digest"] for name, image in images.items()})
    # In order of kinds the same names get other digests: what is there now is this bundle's.
    assert expected.items() <= containerd.images("k8s.io").items()
    assert expected.keys() <= containerd.complete("k8s.io")


# ---- skopeo, into a registry ---------------------------------------------------------------


@pytest.mark.parametrize("kind", [ZSTD, GZIP, KEPT])
def test_skopeo_pushes_it(made: dict[str, Bundle], kind: str, empty_registry: RealRegistry) -> None:
    require(why_no_program("skopeo"))
    bundle, address = made[kind], empty_registry.address
    registries = bundle.home / ".config/containers/registries.conf"
    registries.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    for application, images in bundle.applications.items():
        with bundle.joined(application):
            for line in bundle.lines(application, "skopeo"):
                bundle.run(line, address)
        for name, image in images.items():
            repository = name.partition("@")[0].partition("/")[2].partition(":")[0]
            pointer = (_tagged(name) or name).rpartition(":" if _tagged(name) else "@")[2]
            _check_in_registry(address, repository, pointer, image)
            if _tagged(name) is None:
                # Not even a tag that nobody asked for.
                with pytest.raises(urllib.error.HTTPError):
                    _fetch(address, repository, "latest")


def _check_in_registry(address: str, repository: str, pointer: str, image: dict[str, Any]) -> None:
    document = _fetch(address, repository, pointer)
    assert layouts.sha256(document) == image["descriptor"]["digest"]
    children = json.loads(document).get("manifests", [])
    assert all(layouts.sha256(_fetch(address, repository, one["digest"])) == one["digest"] for one in children)


def _fetch(address: str, repository: str, pointer: str) -> bytes:
    url = f"http://{address}/v2/{repository}/manifests/{pointer}"
    request = urllib.request.Request(url, headers={"Accept": f"{layouts.MANIFEST}, {layouts.INDEX}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        body: bytes = answer.read()
    return body


# ---- readers of tars -------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["tar", "bsdtar", "busybox tar"])
@pytest.mark.parametrize("kind", [ZSTD, KEPT])
def test_every_tar_extracts_the_joined_file(
    made: dict[str, Bundle], kind: str, reader: str, tmp_path: Path
) -> None:
    require(why_no_program(reader.split()[0]))
    bundle = made[kind]
    for application, images in bundle.applications.items():
        out = tmp_path / application
        out.mkdir()
        with bundle.joined(application) as archive:
            listed = bundle.run(f"{reader} -tf {archive}").splitlines()
            bundle.run(f"{reader} -xf {archive} -C {out}")
        assert sorted(listed) == sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
        assert {"oci-layout", "index.json", "manifest.json"} <= set(listed)
        for digest in {digest for image in images.values() for digest in image["blobs"]}:
            assert layouts.sha256(layouts.blob_path(out, digest).read_bytes()) == digest


# ---- referrers ---------------------------------------------------------------------------------


def test_a_referrer_names_its_subject_to_engines(made: dict[str, Bundle]) -> None:
    bundle = made[KEPT]
    with bundle.joined("mixed") as archive:
        index = json.loads(bundle.run(f"tar -xOf {archive} index.json"))
    subjects = {
        entry["annotations"]["io.containerd.image.name"]: entry["annotations"].get(
            "io.containerd.manifest.subject"
        )
        for entry in index["manifests"]
    }
    assert subjects == {MULTI: None, SBOM: bundle.applications["mixed"][MULTI]["descriptor"]["digest"]}
