"""Each command: what it prints for people, its JSON document, and its exit status."""

from __future__ import annotations

import base64
import gc
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.reader import open_bundle
from bundler.cli import catalogue
from bundler.content.images import OutgoingImage
from bundler.errors import NoSpace, Unreachable
from bundler.packing.planning.config import config_schema
from tests.builders import (
    ERP,
    KIB,
    SHOP,
    SHOP_TOOLS,
    SMALL,
    contents_of,
    flip,
    layer,
    pack_images,
    rewrite,
)  # fmt: skip
from tests.fakes.engine import FakeEngine
from tests.fakes.memory import MemorySource
from tests.fakes.products.harbor import Harbor
from tests.fakes.registry import FakeRegistry
from tests.unit.cli.conftest import Airbundle

X, Y = "reg.test/x:1", "reg.test/y:1"


def wanted(layout: Path) -> list[str]:
    return [f"one=oci:{layout}:{X}", f"two=oci:{layout}:{X}", f"two=oci:{layout}:{Y}"]


class TestPack:
    def test_it(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        options = ["--part-size", "64KiB", "--name", "plant7", "--bundle-version", "2026.11.1"]
        said = airbundle("pack", *wanted(layout), "-o", tmp_path / "out", *options)
        assert "bundle   plant7 2026.11.1" in said.out
        manifest = open_bundle(tmp_path / "out").manifest
        assert str(manifest.id) in said.out
        assert (manifest.name, manifest.version, manifest.part_bytes) == ("plant7", "2026.11.1", 65536)
        assert [len(application.images) for application in manifest.applications] == [1, 2]
        assert said.err.startswith("airbundle: pack: ")

    def test_json(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        said = airbundle("pack", *wanted(layout), "-o", tmp_path / "out", "--json")
        document = said.document
        assert document.keys() == {
            "directory", "id", "name", "version", "size", "shared_size", "applications", "parts", "bytes_kept",
            "bytes_written", "bytes_reused",
        }  # fmt: skip
        manifest = open_bundle(tmp_path / "out").manifest
        assert document["id"] == manifest.id
        assert document["directory"] == str(tmp_path / "out")
        assert document["size"] == sum(part["size"] for part in document["parts"])
        image = document["applications"][0]["images"][0]
        assert image.keys() == {
            "reference", "source", "digest", "media_type", "digest_preserved", "platforms", "image_ids",
            "left_out", "size", "shared_size", "referrers",
        }  # fmt: skip

    def test_config(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        config = tmp_path / "bundle.yaml"
        config.write_text(
            f"name: plant\nversion: v\npart_size: 65536\napplications: {{one: {{images: ['oci:{layout}:{X}']}}}}"
        )
        airbundle("pack", config, "-o", tmp_path / "a", "-q")
        one = open_bundle(tmp_path / "a").manifest
        assert (one.name, one.version, one.part_bytes) == ("plant", "v", 65536)
        # The command line goes before the file, and adds to it.
        airbundle("pack", config, f"one=oci:{layout}:{Y}", "-o", tmp_path / "b", "-q", "--name", "other",
                  "--part-size", "none")  # fmt: skip
        two = open_bundle(tmp_path / "b").manifest
        assert (two.name, two.version, two.part_bytes) == ("other", "v", 0)
        assert [image.reference for image in two.applications[0].images] == [X, Y]

    @pytest.mark.parametrize("size", ["0", '"0"', "-1", '"x"', '""'])
    def test_a_part_size_of_nothing_in_a_config(
        self, airbundle: Airbundle, layout: Path, tmp_path: Path, size: str
    ) -> None:
        config = tmp_path / "bundle.yaml"
        config.write_text(f"part_size: {size}\napplications: {{one: {{images: ['oci:{layout}:{X}']}}}}")
        airbundle("pack", config, "-o", tmp_path / "a", status=2)

    def test_again_and_over_something_else(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        airbundle("pack", *wanted(layout), "-o", tmp_path / "out", "-q")
        before = contents_of(tmp_path / "out")
        said = airbundle("pack", *wanted(layout), "-o", tmp_path / "out")
        assert "holds this bundle already" in said.err
        assert contents_of(tmp_path / "out") == before
        said = airbundle("pack", *wanted(layout), "--bundle-version", "9", "-o", tmp_path / "out", status=2)
        assert "already holds another bundle" in said.err
        assert "next:" in said.err
        assert contents_of(tmp_path / "out") == before

    def test_into_an_empty_directory(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        airbundle("pack", *wanted(layout), "-o", tmp_path / "out", "-q")

    def test_dry_run(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        dry = airbundle("pack", *wanted(layout), "-o", tmp_path / "out", "--dry-run", "--json").document
        plan = airbundle("plan", *wanted(layout), "-o", tmp_path / "out", "--json").document
        free = plan.pop("free_bytes"), dry.pop("free_bytes")
        assert all(free)
        assert dry == plan
        assert not (tmp_path / "out").exists()

    def test_reuse_and_cache(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        old, cache = tmp_path / "old", tmp_path / "cache"
        first = airbundle("pack", *wanted(layout), "-o", old, "--json", "--cache", cache).document
        assert first["bytes_reused"] == 0
        layers = [blob.size for blob in open_bundle(old).manifest.blobs if blob.diff_id]
        for number, named in enumerate((["--reuse", old], ["--cache", cache, "--cache-size", "1GiB"])):
            plan = airbundle("plan", *wanted(layout), *named[:2], "--json").document
            assert plan["reuse"] == {"contents": len(layers), "bytes": sum(layers)}
            output = tmp_path / str(number)
            dry = airbundle("pack", *wanted(layout), "-o", output, *named, "--json", "--dry-run").document
            assert dry["reuse"] == plan["reuse"]
            said = airbundle("pack", *wanted(layout), "-o", output, *named, "--json").document
            assert said["bytes_reused"] == sum(layers)
            assert contents_of(output) == contents_of(old)
            assert f"reused   {len(layers)} contents" in airbundle("plan", *wanted(layout), *named[:2]).out

    def test_reuse_of_nothing(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        command = ("pack", *wanted(layout), "-o", tmp_path / "out")
        airbundle(*command, "--reuse", tmp_path / "none", status=2)
        airbundle(*command, "--reuse", layout, status=6)
        assert "--cache DIR" in airbundle(*command, "--cache-size", "1GB", status=2).err
        airbundle(*command, "--cache", tmp_path / "cache", "--cache-size", "1G", status=2)
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / "cache").exists()


class TestPlan:
    def test_it(self, airbundle: Airbundle, layout: Path) -> None:
        said = airbundle("plan", *wanted(layout))
        assert "x:1" in said.out
        assert "OCI layout" in said.out
        assert "stored once" in said.out

    def test_json(self, airbundle: Airbundle, layout: Path) -> None:
        document = airbundle("plan", *wanted(layout), "--json", "--part-size", "64KiB").document
        assert document.keys() == {
            "name", "version", "applications", "shared_contents", "known_bytes", "unpacked_bytes",
            "layers_to_compress", "part_bytes", "free_bytes", "notes", "referrers",
        }  # fmt: skip
        assert document["name"] == "one-two"
        assert document["free_bytes"] is None
        assert document["layers_to_compress"] == 0
        # All four contents of X: it is in both applications, and Y shares its base.
        assert document["shared_contents"] == 4

    def test_sizes_are_never_invented(self, airbundle: Airbundle) -> None:
        samples = Path(__file__).parents[3] / "samples" / "images"
        said = airbundle("plan", f"shop=docker-archive:{samples / 'shop.tar'}")
        assert "unknown until packed" in said.out
        document = airbundle("plan", f"shop=docker-archive:{samples / 'shop.tar'}", "--json").document
        assert all(image["size"] is None for image in document["applications"][0]["images"])
        assert document["layers_to_compress"] > 0

    def test_too_little_room(
        self, airbundle: Airbundle, layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bundler.cli.plan_view.free_bytes", lambda path: 1000)
        assert "not enough" in airbundle("plan", *wanted(layout), "-o", tmp_path / "out").out


class TestInspect:
    def test_it(self, airbundle: Airbundle, bundle: Path) -> None:
        for path in bundle.glob("*.oci.tar*"):
            path.unlink()  # it reads no part
        said = airbundle("inspect", bundle)
        for name in (ERP, SHOP, SHOP_TOOLS):
            assert name in said.out
        assert said.err == ""
        assert "3 images" in said.out
        assert "missing  8 of 8 parts: shared.oci.tar.001, " in said.out

    def test_what_has_not_arrived(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        assert "waiting" not in airbundle("inspect", bundle).out
        document = airbundle("inspect", bundle, "--json").document
        assert (document["unfinished"], document["missing_parts"], document["waiting"]) == (False, [], [])
        stick = shutil.copytree(bundle, tmp_path / "stick")
        (stick / "bundle.json").rename(stick / "bundle.json.partial")
        (stick / "erp.oci.tar.001").rename(stick / "erp.oci.tar.001.partial")
        (stick / "erp.oci.tar.002").unlink()
        said = airbundle("inspect", stick)
        assert "state    unfinished copy" in said.out
        assert "missing  2 of 8 parts: erp.oci.tar.001, erp.oci.tar.002" in said.out
        assert f"waiting  {ERP}  for erp.oci.tar.002" in said.out
        assert said.err == ""
        document = airbundle("inspect", stick, "--json").document
        assert document["unfinished"]
        assert document["missing_parts"] == ["erp.oci.tar.001", "erp.oci.tar.002"]
        assert document["waiting"] == [{"reference": ERP, "status": "waiting", "waiting_for": ["erp.oci.tar.002"]}]
        document = airbundle("inspect", stick, bundle, "--json").document
        assert (document["unfinished"], document["missing_parts"], document["waiting"]) == (True, [], [])

    def test_json(self, airbundle: Airbundle, bundle: Path) -> None:
        document = airbundle("inspect", bundle, "--json").document
        assert document["id"] == open_bundle(bundle).manifest.id
        assert [application["name"] for application in document["applications"]] == ["erp", "shop"]
        assert document["shared_size"] > 0

    def test_it_tells_a_damaged_table(self, airbundle: Airbundle, bundle: Path) -> None:
        flip(bundle / "bundle.json", 0)
        said = airbundle("inspect", bundle)
        assert "warning: bundle.json" in said.err
        assert airbundle("inspect", bundle, "-q").err == ""

    def test_names_from_outside_cannot_speak_for_the_command(self, airbundle: Airbundle, bundle: Path) -> None:
        """Control characters and line ends of a made-up bundle are shown, not obeyed."""
        evil = "x\n\x1b[2Jbundle   good 1\r\u2028\x9b1m\u202e"

        def change(table: dict[str, Any]) -> None:
            table.update(name=evil, version=evil)
            table["applications"][0]["images"][0]["platforms"] = [evil]

        honest = airbundle("inspect", bundle).out.count("\n")
        rewrite(bundle, change)
        said = airbundle("inspect", bundle)
        assert said.out.count("\n") == honest
        assert not set("\x1b\r\u2028\x9b\u202e") & set(said.out)
        assert "\\x1b[2J" in said.out
        assert airbundle("inspect", bundle, "--json").document["name"] == evil


class TestVerify:
    @pytest.mark.parametrize("level", ["quick", "full", "deep"])
    def test_intact(self, airbundle: Airbundle, bundle: Path, level: str) -> None:
        said = airbundle("verify", bundle, "--level", level)
        assert said.out.startswith("intact   sha256:")
        document = airbundle("verify", bundle, "--level", level, "--json").document
        assert document == {
            "ok": True, "id": open_bundle(bundle).manifest.id, "level": level, "findings": [], "strangers": [],
        }  # fmt: skip

    def test_a_flipped_byte(self, airbundle: Airbundle, bundle: Path) -> None:
        flip(bundle / "shop.oci.tar.002", 7)
        said = airbundle("verify", bundle, status=4)
        assert "shop.oci.tar.002: damaged block at byte 0, 64.0 KiB  (check 4)" in said.out
        assert f"hits {SHOP}" in said.out
        assert "error: the bundle is damaged: shop.oci.tar.002" in said.err
        said = airbundle("verify", bundle, "--json", status=4)
        assert said.error["code"] == "damaged-bundle"
        (finding,) = said.document["findings"]
        assert finding.keys() == {
            "check", "code", "file", "offset", "length", "expected", "found", "blobs", "applications", "images",
            "mendable", "directory",
        }  # fmt: skip
        assert (finding["check"], finding["file"], finding["mendable"]) == (4, "shop.oci.tar.002", False)

    def test_each_verdict(self, airbundle: Airbundle, bundle: Path) -> None:
        (bundle / "SHA256SUMS").unlink()
        assert "mend it" in airbundle("verify", bundle, status=3).err
        (bundle / "erp.oci.tar.002").unlink()
        assert "incomplete" in airbundle("verify", bundle, status=5).err
        (bundle / "erp.oci.tar.003").write_bytes(b"x")
        assert "Copy the named parts again" in airbundle("verify", bundle, "--quiet", status=4).err
        airbundle("verify", bundle / "absent", status=2)
        airbundle("verify", bundle.parent, status=6)
        (bundle / "erp.oci.tar.003").unlink()
        (bundle / "bundle.json").rename(bundle / "bundle.json.partial")
        said = airbundle("verify", bundle, status=5)
        assert "bundle.json: unfinished  (check 3)" in said.out
        (bundle / "bundle.json.partial").write_bytes(b"")
        assert "holds an unfinished copy" in airbundle("verify", bundle, status=5).err

    def test_two_sticks(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        stick = shutil.copytree(bundle, tmp_path / "stick")
        (bundle / "erp.oci.tar.001").unlink()
        (stick / "shared.oci.tar.001").unlink()
        assert airbundle("verify", bundle, stick).out.startswith("intact")
        flip(stick / "erp.oci.tar.002", 5)
        said = airbundle("verify", bundle, stick, status=3)
        assert f"{stick}/erp.oci.tar.002: damaged block at byte 0" in said.out
        assert "what is needed to mend it is here" in said.out
        (finding,) = airbundle("verify", bundle, stick, "--json", status=3).document["findings"]
        assert (finding["directory"], finding["mendable"]) == (str(stick), True)

    def test_many_findings_in_one_file_are_not_all_listed(self, airbundle: Airbundle, tmp_path: Path) -> None:
        source, options = MemorySource(), replace(SMALL, part_bytes=0)
        pack_images(tmp_path, source, {"web": [source.make_image([layer("a", 500 * KIB)], X)]}, options)
        for block in range(8):
            flip(tmp_path / "web.oci.tar", block * 64 * KIB)
        said = airbundle("verify", tmp_path, "--level", "quick", status=4)
        assert said.out.count("damaged block at") == 5
        assert "and 3 more in this file; --json lists all" in said.out

    def test_a_level_that_is_none(self, airbundle: Airbundle, bundle: Path) -> None:
        assert "quick, full, deep" in airbundle("verify", bundle, "--level", "total", status=2).err


class TestExtract:
    def test_it(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        said = airbundle("extract", bundle, tmp_path / "out", "--app", "shop")
        assert "2 images done, 0 failed" in said.out
        assert (tmp_path / "out" / "index.json").exists()
        again = airbundle("extract", bundle, tmp_path / "out", "--app", "shop")
        assert again.out.count("skipped") == 2

    def test_json(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        document = airbundle("extract", bundle, tmp_path / "out", "--image", ERP, "--json").document
        assert document.keys() == {"images", "bytes_sent", "bytes_skipped"}
        (image,) = document["images"]
        assert image["reference"] == ERP
        assert image["status"] == "extracted"
        assert {"target", "digest", "bytes_sent", "notes"} <= image.keys()
        assert document["bytes_sent"] == image["bytes_sent"] > 0

    def test_an_image_that_fails(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        flip(bundle / "erp.oci.tar.001", 5)
        said = airbundle("extract", bundle, tmp_path / "out", status=4)
        assert "2 images done, 1 failed" in said.out
        assert f"failed     {ERP}" in said.out
        assert "erp.oci.tar.001" in said.err
        said = airbundle("extract", bundle, tmp_path / "more", "--json", status=4)
        failed = said.document["images"][-1]
        assert (failed["reference"], failed["status"]) == (ERP, "failed")
        assert failed["error"] == said.error
        assert said.error["code"] == "damaged-bundle"

    def test_an_image_that_waits(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        (bundle / "erp.oci.tar.001").unlink()
        said = airbundle("extract", bundle, tmp_path / "out", status=5)
        assert "2 images done, 0 failed, 1 waiting" in said.out
        assert f"waiting    {ERP}  for erp.oci.tar.001" in said.out
        assert "1 image waits for parts that are not here: erp.oci.tar.001" in said.err
        said = airbundle("extract", bundle, tmp_path / "more", "--json", status=5)
        assert said.document["images"][-1] == {
            "reference": ERP, "status": "waiting", "waiting_for": ["erp.oci.tar.001"],
        }  # fmt: skip
        assert said.error["code"] == "incomplete-bundle"
        # Damage weighs more, and what waits is listed all the same.
        flip(bundle / "shop.oci.tar.001", 5)
        said = airbundle("extract", bundle, tmp_path / "less", "--json", status=4)
        assert {image["status"] for image in said.document["images"]} >= {"failed", "waiting"}
        assert said.error["code"] == "damaged-bundle"

    def test_several_sticks_and_a_destination(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        stick = shutil.copytree(bundle, tmp_path / "stick")
        (bundle / "erp.oci.tar.001").unlink()
        flip(stick / "erp.oci.tar.002", 5)
        assert "3 images done, 0 failed;" in airbundle("extract", bundle, stick, tmp_path / "out").out

    def test_what_is_not_in_the_bundle(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        said = airbundle("extract", bundle, tmp_path / "out", "--app", "web", status=2)
        assert "It has: erp, shop." in said.err
        assert not (tmp_path / "out").exists()


class TestPushAndLoad:
    # The SDK leaves the socket of a connection that it could not make to the garbage collector.
    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    def test_destinations_that_do_not_answer(
        self, airbundle: Airbundle, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'no.sock'}")
        assert airbundle("load", bundle, "--json", status=10).error["code"] == "unreachable"
        gc.collect()
        # Nothing listens there: the port was free a moment ago, and 1 is never given out.
        said = airbundle("push", bundle, "127.0.0.1:1", "--plain-http", "--json", status=10)
        assert [image["status"] for image in said.document["images"]] == ["failed"] * 3

    def test_two_sticks_to_a_registry_and_an_engine(
        self, airbundle: Airbundle, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        stick = shutil.copytree(bundle, tmp_path / "stick")
        (bundle / "erp.oci.tar.001").unlink()
        (stick / "shared.oci.tar.001").unlink()
        with FakeRegistry() as registry, FakeEngine() as engine:
            monkeypatch.setenv("DOCKER_HOST", engine.host)
            to = f"{registry.address}/far"
            said = airbundle("push", bundle, to, "--plain-http", "--json", status=5)
            assert [image["status"] for image in said.document["images"]].count("waiting") == 1
            said = airbundle("push", "--json", bundle, stick, to, "--plain-http")
            assert sorted(image["status"] for image in said.document["images"]) == ["pushed", "skipped", "skipped"]
            said = airbundle("load", stick, "--json", status=5)
            assert {"loaded", "waiting"} == {image["status"] for image in said.document["images"]}
            said = airbundle("load", stick, bundle, "--json")
            assert {"loaded", "skipped"} == {image["status"] for image in said.document["images"]}

    def test_projects_of_harbor(
        self, airbundle: Airbundle, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        harbor = Harbor()
        harbor.admins = {"ci"}
        with FakeRegistry(product=harbor) as registry:
            entry = {"auth": base64.b64encode(b"ci:secret").decode()}
            (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.address: entry}}))
            to = f"{registry.address}/plant"
            said = airbundle("push", bundle, to, "--plain-http", status=11)
            assert "there is no project plant" in said.err
            assert "--create-projects" in said.err
            said = airbundle("push", bundle, to, "--plain-http", "--create-projects", "--json")
            notes = [note for image in said.document["images"] for note in image["notes"]]
            assert notes == ["the project plant was not there and was created, as a private one"]

    @pytest.mark.parametrize(("host", "status"), [("ssh://far", 2), ("nonsense", 2)])
    def test_no_engine_by_its_address(
        self, airbundle: Airbundle, bundle: Path, monkeypatch: pytest.MonkeyPatch, host: str, status: int
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", host)
        assert airbundle("load", bundle, "--json", status=status).error["code"] == "config"

    def test_policies_and_jobs(self, airbundle: Airbundle, bundle: Path) -> None:
        for command in (["load", bundle], ["push", bundle, "127.0.0.1:1"]):
            assert "overwrite, skip, error" in airbundle(*command, "--on-existing-tag", "x", status=2).err
        airbundle("push", bundle, "127.0.0.1:1", "--jobs", "0", status=2)
        airbundle("push", bundle, "not a registry", "--plain-http", status=2)


def test_schema(airbundle: Airbundle) -> None:
    assert airbundle("schema").document == json.loads(json.dumps(config_schema()))


def test_version(airbundle: Airbundle) -> None:
    assert airbundle("--version").out.startswith("airbundle 0.")


def test_help_lists_the_commands_in_groups(airbundle: Airbundle) -> None:
    out = airbundle("--help").out
    places = [out.index(group) for group in ("Near side", "Carrying", "Far side", "Tools")]
    assert places == sorted(places)
    for name in ("plan", "pack", "inspect", "verify", "load", "push", "extract", "schema"):
        assert f" {name} " in out
    assert airbundle("-h").out == out


@pytest.mark.parametrize("command", catalogue.NAMES)
def test_help_of_each_command(airbundle: Airbundle, command: str) -> None:
    said = airbundle(command, "--help")
    assert command in said.out
    assert said.err == ""
    # What stands in square brackets must not be taken for markup and vanish.
    if command in ("pack", "plan"):
        assert "TRANSPORT:NAME" in said.out


@pytest.mark.parametrize("flag", ["--quiet", "-q"])
def test_quiet_prints_nothing(airbundle: Airbundle, layout: Path, tmp_path: Path, flag: str) -> None:
    out = tmp_path / "out"
    for command in (
        ["plan", *wanted(layout)],
        ["pack", *wanted(layout), "-o", out],
        ["inspect", out],
        ["verify", out],
        ["extract", out, tmp_path / "layout2"],
    ):
        said = airbundle(*command, flag)
        assert (said.out, said.err) == ("", "")
    flip(out / "shared.oci.tar", 600)
    said = airbundle("verify", out, flag, status=4)
    assert said.out == ""


@pytest.mark.parametrize("flag", ["--quiet", "-q"])
def test_quiet_and_json_is_the_document_only(airbundle: Airbundle, bundle: Path, flag: str) -> None:
    said = airbundle("verify", bundle, flag, "--json")
    assert said.document["ok"]
    assert said.err == ""


def test_progress_never_goes_to_stdout(airbundle: Airbundle, bundle: Path) -> None:
    said = airbundle("verify", bundle, "--json")
    assert said.document["ok"]
    assert said.err == "", "a program that asked for JSON finds nothing on stderr but an error"
    said = airbundle("verify", bundle, "--json", "--verbose")
    assert said.document["ok"]
    assert said.err.startswith("airbundle: verify: ")


def test_a_library_error_of_a_lost_destination(
    airbundle: Airbundle, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise Unreachable("the cable is out")

    monkeypatch.setattr("bundler.destinations.oci_layout.OciLayoutDestination.put", lost)
    said = airbundle("extract", bundle, tmp_path / "out", status=10)
    # It is said once, and every image is listed.
    assert said.err.count("the cable is out") == 1
    assert said.out.count("failed  ") == 1
    assert said.out.count("not tried  ") == 2
    said = airbundle("extract", bundle, tmp_path / "out", "--json", status=10)
    assert [image["status"] for image in said.document["images"]] == ["failed"] * 3
    assert said.error["message"] == "the cable is out"


def test_the_same_cause_is_said_once(
    airbundle: Airbundle, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object, image: OutgoingImage, *__: object) -> None:
        raise NoSpace(f"{image.reference}: the disk is full")

    monkeypatch.setattr("bundler.destinations.oci_layout.OciLayoutDestination.put", refuse)
    said = airbundle("extract", bundle, tmp_path / "out", status=12)
    assert said.err.count("the disk is full") == 1
    assert said.out.count("failed  ") == 3
