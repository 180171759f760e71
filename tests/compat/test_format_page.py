"""What docs/format.md gives as numbers, tables and sums is what the product does."""

from __future__ import annotations

import re
from pathlib import Path

import xxhash

from bundler.bundle.manifest import LARGEST_BLOCK, SMALLEST_BLOCK
from bundler.bundle.names import part_file
from bundler.content.hashing import block_sum, sha256
from bundler.content.tar import file_header
from bundler.model.json_documents import canonical_json
from bundler.model.limits import DEFAULT_LIMITS
from bundler.packing.planning.options import SMALLEST_PART
from tests.compat.golden import GOLDEN, IDS
from tests.e2e import bundles

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "format.md").read_text()


def _row(first: str) -> list[str]:
    (line,) = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", _PAGE, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


def test_sums_of_blocks_and_parts() -> None:
    vectors = {
        "none": b"",
        "`airbundle` in ASCII": b"airbundle",
        "65536 bytes, byte *i* is *i* mod 251": bytes(i % 251 for i in range(65536)),
    }
    for name, data in vectors.items():
        assert _row(name) == [f"`{block_sum(data)}`", f"`{xxhash.xxh3_128_hexdigest(data)}`"]


def test_headers() -> None:
    small, large = file_header("oci-layout", 30), file_header("blobs/sha256/" + "0" * 64, 8 << 30)
    octal = f"`{small[124:135].decode()}` NUL"
    checksums = [f"`{header[148:154].decode()}` NUL space" for header in (small, large)]
    assert f"| `oci-layout` | 30 | {octal} | {checksums[0]} | `{sha256(small).hex}` |" in _PAGE
    hexadecimal = f"{large[124:136].hex(' ')} (hex)"
    assert f"| {8 << 30} | {hexadecimal} | {checksums[1]} | `{sha256(large).hex}` |" in _PAGE


def test_limits() -> None:
    limits = DEFAULT_LIMITS
    assert f"| `bundle.json` | {limits.bundle_manifest_bytes >> 20} MiB |" in _PAGE
    assert _row("`parity.json`")[0] == f"{limits.parity_table_bytes >> 20} MiB"
    assert _row("one manifest, index or image config") == [f"{limits.document_bytes >> 20} MiB"]
    assert _row("`index.json`, `manifest.json` of an archive") == [f"{limits.table_bytes >> 20} MiB"]
    assert _row("all of them of one image") == [
        f"{limits.tree_bytes >> 20} MiB, {_spaced(limits.documents)} documents"
    ]
    assert _row("rename rules of a bundle") == [_spaced(limits.rename_rules)]
    assert _row("nesting of arrays and objects in JSON") == [str(limits.json_depth)]
    assert _row("characters of a number in JSON") == [str(limits.number_chars)]
    assert _row("indexes in indexes") == [str(limits.document_nesting)]
    assert _row("layers of one image") == [_spaced(limits.layers)]
    counts = (limits.applications, limits.images, limits.blobs, limits.parts)
    assert _row("applications, images, blobs, parts of a bundle") == [", ".join(map(_spaced, counts))]
    assert _row("annotations of one document or descriptor") == [
        f"{limits.annotation_count}; and {limits.annotation_bytes >> 20} MiB of characters, keys and values "
        "together"
    ]
    assert _row("an uncompressed layer")[0].startswith(
        f"{limits.layer_bytes >> 40} TiB; and {_spaced(limits.layer_ratio)} times"
    )
    assert _row("a zstd window") == [f"{1 << limits.window_log >> 20} MiB"]
    assert _row("a block") == [f"{LARGEST_BLOCK >> 20} MiB"]
    assert f"≥ {SMALLEST_PART}, `block_bytes` from {SMALLEST_BLOCK} to {LARGEST_BLOCK}" in _PAGE


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def test_canonical_json() -> None:
    value = {"é": 1, "b": '\u2028\x7f"\\\b\t\n\f\r\x01/', "Z": []}
    expected = '{"Z":[],"b":"\u2028\x7f\\"\\\\\\b\\t\\n\\f\\r\\u0001/","é":1}'
    assert canonical_json(value) == expected.encode()


def test_numbers_of_parts() -> None:
    assert [part_file("a", 7, count) for count in (2, 999, 1000)] == [
        "a.oci.tar.007", "a.oci.tar.007", "a.oci.tar.0007"
    ]  # fmt: skip


def test_every_key_of_golden_bundles_is_described() -> None:
    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(keys, value.values()))
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    for name in IDS:
        assert {key for key in keys(bundles.table(GOLDEN / name)) if f"`{key}`" not in _PAGE} <= {
            "images",
            "parts",
        }


def test_orders_and_what_is_left_out() -> None:
    for name in IDS:
        table = bundles.table(GOLDEN / name)
        archives = [archive["name"] for archive in table["archives"]]
        assert archives == sorted(archives, key=lambda archive: (archive != "shared", archive))
        assert [row["digest"] for row in table["blobs"]] == sorted(row["digest"] for row in table["blobs"])
        for application in table["applications"]:
            references = [image["reference"] for image in application["images"]]
            assert references == sorted(references)
            assert all(image.get("platforms") != [] for image in application["images"])
        for row in table["blobs"]:
            assert ("diff_id" in row) == ("uncompressed_size" in row)
            assert "encoder" not in row or "diff_id" in row
