"""Targets: what lies beside a bundle as its parity, and how much of it somebody asks for."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from bundler.bundle.manifest import Part, parse_bundle_manifest
from bundler.bundle.parity.files import cut_sizes
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.journal import parse_parity_journal
from bundler.bundle.parity.strength import strength_of
from bundler.bundle.parity.table import ParityTable, parse_parity_table, write_parity_table
from bundler.bundle.parity.wish import parse_redundancy
from bundler.content.hashing import block_sum, sha256
from bundler.errors import MalformedDocument, UnsupportedVersion, UsageError
from bundler.model.json_documents import canonical_json, parse_json
from tests.fuzz.target import LIMITS, SAMPLES, Target, attempt, text_of

_BUNDLE = parse_bundle_manifest((SAMPLES / "bundles" / "v1" / "one-application" / "bundle.json").read_bytes())


def _forms(data: bytes) -> Iterator[bytes]:
    """Yield the document as it is, and with the sum that it would need, behind which most checks lie."""
    yield data
    try:
        value = parse_json(data, "it", limit=1 << 20, limits=LIMITS)
    except MalformedDocument:
        return
    if isinstance(value, dict):
        value.pop("sum", None)
        yield canonical_json({**value, "sum": sha256(canonical_json(value))})


def _table(data: bytes) -> None:
    for raw in _forms(data):
        found = attempt(lambda raw=raw: parse_parity_table(raw, LIMITS), MalformedDocument, UnsupportedVersion)  # type: ignore[misc]
        if isinstance(found, ParityTable):
            assert found.raw == raw
            geometry = found.geometry
            # Every parity block lies in the files, and these in the bundle's own directory.
            assert (
                found.parity.size
                == geometry.parity_offset(geometry.stripes - 1, geometry.m - 1) + geometry.block_bytes
            )
            assert all(file.file.startswith("parity.") and "/" not in file.file for file in found.files)
            assert 0 <= strength_of(geometry, found.data).lost_parts <= len(found.manifest.parts)
            assert write_parity_table(found.manifest, geometry, found.files).files == found.files


def _journal(data: bytes) -> None:
    """As it is, and with each line behind the sum that it would need."""
    summed = b"".join(block_sum(line).encode() + line + b"\n" for line in data.split(b"\n"))
    for raw in (data, summed):
        found = attempt(lambda raw=raw: (parse_parity_journal(raw, LIMITS),))  # type: ignore[misc]
        assert isinstance(found, tuple)
        (records,) = found
        if records is not None:
            assert 0 < records.length <= len(raw)
            assert parse_parity_journal(raw[: records.length], LIMITS) == records


def _redundancy(data: bytes) -> None:
    found = attempt(lambda: parse_redundancy(text_of(data)), UsageError)
    assert isinstance(found, str) or 0 < found <= Fraction(1)


def _seeds() -> Iterator[bytes]:
    size = sum(archive.size for archive in _BUNDLE.archives)
    for k, m in ((1, 1), (3, 2)):
        geometry = Geometry(size, _BUNDLE.block_bytes, k, m)
        files = [
            Part(
                file=f"parity.{number:03d}",
                size=length,
                sha256="0" * 64,
                xxh3_128="0" * 32,
                blocks=("0" * 16,) * -(-length // geometry.block_bytes),
            )
            for number, length in enumerate(cut_sizes(geometry, _BUNDLE.part_bytes), 1)
        ]
        yield write_parity_table(_BUNDLE, geometry, files).raw


_JOURNAL = (
    b'{"identity":{"bundle":"sha256:' + b"0" * 64 + b'","k":3,"m":2}}\n'
    + b'{"stripe":0,"sums":["' + b"0" * 16 + b'","' + b"1" * 16 + b'"]}\n{"stripe":7,"sums":[]}'
)  # fmt: skip

TARGETS = (
    Target("parity-json", _table, tuple(_seeds())),
    Target("parity-journal", _journal, (_JOURNAL, *_JOURNAL.split(b"\n"))),
    Target("redundancy", _redundancy, (b"10%", b" 12.5 % ", b"100%", b"0.000001%")),
)
