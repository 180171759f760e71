"""Bundles that an attacker changed, who can write every file: refused or reported, and nothing of it believed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import rewrite, table_of, write_table
from tests.hostile.archives import NASTY
from tests.hostile.child import ROOT, Sandbox
from tests.hostile.test_pack import REPLACED

_GOLDEN = ROOT / "samples" / "bundles" / "v1" / "two-applications"
_DAMAGED, _NOT_A_BUNDLE = 4, 6
_TABLES = ("bundle.json", "bundle.json.bak", "SHA256SUMS")
Table = dict[str, Any]


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "sandbox")


@pytest.fixture
def bundle(sandbox: Sandbox) -> Path:
    return shutil.copytree(_GOLDEN, sandbox.work / "bundle", copy_function=shutil.copyfile)


def _commands(sandbox: Sandbox, bundle: Path) -> list[list[object]]:
    return [
        ["inspect", bundle], ["verify", bundle], ["load", bundle], ["extract", bundle, f"oci:{sandbox.out}"],
        ["extract", bundle, f"docker-archive:{sandbox.out}"], ["pack", f"app=bundle:{bundle}", "-o", sandbox.out],
    ]  # fmt: skip


# -- tables that cannot be true -----------------------------------------------------------------------------------


def _part(table: Table) -> Table:
    return dict.__getitem__(table, "archives")[0]["parts"][0]  # type: ignore[no-any-return]


def _blob(table: Table) -> Table:
    return table["blobs"][0]  # type: ignore[no-any-return]


def _image(table: Table) -> Table:
    return table["applications"][0]["images"][0]  # type: ignore[no-any-return]


LIES: dict[str, Callable[[Table], object]] = {
    "part upwards": lambda t: _part(t).update(file="../../../../etc/passwd"),
    "part absolute": lambda t: _part(t).update(file="/etc/passwd"),
    "part below": lambda t: _part(t).update(file="x/shared.oci.tar.001"),
    "part with NUL": lambda t: _part(t).update(file="shared.oci.tar.001\0"),
    "part with controls": lambda t: _part(t).update(file=NASTY),
    "part in capitals": lambda t: _part(t).update(file="SHARED.oci.tar.001"),
    "part that is bundle.json": lambda t: _part(t).update(file="bundle.json"),
    "part twice": lambda t: t["archives"][0].update(parts=[_part(t), _part(t)]),
    "parts in another order": lambda t: t["archives"][0]["parts"].reverse(),
    "no parts": lambda t: t["archives"][0].update(parts=[]),
    "archive upwards": lambda t: t["archives"][0].update(name="../x"),
    "archive that is a device": lambda t: t["archives"][0].update(name="con"),
    "archive twice": lambda t: t["archives"].append(t["archives"][0]),
    "archive of nobody": lambda t: t["applications"].pop(),
    "application upwards": lambda t: t["applications"][0].update(name=".."),
    "application with controls": lambda t: t["applications"][0].update(name=NASTY),
    "application twice": lambda t: t["applications"].append(t["applications"][0]),
    "negative size of a part": lambda t: _part(t).update(size=-1),
    "size of a part over 2^63": lambda t: _part(t).update(size=1 << 70),
    "size of an archive": lambda t: t["archives"][0].update(size=1 << 62),
    "blocks of 1 TiB": lambda t: t.update(block_bytes=1 << 40),
    "blocks of nothing": lambda t: t.update(block_bytes=0),
    "parts of negative size": lambda t: t.update(part_bytes=-1),
    "too few block sums": lambda t: _part(t).update(blocks=[]),
    "too many block sums": lambda t: _part(t)["blocks"].extend(["0" * 16] * 100_000),
    "block sums that are none": lambda t: _part(t)["blocks"].__setitem__(0, NASTY[:16].ljust(16)),
    "sha256 in capitals": lambda t: _part(t).update(sha256="A" * 64),
    "blob before its archive": lambda t: _blob(t).update(offset=-512),
    "blob behind its archive": lambda t: _blob(t).update(offset=1 << 62),
    "blob of negative size": lambda t: _blob(t).update(size=-1),
    "blob over another": lambda t: _blob(t).update(offset=0, size=5000),
    "blob in no archive": lambda t: _blob(t).update(archive="../x"),
    "blob twice": lambda t: t["blobs"].append(_blob(t)),
    "digest that is a path": lambda t: _blob(t).update(digest="sha256:../../../etc/passwd"),
    "image of other blobs": lambda t: _image(t).update(blobs=["sha256:" + "0" * 64]),
    "image without blobs": lambda t: _image(t).update(blobs=[]),
    "reference with controls": lambda t: _image(t).update(reference=NASTY),
    "reference that is short": lambda t: _image(t).update(reference="app"),
    "descriptor of another size": lambda t: _image(t)["descriptor"].update(size=1),
    "descriptor over 2^63": lambda t: _image(t)["descriptor"].update(size=1 << 63),
    "numbers for text": lambda t: t.update(name=5),
    "text for numbers": lambda t: t.update(part_bytes="5"),
    "no archives": lambda t: t.update(archives={}),
    "something else": lambda t: t.update(mediaType="text/plain"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_tables_that_cannot_be_true(lie: Callable[[Table], object], bundle: Path, sandbox: Sandbox) -> None:
    rewrite(bundle, lambda table: lie(table))  # type: ignore[arg-type]
    for command in _commands(sandbox, bundle)[1:4:2]:
        sandbox.refused(*command, statuses=(_DAMAGED, _NOT_A_BUNDLE))
    assert sandbox.final_names() == []


def test_another_version(bundle: Path, sandbox: Sandbox) -> None:
    rewrite(bundle, lambda table: table.update(mediaType="application/vnd.airbundle.manifest.v2+json" + NASTY))
    for command in _commands(sandbox, bundle):
        assert sandbox.refused(*command, statuses=(_NOT_A_BUNDLE,))["code"] == "unsupported-version"


# -- tables that agree with each other, and not with the parts ------------------------------------------------

CONSISTENT: dict[str, Callable[[Table], object]] = {
    "another DiffID": lambda t: [
        row.update(diff_id="sha256:" + "0" * 64) for row in t["blobs"] if "diff_id" in row
    ],
    "another uncompressed size": lambda t: [
        row.update(uncompressed_size=7) for row in t["blobs"] if "diff_id" in row
    ],
    "a blob moved": lambda t: [
        row.update(offset=row["offset"] - 1) for row in t["blobs"] if row["size"] > 100
    ],
    "an image that lacks a layer": lambda t: _image(t)["blobs"].pop(),
    "an image of another": lambda t: _image(t).update(
        {key: t["applications"][1]["images"][0][key] for key in ("descriptor", "blobs")}
    ),
    "another type of the root": lambda t: _image(t)["descriptor"].update(
        mediaType="application/vnd.oci.image.index.v1+json"
    ),
    "another sha256 of a part": lambda t: _part(t).update(sha256="0" * 64),
    "another sum of a block": lambda t: _part(t)["blocks"].__setitem__(0, "0" * 16),
    "a part that is longer": lambda t: (
        _part(t).update(size=_part(t)["size"] + 1), t["archives"][0].update(size=t["archives"][0]["size"] + 1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", CONSISTENT.values(), ids=CONSISTENT)
def test_tables_that_agree_and_lie(lie: Callable[[Table], object], bundle: Path, sandbox: Sandbox) -> None:
    rewrite(bundle, lambda table: lie(table))  # type: ignore[arg-type]
    ended = sandbox.run("verify", bundle, "--level", "deep", "--json")
    document = json.loads(ended.stdout) if ended.stdout else {"ok": False, "findings": [1]}
    assert ended.status == _DAMAGED, ended
    assert not document["ok"]
    assert document["findings"]
    assert "Traceback" not in sandbox.run("verify", bundle, "--level", "deep").stdout


SHOWN: dict[str, Callable[[Table], object]] = {
    "name": lambda t: t.update(name=NASTY),
    "version": lambda t: t.update(version=NASTY),
    "source": lambda t: _image(t).update(source=NASTY),
    "platforms": lambda t: _image(t).update(platforms=[NASTY] * len(_image(t)["platforms"])),
    "media type": lambda t: _blob(t).update(mediaType=NASTY),
    "a key that nobody knows": lambda t: t.update({NASTY: NASTY}),
}


@pytest.mark.parametrize("lie", SHOWN.values(), ids=SHOWN)
def test_text_from_a_table_is_shown_escaped(
    lie: Callable[[Table], object], bundle: Path, sandbox: Sandbox
) -> None:
    rewrite(bundle, lambda table: lie(table))  # type: ignore[arg-type]
    for number, command in enumerate(_commands(sandbox, bundle)):
        for more in ([["--json"], ["--verbose"], []][number % 3], [[], ["--json"]][number % 2]):
            ended = sandbox.run(*command, *more)
            assert not any(line.startswith("airbundle: error: forged") for line in ended.stderr.splitlines())
            shutil.rmtree(sandbox.out, ignore_errors=True)
            sandbox.out.unlink(missing_ok=True)


# -- bytes that are no table ----------------------------------------------------------------------------------

_RAW = (_GOLDEN / "bundle.json").read_bytes()
BYTES = {
    "nothing": b"",
    "cut": _RAW[:-1],
    "junk behind": _RAW + b"{}",
    "BOM": b"\xef\xbb\xbf" + _RAW,
    "UTF-16": _RAW.decode().encode("utf-16"),
    "duplicate key": _RAW.replace(b'"name":', b'"name":"x","name":', 1),
    "deep": b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"," + _RAW[1:],
    "huge number": b'{"x":' + b"9" * 3_000_000 + b"," + _RAW[1:],
    "huge float": b'{"x":1e99999,' + _RAW[1:],
    "NaN": b'{"x":NaN,' + _RAW[1:],
    "lone surrogate": rb'{"x":"\udc80",' + _RAW[1:],
    "NUL": b'{"x":"\0",' + _RAW[1:],
    "list": b"[" + _RAW + b"]",
}


@pytest.mark.parametrize("data", BYTES.values(), ids=BYTES)
def test_bytes_that_are_no_table(data: bytes, bundle: Path, sandbox: Sandbox) -> None:
    for name in _TABLES[:2]:
        (bundle / name).write_bytes(data)
    for command in _commands(sandbox, bundle)[1:4]:
        sandbox.refused(*command, statuses=(_DAMAGED, _NOT_A_BUNDLE))
    # In one of the two files only, it is a finding that the other one mends.
    (bundle / "bundle.json").write_bytes(_RAW)
    assert sandbox.run("verify", bundle, "--json").status == 3


def test_a_table_of_many_gigabytes(bundle: Path, sandbox: Sandbox) -> None:
    for name in _TABLES:
        os.truncate(bundle / name, 20 << 30)
    for command in _commands(sandbox, bundle)[:4]:
        error = sandbox.refused(*command, statuses=(_DAMAGED,))
        assert error["code"] == "limit-exceeded"
        assert "bundle_manifest_bytes" in error["message"]


def test_a_table_of_many_rows(bundle: Path, sandbox: Sandbox) -> None:
    table = table_of(bundle)
    row = table["blobs"][0]
    table["blobs"] = [
        {**row, "digest": f"sha256:{number:064x}", "offset": 0, "size": 0} for number in range(300_000)
    ]
    write_table(bundle, table)
    sandbox.refused("verify", bundle, statuses=(_DAMAGED,))


# -- files that are none --------------------------------------------------------------------------------------


@pytest.mark.parametrize("replace", REPLACED, ids=lambda one: one.__name__[4:])
@pytest.mark.parametrize("file", [*_TABLES, "shared.oci.tar.001", "README.txt", "stranger.oci.tar.001"])
def test_files_that_are_none(file: str, replace: Callable[[Path], None], bundle: Path, sandbox: Sandbox) -> None:
    if not (bundle / file).exists():
        (bundle / file).write_bytes(b"")
    replace(bundle / file)
    for name in _TABLES[:2] if file == "bundle.json" else ():
        (bundle / name).unlink() if (bundle / name).is_file() and name != file else None
    ended = sandbox.run("verify", bundle, "--json", seconds=30)
    expected = {"README.txt": (3,), "SHA256SUMS": (3,), "bundle.json.bak": (3,)}.get(
        file, (_DAMAGED, _NOT_A_BUNDLE)
    )
    assert ended.status in expected, ended
    if file == "shared.oci.tar.001":
        ended = sandbox.run("extract", bundle, f"oci:{sandbox.out}", "--json", seconds=30)
        if replace.__name__ == "_as_hole":
            # Nobody reads behind the bytes that are listed: what is extracted is right.
            assert ended.status == 0, ended
            return
        assert ended.status == _DAMAGED, ended
        index = sandbox.out / "index.json"
        assert not index.exists() or not json.loads(index.read_bytes())["manifests"]
