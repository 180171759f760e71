"""``check``: three questions, and an exit status that says which one was answered with no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.packing.pack import write_bundle
from bundler.packing.planning.plan import PlannedImage, make_plan
from tests.builders import ERP, SHOP, SHOP_TOOLS, SMALL, TwoApplications
from tests.fakes.engine import FakeEngine
from tests.fakes.registry import FakeRegistry, Script
from tests.unit.cli.conftest import Airbundle

PASSES, FAILS = ("/bin/busybox", "true"), ("/bin/busybox", "echo", "\x1b[2Jhello")


def pack(output: Path, **smoke: tuple[str, ...]) -> Path:
    """Pack the two applications, with smoke tests by the last part of an image's repository."""

    def tested(image: PlannedImage) -> PlannedImage:
        return replace(image, smoke=smoke.get(image.reference.repository, ()))

    write_bundle(make_plan(map(tested, TwoApplications().images)), output, SMALL)
    return output


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeEngine]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with FakeEngine() as running:
        monkeypatch.setenv("DOCKER_HOST", running.host)
        yield running


def test_an_engine(airbundle: Airbundle, engine: FakeEngine, tmp_path: Path) -> None:
    bundle = pack(tmp_path / "bundle", web=PASSES, ledger=("/bin/busybox", "echo", "hello"))
    said = airbundle("check", bundle, "--json", status=5)
    assert said.error["code"] == "not-listed"
    assert {image["status"] for image in said.document["images"]} == {"not listed"}
    airbundle("load", bundle)
    said = airbundle("check", bundle, "docker-daemon:", "--json")
    found = {image["reference"]: image for image in said.document["images"]}
    assert said.document["ok"]
    assert {image["status"] for image in found.values()} == {"ok"}
    assert [result["status"] for result in found[SHOP]["smoke"]] == ["passed"]
    assert found[SHOP_TOOLS]["smoke"] == []
    assert len(engine.containers.asked) == 2
    assert engine.containers.by_name == {}
    table = airbundle("check", bundle, "--no-smoke").out
    assert "3 of 3 images are as they should be" in table
    assert len(engine.containers.asked) == 2


def test_what_is_wrong_goes_before_what_is_missing(
    airbundle: Airbundle, engine: FakeEngine, tmp_path: Path
) -> None:
    bundle = pack(tmp_path / "bundle", web=PASSES)
    airbundle("load", bundle, "--image", SHOP_TOOLS)
    engine.store.names[SHOP] = engine.store.names[SHOP_TOOLS]
    said = airbundle("check", bundle, "--json", status=4)
    statuses = {image["reference"]: image["status"] for image in said.document["images"]}
    assert statuses == {SHOP: "differs", SHOP_TOOLS: "ok", ERP: "not listed"}
    assert said.error["code"] == "other-image"
    # What is not the bundle's image is not run.
    assert engine.containers.asked == []
    airbundle("check", bundle, "--app", "erp", status=5)
    airbundle("check", bundle, "--image", SHOP_TOOLS)


def test_a_failed_smoke_test_and_its_output(airbundle: Airbundle, engine: FakeEngine, tmp_path: Path) -> None:
    bundle = pack(tmp_path / "bundle", web=("/bin/busybox", "false"), ledger=("/bin/\x1b[2Jnonsense",))
    airbundle("load", bundle)
    said = airbundle("check", bundle, status=7)
    assert "it ended with status 1" in said.out
    assert "executable file not found" in said.out
    assert "\x1b" not in said.out + said.err
    said = airbundle("check", bundle, "--app", "shop", "--json", status=7)
    assert said.error["code"] == "smoke-failed"
    (result,) = next(image["smoke"] for image in said.document["images"] if image["reference"] == SHOP)
    assert (result["command"], result["exit_status"], result["status"]) == (["/bin/busybox", "false"], 1, "failed")


def test_an_engine_that_runs_nothing_says_nothing_of_images(
    airbundle: Airbundle, engine: FakeEngine, tmp_path: Path
) -> None:
    bundle = pack(tmp_path / "bundle", web=PASSES)
    airbundle("load", bundle)
    engine.containers.refuse_start = "no cgroups here"
    said = airbundle("check", bundle, "--json", status=11)
    statuses = {image["reference"]: image["status"] for image in said.document["images"]}
    assert statuses[SHOP] == "not checked"
    assert said.error["code"] == "refused"


def test_a_registry(airbundle: Airbundle, engine: FakeEngine, tmp_path: Path) -> None:
    bundle = pack(tmp_path / "bundle", web=PASSES)
    with FakeRegistry() as registry:
        target = f"{registry.address}/far"
        airbundle("check", bundle, target, "--plain-http", status=5)
        airbundle("push", bundle, target, "--plain-http")
        registry.log.clear()
        said = airbundle("check", bundle, f"docker://{target}", "--plain-http", "--json")
        assert [request.method for request in registry.log] == ["HEAD"] * 3
        (result,) = next(image["smoke"] for image in said.document["images"] if image["reference"] == SHOP)
        assert (result["status"], result["reason"]) == ("skipped", "a registry runs no containers")
        assert "1 smoke tests not run" in airbundle("check", bundle, target, "--plain-http").out
        registry.store.repo("far/web").tags["1"] = registry.store.repo("far/tools").tags["2"]
        registry.store.repo("far/web").manifests.update(registry.store.repo("far/tools").manifests)
        airbundle("check", bundle, target, "--plain-http", status=4)
    said = airbundle("check", bundle, target, "--plain-http", "--json", status=10)
    assert {image["status"] for image in said.document["images"]} == {"not checked"}
    assert said.error["exit_status"] == 10


def test_a_fault_with_one_image_hides_no_other(airbundle: Airbundle, tmp_path: Path) -> None:
    bundle = pack(tmp_path / "bundle")
    with FakeRegistry() as registry:
        target = f"{registry.address}/far"
        airbundle("push", bundle, target, "--plain-http")
        registry.store.repo("far/tools").tags.clear()
        registry.quirks.scripts["HEAD .*far/ledger"] = Script(500)
        registry.quirks.scripts["HEAD .*far/web"] = Script(500)
        said = airbundle("check", bundle, target, "--plain-http", "--json", status=5)
    statuses = {image["reference"]: image["status"] for image in said.document["images"]}
    assert statuses == {SHOP: "not checked", SHOP_TOOLS: "not listed", ERP: "not checked"}


def test_of_images_that_were_not_tried_it_is_said(airbundle: Airbundle, tmp_path: Path) -> None:
    bundle = pack(tmp_path / "bundle")
    said = airbundle("check", bundle, "127.0.0.1:1", "--plain-http", status=10)
    assert said.out.count("not tried, the destination was lost") == 2


def test_parts_that_are_not_here(airbundle: Airbundle, engine: FakeEngine, tmp_path: Path) -> None:
    bundle = pack(tmp_path / "bundle")
    airbundle("load", bundle)
    for part in bundle.glob("erp.oci.tar*"):
        part.unlink()
    said = airbundle("check", bundle, "--json", status=5)
    statuses = {image["reference"]: image["status"] for image in said.document["images"]}
    assert statuses == {SHOP: "ok", SHOP_TOOLS: "ok", ERP: "not checked"}
    assert said.error["code"] == "incomplete-bundle"


def test_two_applications_with_different_smoke_tests(
    airbundle: Airbundle, engine: FakeEngine, tmp_path: Path
) -> None:
    images = TwoApplications()
    twice = [
        replace(image, application=name, smoke=(*PASSES, name))
        for image in images.images[:1]
        for name in ("one", "two")
    ]
    write_bundle(make_plan(twice), tmp_path / "bundle", SMALL)
    airbundle("load", tmp_path / "bundle")
    airbundle("check", tmp_path / "bundle")
    assert [one["Entrypoint"][-1] for one in engine.containers.asked] == ["one", "two"]


@pytest.mark.parametrize("timeout", ["0", "-1", "100000"])
def test_times_that_are_none(airbundle: Airbundle, bundle: Path, timeout: str) -> None:
    airbundle("check", bundle, "--timeout", timeout, status=2)
