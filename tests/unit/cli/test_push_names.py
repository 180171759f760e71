"""push with names: rules of the command line and of the bundle, dry runs, mappings, tags that are there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bundler.bundle.reader import open_bundle
from bundler.model.reference import Reference
from tests.builders import ERP, SHOP, SHOP_TOOLS, layer
from tests.fakes.layouts import entry, layout_files, write_directory
from tests.fakes.memory import MemorySource
from tests.fakes.registry import FakeRegistry
from tests.unit.cli.conftest import Airbundle


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with FakeRegistry() as running:
        yield running


def tags(registry: FakeRegistry) -> set[str]:
    return {f"{name}:{tag}" for name, repo in registry.store.repos.items() for tag in repo.tags}


def test_rules_of_the_command_line(
    airbundle: Airbundle, bundle: Path, registry: FakeRegistry, tmp_path: Path
) -> None:
    table = tmp_path / "names.txt"
    table.write_text(f"{SHOP_TOOLS} {'tool'}:9\n")
    push = ["push", bundle, f"{registry.address}/far", "--plain-http", "--rename-table", table]
    push += ["--rename-regex", r"erp\.test/(.*)=books/\1", "--rename", "shop.test="]
    looked = airbundle(*push, "--dry-run", "--json").document
    assert tags(registry) == set()
    assert not [entry.method for entry in registry.log if entry.method not in ("GET", "HEAD")]
    assert [image["there"] for image in looked["images"]] == ["absent"] * 3
    done = airbundle(*push, "--json").document
    assert tags(registry) == {"far/books/ledger:1", "far/tool:9", "far/web:1"}
    assert done["bytes_sent"] == looked["bytes_to_send"]
    assert {image["pinned"].partition("@")[2] for image in done["images"]} == {
        one["digest"] for one in done["images"]
    }
    said = airbundle(*push, "--dry-run")
    assert said.out.count("equal") == 3
    assert "nothing was sent" in said.out


def test_rules_that_match_nothing_are_named(airbundle: Airbundle, bundle: Path) -> None:
    push = ["push", bundle, "far.test", "--dry-run", "--offline"]
    said = airbundle(*push, "--rename", "shop.tset=a", "--rename", "shop.test=b", "--rename-regex", "erp/(.*)=x")
    assert [line for line in said.err.splitlines() if "no image" in line] == [
        "airbundle: warning: no image of the bundle matches the rename rule erp/(.*)=x",
        "airbundle: warning: no image of the bundle matches the rename rule shop.tset=a",
    ]


def test_rules_of_the_bundle(airbundle: Airbundle, layout: Path, registry: FakeRegistry, tmp_path: Path) -> None:
    config, out = tmp_path / "pack.yaml", tmp_path / "out"
    text = f"applications: {{x: {{images: ['oci:{layout}:reg.test/x:1']}}}}\n"
    config.write_text(text)
    airbundle("pack", config, "-o", tmp_path / "plain", "-q")
    assert b"rename" not in (tmp_path / "plain" / "bundle.json").read_bytes()
    config.write_text(text + "rename: [{prefix: reg.test, to: named}]\n")
    airbundle("pack", config, "-o", out, "-q")
    assert json.loads((out / "bundle.json").read_bytes())["rename"] == [{"prefix": "reg.test", "to": "named"}]
    assert "reg.test = named" in airbundle("inspect", out).out
    assert airbundle("verify", out, "--json").document["ok"]
    # The same again is the same bundle; other rules are another one.
    airbundle("pack", config, "-o", out, "-q")
    config.write_text(text + "rename: [{prefix: reg.test, to: other}]\n")
    assert airbundle("pack", config, "-o", out, "--json", status=12 if os.name == "nt" else 2).error

    push = ["push", out, registry.address, "--plain-http"]
    assert "--no-rename" in airbundle(*push).err
    airbundle(*push, "--no-rename")
    airbundle(*push, "--rename", "reg.test=own")
    assert tags(registry) == {"named/x:1", "x:1", "own/x:1"}


def test_two_images_of_one_name_are_refused_before_anything_is_asked(
    airbundle: Airbundle, bundle: Path, registry: FakeRegistry
) -> None:
    said = airbundle("push", bundle, registry.address, "--plain-http", "--rename-regex", ".*=one:1", status=2)
    assert all(name in said.err for name in (SHOP, SHOP_TOOLS, ERP))
    said = airbundle("push", bundle, registry.address, "--plain-http", "--rename", "shop.test=BAD", status=2)
    assert registry.log == []


def test_a_tag_of_another_image_keeps_no_other_image_back(
    airbundle: Airbundle, bundle: Path, registry: FakeRegistry
) -> None:
    push = ["push", bundle, registry.address, "--plain-http"]
    airbundle(*push, "--image", SHOP, "--rename", "shop.test/web=tools")
    registry.store.repo("tools").tags["2"] = registry.store.repo("tools").tags.pop("1")
    before = dict(registry.store.repo("tools").tags)
    assert airbundle(*push, "--dry-run", "--json", status=7).error["code"] == "policy-refused"
    said = airbundle(*push, "--json", status=7)
    assert sorted(image["status"] for image in said.document["images"]) == ["failed", "pushed", "pushed"]
    assert registry.store.repo("tools").tags == before
    looked = airbundle(*push, "--dry-run", "--json", "--on-existing-tag", "overwrite").document["images"]
    assert [image["there"] for image in looked].count("other") == 1
    registry.log.clear()
    airbundle(*push, "--on-existing-tag", "overwrite")
    assert registry.store.repo("tools").tags != before
    # What is equal was not put again.
    assert [entry.path for entry in registry.log if entry.method == "PUT" and "manifests" in entry.path] == [
        "/v2/tools/manifests/2"
    ]


def test_mappings(airbundle: Airbundle, bundle: Path, registry: FakeRegistry, tmp_path: Path) -> None:
    push, file = ["push", bundle, registry.address, "--plain-http"], tmp_path / "map"
    offline = [*push, "--dry-run", "--offline", "--keep-registry-name"]
    said = airbundle(*offline, "--mapping", "-", "--mapping-format", "kustomize")
    names = {image["name"]: image["newName"] for image in yaml.safe_load(said.out)["images"]}
    assert names["shop.test/web"] == f"{registry.address}/shop.test/web"
    assert registry.log == []
    assert "?" in airbundle(*offline).out
    assert airbundle(*offline, "--json").document["images"][0]["bytes_to_send"] is None
    airbundle(*push, "--mapping", file)
    (first, *rest) = json.loads(file.read_bytes())["images"]
    assert len(rest) == 2
    repository = Reference.parse(first["target"]).repository
    assert registry.store.repo(repository).tags["1"] == first["digest"]
    airbundle(*push, "--mapping", "-", "--json", status=2)
    airbundle(*push, "--mapping", tmp_path, status=2)
    airbundle(*push, "--mapping", tmp_path / "no" / "map", status=2)
    airbundle(*push, "--mapping", file, "--mapping-format", "xml", status=2)
    airbundle(*push, "--offline", status=2)


def test_a_mapping_spares_the_tags_that_were_refused_or_not_chosen(
    airbundle: Airbundle, registry: FakeRegistry, tmp_path: Path
) -> None:
    source, out, file = MemorySource(), tmp_path / "out", tmp_path / "map"
    images = [source.make_image([layer(tag, 2000)], f"reg.test/x:{tag}") for tag in "12"]
    files = layout_files(source, [entry(image, str(image.reference)) for image in images])
    airbundle("pack", f"x=oci:{write_directory(tmp_path / 'tags', files)}", "-o", out, "-q")
    push = ["push", out, registry.address, "--plain-http", "--mapping", file, "--mapping-format", "kustomize"]
    # A deployment of tag 2 must not become one of tag 1.
    airbundle(*push, "--image", "reg.test/x:1")
    assert yaml.safe_load(file.read_bytes()) == {"images": []}
    assert "reg.test/x:2 is not" in file.read_text()
    registry.store.repo("x").tags["2"] = registry.store.repo("x").tags["1"]
    for more in ((), ("--dry-run",)):
        airbundle(*push, *more, status=7)
        assert yaml.safe_load(file.read_bytes()) == {"images": []}
    airbundle(*push, "--on-existing-tag", "overwrite")
    assert yaml.safe_load(file.read_bytes()) == {
        "images": [{"name": "reg.test/x", "newName": f"{registry.address}/x"}]
    }


def test_an_image_without_a_tag(
    airbundle: Airbundle, bundle: Path, layout: Path, registry: FakeRegistry, tmp_path: Path
) -> None:
    digest = open_bundle(bundle).manifest.applications[1].images[0].descriptor.digest
    airbundle("push", bundle, registry.address, "--plain-http", "--app", "shop", "-q")
    name = f"{registry.address}/tools@{digest}"
    airbundle("pack", f"x=docker://{name}", "--plain-http", "-o", tmp_path / "pinned", "-q")
    push = ["push", tmp_path / "pinned", f"{registry.address}/far", "--plain-http"]
    said = airbundle(*push)
    assert "--tag-untagged" in said.err
    assert registry.store.repo("far/tools").tags == {}
    assert digest in registry.store.repo("far/tools").manifests
    assert "--tag-untagged" not in airbundle(*push, "--tag-untagged", "sha256-{short}").err
    assert registry.store.repo("far/tools").tags == {f"sha256-{digest[7:19]}": digest}
    airbundle(*push, "--tag-untagged", "fixed", status=2)
