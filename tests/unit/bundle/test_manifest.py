"""bundle.json: what contradicts itself is refused, what is not known is kept."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.bundle.manifest import (
    LARGEST_BLOCK,
    Application,
    Archive,
    Blob,
    BundleManifest,
    Image,
    Part,
    parse_bundle_manifest,
    write_bundle_manifest,
)
from bundler.bundle.names import part_files
from bundler.content.compression import Encoder
from bundler.content.hashing import sha256
from bundler.errors import AirbundleError, MalformedDocument, UnsupportedVersion
from bundler.model.descriptor import Descriptor
from bundler.model.limits import Limits
from tests.builders import TwoApplications, table_of

Table = dict[str, Any]
Change = Callable[[Table], object]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """The table of a small bundle; tests change copies."""
    directory = tmp_path_factory.mktemp("bundle")
    TwoApplications().pack(directory)
    return table_of(directory)


def parse(value: object, limits: Limits | None = None) -> BundleManifest:
    return parse_bundle_manifest(json.dumps(value).encode(), limits or Limits())


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    manifest = TwoApplications().pack(tmp_path)
    raw = (tmp_path / "bundle.json").read_bytes()
    assert parse_bundle_manifest(raw) == manifest
    assert manifest.id == sha256(raw)
    # Canonical: keys sorted, nothing between them.
    assert raw == json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert [blob.digest for blob in manifest.blobs] == sorted(blob.digest for blob in manifest.blobs)


def test_the_keys_that_scripts_rely_on(table: Table) -> None:
    assert table.keys() == {
        "mediaType", "name", "version", "part_bytes", "block_bytes", "applications", "archives", "blobs",
    }  # fmt: skip
    assert table["mediaType"] == "application/vnd.airbundle.manifest.v1+json"
    assert table["archives"][0].keys() == {"name", "size", "parts"}
    assert table["archives"][0]["parts"][0].keys() == {"file", "size", "sha256", "xxh3_128", "blocks"}
    for blob in table["blobs"]:
        assert blob.keys() >= {"digest", "size", "mediaType", "archive", "offset"}
    image = table["applications"][0]["images"][0]
    assert image.keys() == {
        "reference", "source", "descriptor", "platforms", "image_ids", "blobs", "digest_preserved",
    }  # fmt: skip


def test_smoke_tests_are_commands(table: Table) -> None:
    changed = copy.deepcopy(table)
    image = changed["applications"][0]["images"][0]
    image["smoke"] = ["nginx", "-t", ""]
    manifest = parse(changed)
    assert manifest.applications[0].images[0].smoke == ("nginx", "-t", "")
    for wrong in ("nginx", [""], ["a\0"], [1], ["a"] * 101, ["a" * 4097], None):
        image["smoke"] = wrong
        with pytest.raises(MalformedDocument):
            parse(changed)


def test_keys_that_are_not_known_are_kept(table: Table) -> None:
    changed = copy.deepcopy(table)
    changed["later"] = {"x": [1]}
    changed["blobs"][0]["later"] = None
    changed["archives"][0]["parts"][0]["later"] = 1.5
    raw = json.dumps(changed, indent=1).encode()
    manifest = parse_bundle_manifest(raw)
    assert manifest.raw == raw
    assert manifest.blobs == parse(table).blobs


def _part(table: Table) -> Table:
    part: Table = table["archives"][0]["parts"][0]
    return part


def _image(table: Table) -> Table:
    image: Table = table["applications"][0]["images"][0]
    return image


def _grow(table: Table) -> None:
    """One part and one archive of an impossible size, with as many block sums as it needs."""
    table["block_bytes"] = 1 << 70
    for archive in table["archives"]:
        for part in archive["parts"]:
            part["blocks"] = part["blocks"][:1]
    difference = (1 << 69) - _part(table)["size"]
    _part(table)["size"] += difference
    table["archives"][0]["size"] += difference


CONTRADICTIONS: dict[str, Change] = {
    "part sizes do not add up": lambda t: _part(t).update(size=_part(t)["size"] - 1),
    "archive size": lambda t: t["archives"][0].update(size=t["archives"][0]["size"] + 1),
    "a part without bytes": lambda t: _part(t).update(size=0, blocks=[]),
    "a part of negative size": lambda t: _part(t).update(size=-5),
    "too few blocks": lambda t: _part(t)["blocks"].pop(),
    "too many blocks": lambda t: _part(t)["blocks"].append("0" * 16),
    "an archive without parts": lambda t: t["archives"][0].update(parts=[], size=0),
    "no block size": lambda t: t.update(block_bytes=0),
    "negative block size": lambda t: t.update(block_bytes=-65536),
    "tiny blocks": lambda t: t.update(block_bytes=1),
    "blocks that fit no memory": _grow,
    "blocks just too large": lambda t: t.update(block_bytes=LARGEST_BLOCK + 1),
    "a file twice": lambda t: t["archives"][1]["parts"][1].update(file=t["archives"][1]["parts"][0]["file"]),
    "an archive twice": lambda t: t["archives"].append(t["archives"][0]),
    "an archive of nobody": lambda t: (
        t["archives"][1].update(name="nobody"),
        [part.update(file=part["file"].replace("erp", "nobody")) for part in t["archives"][1]["parts"]],
    ),
    "no archive for an application": lambda t: t["applications"].append({"name": "web", "images": []}),
    "parts in another order": lambda t: t["archives"][1]["parts"].reverse(),
    "a number too many": lambda t: t["archives"][1]["parts"][-1].update(file="erp.oci.tar.009"),
    "a part of another archive": lambda t: _part(t).update(file="web.oci.tar.001"),
    "a path": lambda t: _part(t).update(file="../shared.oci.tar.001"),
    "an absolute path": lambda t: _part(t).update(file="/shared.oci.tar.001"),
    "a path in Windows": lambda t: _part(t).update(file="c:\\shared.oci.tar.001"),
    "no file name": lambda t: _part(t).update(file=""),
    "a name with a zero byte": lambda t: _part(t).update(file="shared.oci.tar.001\0"),
    "a name with a line end": lambda t: _part(t).update(file="shared.oci.tar.001\n"),
    "a name in capitals": lambda t: _part(t).update(file="SHARED.OCI.TAR.001"),
    "the table as a part": lambda t: _part(t).update(file="bundle.json"),
    "a sha256 that is none": lambda t: _part(t).update(sha256="é" * 64),
    "a sha256 with a line end": lambda t: _part(t).update(sha256="0" * 64 + "\n"),
    "a sha256 in capitals": lambda t: _part(t).update(sha256="A" * 64),
    "a sum that is too short": lambda t: _part(t).update(xxh3_128="0" * 31),
    "a block sum that is none": lambda t: _part(t)["blocks"].__setitem__(0, "x" * 16),
    "a blob before its archive": lambda t: t["blobs"][0].update(offset=-1),
    "a blob behind its archive": lambda t: t["blobs"][0].update(offset=1 << 40),
    "a blob of negative size": lambda t: t["blobs"][0].update(size=-1),
    "a blob in no archive": lambda t: t["blobs"][0].update(archive="web"),
    "a blob twice": lambda t: t["blobs"].append(t["blobs"][0]),
    "a blob over another": lambda t: _over(t),
    "an application twice": lambda t: t["applications"].append(t["applications"][0]),
    "an application with a bad name": lambda t: t["applications"][0].update(name="../erp"),
    "an image with a bad name": lambda t: _image(t).update(reference="Erp:1"),
    "an image with a short name": lambda t: _image(t).update(reference="ledger:1"),
    "an image twice": lambda t: t["applications"][0]["images"].append(_image(t)),
    "an image of nothing": lambda t: _image(t).update(blobs=[]),
    "an image with a blob that is not there": lambda t: _image(t)["blobs"].append("sha256:" + "0" * 64),
    "an image whose root is not there": lambda t: _image(t)["descriptor"].update(digest="sha256:" + "0" * 64),
    "an image that does not list its root": lambda t: _image(t)["blobs"].pop(0),
    "an image whose root has two sizes": lambda t: _image(t)["descriptor"].update(size=3),
    "platforms without image IDs": lambda t: _image(t).update(image_ids=[]),
    "a digest that is none": lambda t: t["blobs"][0].update(digest="sha256:0"),
    "a missing key": lambda t: t.pop("version"),
    "a missing key in a blob": lambda t: t["blobs"][0].pop("offset"),
    "a wrong type": lambda t: t.update(name=7),
    "a wrong type below": lambda t: t["blobs"][0].update(size="7"),
    "a fraction": lambda t: t["blobs"][0].update(size=7.5),
    "a boolean for a number": lambda t: t.update(block_bytes=True),
    "no media type": lambda t: t.pop("mediaType"),
    "another media type": lambda t: t.update(mediaType="application/json"),
    "a media type that is no text": lambda t: t.update(mediaType=1),
}


def _over(table: Table) -> None:
    first, second = sorted(
        (blob for blob in table["blobs"] if blob["archive"] == "shop"), key=lambda blob: int(blob["offset"])
    )[:2]
    second["offset"] = first["offset"] + first["size"] - 1


@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradictions_are_refused(table: Table, change: Change) -> None:
    changed = copy.deepcopy(table)
    change(changed)
    with pytest.raises(MalformedDocument):
        parse(changed)


@pytest.mark.parametrize("version", ["v2", "v0", "v10", "v1.1"])
def test_other_versions_are_not_called_damaged(table: Table, version: str) -> None:
    with pytest.raises(UnsupportedVersion, match=version):
        parse({"mediaType": f"application/vnd.airbundle.manifest.{version}+json", "name": []})
    assert parse(table).name == "erp-shop"


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b"\xff", b"{", b'{"name":1,"name":1}', b"[" * 100_000]
)
def test_what_is_no_table(raw: bytes) -> None:
    with pytest.raises(MalformedDocument):
        parse_bundle_manifest(raw)


def test_a_key_twice_is_refused(table: Table) -> None:
    raw = json.dumps(table).replace('"version":', '"version": "1", "version":', 1).encode()
    with pytest.raises(MalformedDocument, match="twice"):
        parse_bundle_manifest(raw)


def test_the_size_is_bounded(table: Table) -> None:
    size = len(json.dumps(table))
    parse(table, Limits(bundle_manifest_bytes=size))
    with pytest.raises(MalformedDocument, match="bundle_manifest_bytes"):
        parse(table, Limits(bundle_manifest_bytes=size - 1))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_change_of_a_byte_raises_anything_else(table: Table, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(table).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        manifest = parse_bundle_manifest(bytes(raw))
    except AirbundleError:
        return
    assert manifest.raw == raw


# -- round trip ---------------------------------------------------------------------------------------------

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
_BLOCK = 64 << 10


@st.composite
def bundles(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the arguments of a table that does not contradict itself."""
    names = draw(st.lists(st.from_regex(r"\A[b-m][a-z0-9]{0,9}\Z").filter(_usable), max_size=3, unique=True))
    archives, blobs, images = [], [], {}
    for name in names:
        sizes = draw(st.lists(st.integers(1, 3 * _BLOCK), min_size=1, max_size=4))
        archives.append(Archive(name=name, size=sum(sizes), parts=tuple(_parts(draw, name, sizes))))
        ends = sorted(draw(st.sets(st.integers(0, sum(sizes)), min_size=1, max_size=4)))
        mine = [_blob(draw, name, start, end) for start, end in zip([0, *ends], ends, strict=False)]
        blobs += mine
        images[name] = Image(
            reference=f"reg.test/{name}:1",
            source=draw(st.sampled_from(["docker", "oci", "registry", "bundle"])),
            descriptor=Descriptor(media_type="a/b", digest=mine[0].digest, size=mine[0].size),
            platforms=("linux/amd64",),
            image_ids=(mine[-1].digest,),
            blobs=tuple(blob.digest for blob in mine),
            digest_preserved=draw(st.booleans()),
        )
    return {
        "name": draw(_TEXT),
        "version": draw(_TEXT),
        "part_bytes": draw(st.integers(0, 1 << 50)),
        "block_bytes": _BLOCK,
        "applications": tuple(Application(name=name, images=(images[name],)) for name in names),
        "archives": tuple(archives),
        "blobs": tuple(blobs),
    }


def _usable(name: str) -> bool:
    return name not in ("con", "nul", "com1", "lpt1")


def _parts(draw: st.DrawFn, name: str, sizes: list[int]) -> list[Part]:
    return [
        Part(
            file=file,
            size=size,
            sha256=draw(_HEX),
            xxh3_128=draw(_HEX)[:32],
            blocks=tuple(draw(_HEX)[:16] for _ in range(-(-size // _BLOCK))),
        )
        for file, size in zip(part_files(name, len(sizes)), sizes, strict=True)
    ]


def _blob(draw: st.DrawFn, archive: str, start: int, end: int) -> Blob:
    is_layer = draw(st.booleans())
    return Blob(
        digest=sha256(f"{archive} {start} {end}".encode()),
        size=end - start,
        media_type=draw(_TEXT),
        archive=archive,
        offset=start,
        diff_id=sha256(b"x") if is_layer else None,
        uncompressed_size=draw(st.integers(0, 1 << 60)) if is_layer else None,
        encoder=Encoder("zstd", "libzstd", "1.5.6", 3) if is_layer and draw(st.booleans()) else None,
    )


@settings(max_examples=100, deadline=None)
@given(bundles())
def test_every_table_survives_writing_and_reading(values: dict[str, Any]) -> None:
    manifest = write_bundle_manifest(**values)
    assert set(manifest.blobs) == set(values.pop("blobs"))
    for key, value in values.items():
        assert getattr(manifest, key) == value
    again = parse_bundle_manifest(manifest.raw)
    assert again == manifest
    assert again.id == manifest.id
