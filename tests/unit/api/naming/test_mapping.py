"""The mapping in each form, and that the kustomize block does what it says."""

from __future__ import annotations

import json

import pytest
import yaml

from bundler.api.naming.mapping import FORMS, Mapped, checked_form, mapping_of, mapping_text
from bundler.content.images import PutResult, Status
from bundler.discover.kubernetes.patches import apply_images
from bundler.errors import UsageError
from bundler.model.digest import Digest
from bundler.model.reference import Reference

ONE, TWO = (Digest.from_hex(digit * 64) for digit in "12")


def mapped(old: str, new: str, digest: Digest = ONE) -> Mapped:
    return Mapped(Reference.parse(old), Reference.parse(new), digest)


NGINX = mapped("nginx:1.10", "far.test:5000/base/nginx:1.10")
PINNED = mapped(f"reg.test/a@{TWO}", f"far.test:5000/a@{TWO}", TWO)


def test_only_what_is_there_or_would_be_is_mapped() -> None:
    def result(status: Status, name: str) -> PutResult:
        return PutResult(reference=f"reg.test/{name}:1", target=f"far.test/{name}:1", digest=ONE, status=status)

    results = [result("pushed", "b"), result("skipped", "a"), result("planned", "c"), result("refused", "d")]
    assert [one.pinned for one in mapping_of(results)] == [f"far.test/{name}@{ONE}" for name in "abc"]


def test_json_and_table() -> None:
    assert json.loads(mapping_text([NGINX], "json"))["images"] == [
        {
            "reference": "docker.io/library/nginx:1.10",
            "target": "far.test:5000/base/nginx:1.10",
            "digest": ONE,
            "pinned": f"far.test:5000/base/nginx@{ONE}",
        }
    ]
    lines = mapping_text([NGINX, PINNED], "table").splitlines()
    assert lines[1].split("\t") == ["docker.io/library/nginx:1.10", "far.test:5000/base/nginx:1.10", ONE]
    assert lines[2].split("\t") == [f"reg.test/a@{TWO}", f"far.test:5000/a@{TWO}", TWO]


def applied(mapping: list[Mapped], image: str) -> str:
    images = yaml.safe_load(mapping_text(mapping, "kustomize"))["images"]
    changed = apply_images({"kind": "Pod", "spec": {"containers": [{"image": image}]}}, images)
    assert isinstance(changed, dict)
    return str(changed["spec"]["containers"][0]["image"])


@pytest.mark.parametrize("spelling", ["nginx", "docker.io/nginx", "docker.io/library/nginx"])
def test_kustomize_finds_each_spelling(spelling: str) -> None:
    for written in (spelling, f"{spelling}:1.10", f"{spelling}@{ONE}"):
        assert applied([NGINX], written) == f"far.test:5000/base/nginx:1.10@{ONE}"
    assert applied([NGINX], f"other/{spelling}") == f"other/{spelling}"


def test_kustomize_keeps_tags_where_there_are_several() -> None:
    tags = [mapped(f"a/b:{tag}", f"far.test/a/b:{tag}", digest) for tag, digest in (("1", ONE), ("2", TWO))]
    assert applied(tags, "a/b:2") == "far.test/a/b:2"
    for one in (mapped("a/b:3", "far.test/c:3"), mapped("a/b:3", "far.test/a/b:other")):
        text = mapping_text([*tags, one], "kustomize")
        assert yaml.safe_load(text) == {"images": []}
        assert "#   a/b:3 -> far.test/" in text


def test_kustomize_changes_no_tag_that_is_not_mapped() -> None:
    """One that was refused must not become the one that was pushed."""
    pushed, refused = mapped("a/b:1", "far.test/a/b:1"), Reference.parse("a/b:2")
    text = mapping_text([NGINX, pushed], "kustomize", [refused])
    assert {entry["newName"] for entry in yaml.safe_load(text)["images"]} == {"far.test:5000/base/nginx"}
    assert "#   a/b:1 -> far.test/a/b:1\n#   a/b:2 is not\n" in text
    assert yaml.safe_load(mapping_text([pushed], "kustomize", [refused])) == {"images": []}


def test_kustomize_renames_nothing_twice() -> None:
    """It goes through its entries one after another: what one of them wrote is found by a later one."""
    chain = [mapped("far.test/a:1", "far.test/b:1"), mapped("far.test/b:1", "far.test/c:1")]
    assert applied(chain, "far.test/a:1") == f"far.test/b:1@{ONE}"
    assert applied(chain, "far.test/b:1") == f"far.test/c:1@{ONE}"
    same = [*chain, mapped("far.test/c:1", "far.test/c:1")]
    assert applied(same, "far.test/c:1") == f"far.test/c:1@{ONE}"
    swapped = [NGINX, mapped("far.test/a:1", "far.test/b:1"), mapped("far.test/b:1", "far.test/a:1")]
    assert applied(swapped, "far.test/a:1") == "far.test/a:1"
    text = mapping_text(swapped, "kustomize")
    assert "# far.test/a -> far.test/b: another entry would rename that in its turn" in text
    assert len(yaml.safe_load(text)["images"]) == 3


def test_kustomize_of_digests() -> None:
    assert applied([PINNED], f"reg.test/a@{TWO}") == f"far.test:5000/a@{TWO}"
    tagged = mapped(f"reg.test/a@{TWO}", "far.test:5000/a:t", TWO)
    assert applied([tagged], f"reg.test/a@{TWO}") == f"far.test:5000/a:t@{TWO}"


def test_helm() -> None:
    plain = [
        mapped("nginx:1.10", "far.test/mirror/library/nginx:1.10"),
        mapped("reg.test/a:1", "far.test/mirror/a:1"),
    ]
    text = mapping_text(plain, "helm")
    assert yaml.safe_load(text) == {"global": {"imageRegistry": "far.test/mirror"}}
    assert '#     tag: "1.10"' in text
    for other in (mapped("reg.test/b:1", "far.test/x/b:1"), mapped("reg.test/b:1", "far.test/mirror/b:2")):
        assert yaml.safe_load(mapping_text([*plain, other], "helm")) is None
    assert yaml.safe_load(mapping_text([], "helm")) is None
    text = mapping_text(plain, "helm", [Reference.parse(f"reg.test/x:{number}") for number in range(6)])
    assert "not mapped: reg.test/x:0, reg.test/x:1, reg.test/x:2, reg.test/x:3 and 2 more\n" in text


def test_forms() -> None:
    assert [checked_form(form) for form in FORMS] == list(FORMS)
    assert all(mapping_text([], form).endswith("\n") for form in FORMS)
    with pytest.raises(UsageError, match="json, table, kustomize, helm"):
        checked_form("yaml")
