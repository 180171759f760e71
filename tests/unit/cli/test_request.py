"""``airbundle request`` and ``airbundle answer``: what they print, write and exit with."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.opening import open_manifest
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from tests.bad_blocks import all_blocks, block_bytes_of, blocks_of_answer, spoil
from tests.builders import contents_of
from tests.copies import make_bundle
from tests.unit.bundle.requests.test_qr_code import modules_of, picture_of, read_by_zbar
from tests.unit.cli.conftest import Airbundle


@pytest.fixture
def manifest(bundle: Path) -> BundleManifest:
    """Eight parts of at most one block."""
    return open_manifest(bundle)[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "request.json"


class TestRequest:
    def test_it(self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path) -> None:
        spoil(bundle, manifest, [(1, 0), (4, 0)])
        (bundle / manifest.parts[2].file).unlink()
        said = airbundle("request", bundle, "-o", file)
        assert json.loads(file.read_bytes())["parts"] == [{"part": part, "blocks": [[0, 1]]} for part in (1, 2, 4)]
        assert "missing  3 blocks, " in said.out
        assert f"request  {file}: 3 blocks in {file.stat().st_size} bytes" in said.out
        assert "airbundle answer BUNDLE FILE -o DIR" in said.out
        assert sorted(path.name for path in file.parent.glob("request*")) == ["request.json"]

    def test_json(self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path) -> None:
        spoil(bundle, manifest, [(1, 0)])
        said = airbundle("request", bundle, "-o", file, "--qr", "--json")
        amount = {"blocks": 1, "bytes": manifest.parts[1].size}
        assert said.document == {
            "bundle": manifest.id, "missing": amount, "needed": amount, "parity": False, "mendable": False,
            "request": str(file), "size": file.stat().st_size, "picture": f"{file}.png",
        }  # fmt: skip
        assert said.err == ""
        assert read_by_zbar(Path(f"{file}.png")) == file.read_bytes()

    def test_nothing_is_missing(
        self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path
    ) -> None:
        said = airbundle("request", bundle, "-o", file)
        assert said.out == f"nothing is missing of {manifest.id}; no request was written\n"
        assert airbundle("request", bundle, "-o", file, "--all", "--json").document["request"] is None
        assert not file.exists()

    @pytest.mark.parametrize("options", [["--present"], ["--app", "erp"]], ids=" ".join)
    def test_one_stick_of_several(
        self, airbundle: Airbundle, bundle: Path, file: Path, tmp_path: Path, options: list[str]
    ) -> None:
        stick = tmp_path / "stick"
        airbundle("copy", bundle, stick, "--app", "erp", "-q")
        (part, *_) = sorted(stick.glob("erp.oci.tar*"))
        part.write_bytes(b"x" * part.stat().st_size)
        said = airbundle("request", stick, "-o", file)
        assert "of them are not here at all: --present leaves them out" in said.out
        said = airbundle("request", stick, "-o", file, *options)
        assert "missing  1 block, " in said.out
        assert f"airbundle repair BUNDLE {' '.join(options)} --from DIR" in said.out
        airbundle("answer", bundle, file, "-o", tmp_path / "answer")
        airbundle("repair", stick, "--from", tmp_path / "answer", status=5)
        airbundle("repair", stick, *options, "--from", tmp_path / "answer")
        assert "what was asked for" in airbundle("request", stick, "-o", file, *options).out

    def test_a_full_disk_leaves_nothing(
        self,
        airbundle: Airbundle,
        bundle: Path,
        manifest: BundleManifest,
        file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        spoil(bundle, manifest, [(1, 0)])
        monkeypatch.setattr(os, "fsync", refuse)
        airbundle("request", bundle, "-o", file, status=12)
        assert list(file.parent.glob("request*")) == []

    def test_several_directories(
        self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path, tmp_path: Path
    ) -> None:
        airbundle("copy", bundle, tmp_path / "copy")
        spoil(bundle, manifest, [(1, 0), (2, 0)])
        spoil(tmp_path / "copy", manifest, [(2, 0), (3, 0)])
        airbundle("request", bundle, tmp_path / "copy", "-o", file)
        assert json.loads(file.read_bytes())["parts"] == [{"part": 2, "blocks": [[0, 1]]}]

    def test_parity_mends_all(
        self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path
    ) -> None:
        make_parity(open_bundle(bundle), ParityWish(survive_parts=1))
        spoil(bundle, manifest, [(1, 0)])
        said = airbundle("request", bundle, "-o", file, status=3)
        assert "error: parity can make again everything that is missing" in said.err
        assert "--all" in said.err
        assert not file.exists()
        said = airbundle("request", bundle, "-o", file, "--json", status=3)
        assert (said.document["mendable"], said.document["request"]) == (True, None)
        assert said.error["code"] == "mendable-bundle"
        said = airbundle("request", bundle, "-o", file, "--all")
        assert json.loads(file.read_bytes())["parts"] == [{"part": 1, "blocks": [[0, 1]]}]

    def test_parity_mends_some(
        self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path
    ) -> None:
        make_parity(open_bundle(bundle), ParityWish(survive_parts=1))
        spoil(bundle, manifest, all_blocks(manifest))
        document = airbundle("request", bundle, "-o", file, "--json").document
        assert 0 < document["needed"]["blocks"] < document["missing"]["blocks"] == len(all_blocks(manifest))
        said = airbundle("request", bundle, "-o", file)
        assert f"parity   makes the rest once these have come: {document['needed']['blocks']} block" in said.out

    def test_qr_code(self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path) -> None:
        spoil(bundle, manifest, [(1, 0)])
        said = airbundle("request", bundle, "-o", file, "--qr")
        lines = [line for line in said.out.splitlines() if set(line) <= set(" ▀▄█") and line]
        assert read_by_zbar(picture_of(modules_of(lines), file.with_name("seen.pgm"))) == file.read_bytes()
        assert f"picture  {file}.png" in said.out
        # A later request without a picture leaves none of the earlier one.
        airbundle("request", bundle, "-o", file, "-q")
        assert not Path(f"{file}.png").exists()

    def test_qr_code_on_a_terminal(
        self,
        airbundle: Airbundle,
        bundle: Path,
        manifest: BundleManifest,
        file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        spoil(bundle, manifest, [(1, 0)])
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        said = airbundle("request", bundle, "-o", file, "--qr")
        # Whatever the colours of the terminal are, what is light must be light.
        drawn = re.findall("^\x1b\\[97;40m([ ▀▄█]+)\x1b\\[0m$", said.out, re.MULTILINE)
        seen = picture_of(modules_of(drawn), file.with_name("seen.pgm"))
        assert read_by_zbar(seen) == file.read_bytes()
        # Lines that the terminal breaks show nothing.
        monkeypatch.setenv("COLUMNS", str(len(drawn[0]) - 1))
        said = airbundle("request", bundle, "-o", file, "--qr")
        assert f"{len(drawn[0])} columns wide, the terminal {len(drawn[0]) - 1}: use the picture" in said.err
        assert "█" not in said.out

    def test_too_large_for_a_qr_code(self, airbundle: Airbundle, tmp_path: Path, file: Path) -> None:
        manifest = make_bundle(tmp_path / "large", size=600 * (64 << 10), part_bytes=600 * (64 << 10))
        spoil(tmp_path / "large", manifest, [(0, number) for number in range(0, 600, 2)])
        said = airbundle("request", tmp_path / "large", "-o", file, "--qr")
        assert "too many for a QR code: 2047 are the most" in said.err
        assert "█" not in said.out
        assert file.stat().st_size < 10_000
        assert not Path(f"{file}.png").exists()
        document = airbundle("request", tmp_path / "large", "-o", file, "--qr", "--json").document
        assert document["picture"] is None

    @pytest.mark.parametrize("name", ["request.json", "request.json.png"])
    def test_other_files_are_not_written_over(
        self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path, name: str
    ) -> None:
        spoil(bundle, manifest, [(1, 0)])
        (file.parent / name).write_bytes(b"mine")
        said = airbundle("request", bundle, "-o", file, "--json", status=2)
        assert said.error["code"] == "output-exists"
        assert (file.parent / name).read_bytes() == b"mine"

    def test_an_earlier_request_is_replaced(
        self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path
    ) -> None:
        spoil(bundle, manifest, [(1, 0)])
        airbundle("request", bundle, "-o", file)
        spoil(bundle, manifest, [(2, 0)])
        airbundle("request", bundle, "-o", file)
        assert len(json.loads(file.read_bytes())["parts"]) == 2

    def test_nowhere_to_write(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        said = airbundle("request", bundle, "-o", tmp_path / "none" / "request.json", "--json", status=2)
        assert said.error["code"] == "not-found"


class TestAnswer:
    @pytest.fixture
    def far(
        self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, file: Path, tmp_path: Path
    ) -> Path:
        """A damaged copy, for which there is a request."""
        airbundle("copy", bundle, tmp_path / "far")
        spoil(tmp_path / "far", manifest, [(1, 0), (4, 0), (5, 0)])
        airbundle("request", tmp_path / "far", "-o", file)
        return tmp_path / "far"

    def test_from_the_bundle(
        self, airbundle: Airbundle, bundle: Path, manifest: BundleManifest, far: Path, file: Path, tmp_path: Path
    ) -> None:
        output = tmp_path / "answer"
        said = airbundle("answer", bundle, file, "-o", output)
        assert f"answer   {output}: 3 of 3 blocks\n" in said.out
        assert blocks_of_answer(output) == {
            (part, 0): block_bytes_of(bundle, manifest, (part, 0)) for part in (1, 4, 5)
        }
        said = airbundle("answer", bundle, file, "-o", output, "--json")
        size = sum(manifest.parts[part].size for part in (1, 4, 5))
        assert said.document == {
            "directory": str(output), "complete": True, "blocks": 3, "bytes": size, "blocks_kept": 3,
            "blocks_written": 0, "missing": [],
        }  # fmt: skip

    @pytest.mark.parametrize(("lost", "status"), [(False, 4), (True, 5)])
    def test_from_what_is_left(
        self,
        airbundle: Airbundle,
        bundle: Path,
        manifest: BundleManifest,
        far: Path,
        file: Path,
        tmp_path: Path,
        lost: bool,
        status: int,
    ) -> None:
        if lost:
            (bundle / manifest.parts[4].file).unlink()
        else:
            spoil(bundle, manifest, [(4, 0)])
        said = airbundle("answer", bundle, file, "-o", tmp_path / "answer", "--json", status=status)
        assert said.document["missing"] == [{"part": 4, "blocks": [[0, 1]]}]
        assert said.document["complete"] is False
        assert "1 of 3 blocks are" in said.error["message"]

    @pytest.mark.parametrize("known", [False, True])
    def test_from_the_images(
        self, airbundle: Airbundle, layout: Path, file: Path, tmp_path: Path, known: bool
    ) -> None:
        config = tmp_path / "pack.yaml"
        config.write_text(
            "name: plant7\nversion: '3'\npart_size: 64KiB\napplications:\n"
            f"  web:\n    images: ['oci:{layout}:reg.test/x:1', 'oci:{layout}:reg.test/y:1']\n"
        )
        bundle = tmp_path / "plant7"
        airbundle("pack", config, "-o", bundle)
        manifest = open_manifest(bundle)[0]
        kept = tmp_path / "kept.json"
        kept.write_bytes(manifest.raw)
        whole = block_bytes_of(bundle, manifest, (1, 0))
        spoil(bundle, manifest, [(1, 0)])
        airbundle("request", bundle, "-o", file)
        more = ["--manifest", kept] if known else []
        airbundle("answer", file, "--config", config, *more, "-o", tmp_path / "answer")
        assert blocks_of_answer(tmp_path / "answer") == {(1, 0): whole}
        # The same without a file, which the options stand in for.
        items = [f"web=oci:{layout}:reg.test/{name}:1" for name in "xy"]
        options = [] if known else ["--name", "plant7", "--bundle-version", "3", "--part-size", "64KiB"]
        airbundle("answer", file, *items, *more, *options, "-o", tmp_path / "again")
        assert contents_of(tmp_path / "again") == contents_of(tmp_path / "answer")

    def test_from_other_images(
        self, airbundle: Airbundle, layout: Path, far: Path, file: Path, tmp_path: Path
    ) -> None:
        item = f"web=oci:{layout}:reg.test/x:1"
        said = airbundle("answer", file, item, "-o", tmp_path / "answer", "--json", status=4)
        assert "the bundle has 1 parts" in said.error["message"]
        assert "the part size 4089446400" in said.error["advice"]
        assert not (tmp_path / "answer").exists()

    def test_a_manifest_of_another_bundle(
        self, airbundle: Airbundle, layout: Path, far: Path, file: Path, tmp_path: Path
    ) -> None:
        make_bundle(tmp_path / "other", name="other")
        said = airbundle(
            "answer", file, f"web=oci:{layout}:reg.test/x:1", "--manifest", tmp_path / "other" / "bundle.json",
            "-o", tmp_path / "answer", "--json", status=2,
        )  # fmt: skip
        assert "is for the bundle" in said.error["message"]
        assert not (tmp_path / "answer").exists()

    def test_a_request_for_another_bundle(
        self, airbundle: Airbundle, far: Path, file: Path, tmp_path: Path
    ) -> None:
        make_bundle(tmp_path / "other", name="other")
        said = airbundle("answer", tmp_path / "other", file, "-o", tmp_path / "answer", "--json", status=2)
        assert "is for the bundle" in said.error["message"]
        assert not (tmp_path / "answer").exists()

    def test_a_damaged_request(
        self, airbundle: Airbundle, bundle: Path, far: Path, file: Path, tmp_path: Path
    ) -> None:
        file.write_bytes(file.read_bytes().replace(b'"part":4', b'"part":3'))
        said = airbundle("answer", bundle, file, "-o", tmp_path / "answer", "--json", status=4)
        assert said.error["message"] == "the request is damaged: its sum is wrong"
        assert not (tmp_path / "answer").exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ([], "Missing argument"),
            (["web=x"], "no request is named"),
            (["FILE"], "neither a bundle nor what it was packed from"),
            (["BUNDLE", "FILE", "web=x"], "both a bundle"),
            (["BUNDLE", "FILE", "--manifest", "FILE"], "are for bundles that are packed again"),
            (["BUNDLE", "FILE", "--level", "3"], "are for bundles that are packed again"),
            (["FILE", "web=x", "--manifest", "FILE", "--name", "n"], "--manifest says how the bundle was packed"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_usage(
        self,
        airbundle: Airbundle,
        bundle: Path,
        far: Path,
        file: Path,
        tmp_path: Path,
        words: list[str],
        said: str,
    ) -> None:
        named = {"FILE": str(file), "BUNDLE": str(bundle)}
        arguments = [named.get(word, word) for word in words]
        assert said in airbundle("answer", *arguments, "-o", tmp_path / "answer", status=2).err
        assert not (tmp_path / "answer").exists()
