"""Referrers in a bundle: what its table must say of them, and what a check finds."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.images import RegistryForm
from bundler.errors import AirbundleError, OutputExists
from tests.builders import layer, pack_images, rewrite, table_of
from tests.compat import second_reader
from tests.fakes.memory import MemorySource


class Packed:
    """One image with a signature, an SBOM and what signs that, in a bundle."""

    def __init__(self, directory: Path, *, others: int = 0) -> None:
        self.directory, self.source = directory, MemorySource("registry")
        self.plain = self.source.make_image([layer("a", 500)], "x/one:1")
        self.signature = self.source.make_signature(self.plain.tree.root)
        self.sbom = self.source.make_referrer(b"sbom", self.plain.tree.root)
        self.deeper = self.source.make_referrer(b"signed", self.sbom.tree.root)
        self.image = self.source.refer(self.plain, self.signature, self.sbom, self.deeper)
        self.others = [self.source.make_image([layer(f"{n}", 50)], f"x/other{n}:1") for n in range(others)]
        pack_images(directory, self.source, {"web": [self.image, *self.others]})

    @property
    def row(self) -> dict[str, Any]:
        found: dict[str, Any] = table_of(self.directory)["applications"][0]["images"][0]
        return found

    def index(self) -> list[dict[str, Any]]:
        with tarfile.open(self.directory / "web.oci.tar") as tar:
            member = tar.extractfile("index.json")
            assert member is not None
            found: list[dict[str, Any]] = json.load(member)["manifests"]
        return found


def test_the_table_lists_them_and_both_readers_agree(tmp_path: Path) -> None:
    packed = Packed(tmp_path)
    rows = packed.row["referrers"]
    assert [row["descriptor"]["digest"] for row in rows] == [
        packed.signature.digest,
        packed.sbom.digest,
        packed.deeper.digest,
    ]
    assert [row.get("tag") for row in rows] == [packed.signature.tag, None, None]
    assert {*packed.row["blobs"]} == packed.image.digests
    assert packed.row["blobs"][0] == packed.image.tree.root.digest
    assert verify_bundle(open_bundle(tmp_path), "deep").ok
    assert second_reader.Bundle(tmp_path).verify() == []
    assert second_reader.Bundle(tmp_path).closure(packed.row) == packed.row["blobs"]


def test_a_bundle_without_any_has_no_such_key(tmp_path: Path) -> None:
    source = MemorySource()
    pack_images(tmp_path, source, {"web": [source.make_image([layer("a", 500)], "x/one:1")]})
    assert b"referrers" not in (tmp_path / "bundle.json").read_bytes()


def test_beside_other_images_the_archive_lists_them_by_their_subject(tmp_path: Path) -> None:
    packed = Packed(tmp_path, others=1)
    entries = [entry for entry in packed.index() if "io.containerd.image.name" not in entry["annotations"]]
    assert [entry["annotations"] for entry in entries] == [
        {
            "io.containerd.manifest.subject": packed.plain.tree.root.digest,
            "vnd.airbundle.referrer.tag": packed.signature.tag,
        },
        {"io.containerd.manifest.subject": packed.plain.tree.root.digest},
        {"io.containerd.manifest.subject": packed.sbom.digest},
    ]


def test_beside_a_single_image_it_lists_none_so_that_podman_keeps_the_digest(tmp_path: Path) -> None:
    assert len(Packed(tmp_path).index()) == 1


def test_opened_without_them_the_image_is_alone(tmp_path: Path) -> None:
    packed = Packed(tmp_path)
    (found,) = open_bundle(tmp_path, referrers=False).resolve("")
    assert isinstance(found, RegistryForm)
    assert found.referrers == ()
    assert found.digests == packed.plain.digests


def test_a_pack_of_other_referrers_is_another_pack(tmp_path: Path) -> None:
    packed = Packed(tmp_path)
    again = packed.source.refer(packed.plain, packed.signature)
    with pytest.raises(OutputExists):
        pack_images(tmp_path, packed.source, {"web": [again]})


_OTHER = "sha256:" + "0" * 64


def _strange_tag(row: dict[str, Any]) -> None:
    row["referrers"][0]["tag"] = "latest"


def _tag_of_another(row: dict[str, Any]) -> None:
    row["referrers"][0]["tag"] = f"sha256-{'0' * 64}.sig"


def _absent(row: dict[str, Any]) -> None:
    row["referrers"][0]["descriptor"]["digest"] = _OTHER


def _no_such_subject(row: dict[str, Any]) -> None:
    row["referrers"][1]["subject"] = _OTHER


def _itself(row: dict[str, Any]) -> None:
    row["referrers"][1]["subject"] = row["referrers"][1]["descriptor"]["digest"]


def _wrong_size(row: dict[str, Any]) -> None:
    row["referrers"][0]["descriptor"]["size"] += 1


def _twice(row: dict[str, Any]) -> None:
    row["referrers"].append(row["referrers"][0])


@pytest.mark.parametrize(
    "change", [_strange_tag, _tag_of_another, _absent, _no_such_subject, _itself, _wrong_size, _twice]
)
def test_tables_that_contradict_themselves_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    """A table that could name any tag would let a bundle overwrite images of others at a registry."""
    Packed(tmp_path)
    rewrite(tmp_path, lambda table: change(table["applications"][0]["images"][0]))
    with pytest.raises(AirbundleError):
        open_bundle(tmp_path)
    with pytest.raises((ValueError, second_reader.NotReadable)):
        second_reader.Bundle(tmp_path)


def _drop_blob(packed: Packed, row: dict[str, Any]) -> None:
    row["blobs"].remove(packed.sbom.node.children[1].digest)


def _drop_row(packed: Packed, row: dict[str, Any]) -> None:
    del row["referrers"][2]


def _move(packed: Packed, row: dict[str, Any]) -> None:
    row["referrers"][2]["subject"] = packed.plain.tree.root.digest


@pytest.mark.parametrize(
    ("change", "code"), [(_drop_blob, "not-in-bundle"), (_drop_row, "not-in-image"), (_move, "broken-image")]
)
def test_what_is_not_what_the_table_says_is_found(
    tmp_path: Path, change: Callable[[Packed, dict[str, Any]], None], code: str
) -> None:
    packed = Packed(tmp_path)
    rewrite(tmp_path, lambda table: change(packed, table["applications"][0]["images"][0]))
    (finding,) = verify_bundle(open_bundle(tmp_path), "full").findings
    assert (finding.check, finding.code) == (6, code)
    assert finding.images == ("docker.io/x/one:1",)
    assert any(check == 6 for check, _, _ in second_reader.Bundle(tmp_path).verify())


def test_damage_to_one_names_the_image_that_it_belongs_to(tmp_path: Path) -> None:
    packed = Packed(tmp_path)
    blob = open_bundle(tmp_path).manifest.blob_by_digest[packed.sbom.node.children[1].digest]
    part = tmp_path / "web.oci.tar"
    data = bytearray(part.read_bytes())
    data[blob.offset] ^= 1
    part.write_bytes(data)
    findings = verify_bundle(open_bundle(tmp_path), "quick").findings
    assert findings
    assert all(blob.digest in finding.blobs and finding.images for finding in findings)
