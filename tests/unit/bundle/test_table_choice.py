"""The table that most files speak for counts; where two have as much for them, none does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest, parse_bundle_manifest
from bundler.bundle.table_choice import Candidate, DirectoryTables, choose
from tests.copies import make_bundle


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BundleManifest]:
    """Four tables: the right one, and three with another version."""
    right = make_bundle(tmp_path_factory.mktemp("bundle"))
    raws = {name: right.raw.replace(b'"version":"1"', f'"version":"{name}"'.encode()) for name in ("1", "2", "3")}
    return {name: parse_bundle_manifest(raw) for name, raw in raws.items()}


def directory(tables: dict[str, BundleManifest], files: str, *, unfinished: bool = False) -> DirectoryTables:
    """Return what four letters say of bundle.json, its copy, SHA256SUMS and parity.json; ``-`` is not there."""
    main, copy, sums, parity = list(files)

    def candidate(file: str, name: str) -> Candidate:
        if name == "-":
            return Candidate(file, None, problem="is not there")
        if name == "x":
            return Candidate(file, b"{", problem="is no JSON")
        return Candidate(file, tables[name].raw, tables[name])

    listed = None if sums == "-" else b"" if sums == "x" else f"{tables[sums].id.hex}  bundle.json\n".encode()
    spare = None if parity in "-x" else candidate("parity.json", parity)
    return DirectoryTables(
        Path("here"),
        candidate("bundle.json", main),
        candidate("bundle.json.bak", copy),
        listed,
        unfinished,
        spare,
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("1111", "1"), ("111-", "1"), ("1---", "1"), ("-1--", "1"), ("1-1-", "1"), ("11--", "1"), ("---1", "1"),
        # One is altered.
        ("211-", "1"), ("121-", "1"), ("112-", "1"), ("2111", "1"), ("1112", "1"), ("1x1-", "1"), ("xx11", "1"),
        # Two are altered, or one is and one is lost.
        ("2-11", "1"), ("2--1", "1"), ("-2-1", "1"), ("23-1", "1"), ("2311", "1"), ("2211", "1"), ("xx21", "1"),
        # One against one, two against two.
        ("12--", None), ("21--", None), ("2-1-", None), ("-21-", None), ("231-", None), ("22-1", None),
        ("2-21", None),
        # Nothing speaks.
        ("----", ""), ("xx--", ""),
    ],
)  # fmt: skip
def test_one_directory(tables: dict[str, BundleManifest], files: str, expected: str | None) -> None:
    here = directory(tables, files)
    assert choose(here, [here]) == (tables[expected].id.hex if expected else expected)


@pytest.mark.parametrize(
    ("files", "elsewhere", "expected"),
    [
        ("12--", "1---", "1"), ("2-1-", "11--", "1"), ("12--", "12--", None), ("12--", "333-", None),
        # A directory that can decide does.
        ("222-", "1111", "2"), ("2---", "1111", "2"),
    ],
)  # fmt: skip
def test_two_directories(
    tables: dict[str, BundleManifest], files: str, elsewhere: str, expected: str | None
) -> None:
    here, there = directory(tables, files), directory(tables, elsewhere)
    assert choose(here, [there, here]) == (tables[expected].id.hex if expected else None)


@pytest.mark.parametrize(("files", "expected"), [("1---", None), ("11--", "1"), ("1-1-", "1"), ("12--", None)])
def test_a_copy_that_was_cut_needs_two(
    tables: dict[str, BundleManifest], files: str, expected: str | None
) -> None:
    here = directory(tables, files, unfinished=True)
    assert choose(here, [here]) == (tables[expected].id.hex if expected else None)
    there = directory(tables, "111-")
    assert choose(here, [here, there]) == tables["1"].id.hex


def test_claims(tables: dict[str, BundleManifest]) -> None:
    said = directory(tables, "2212").claims
    one, two = (tables[name].id.hex[:12] for name in ("1", "2"))
    assert said == f"bundle.json and bundle.json.bak and parity.json for {two}…; SHA256SUMS for {one}…"
