"""``airbundle parity``, and parity in pack, plan and inspect: what is printed, the JSON, and exit statuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import SHOP, contents_of, flip
from tests.unit.cli.conftest import Airbundle

#: Of a bundle of 8 parts of at most a block: what is the least that mends any one of them.
ONE_PART = {
    "block_bytes": 65536, "k": 4, "m": 1, "stripes": 2, "size": 131072, "files": ["parity.001", "parity.002"],
    "mends": "any one lost part of 64.0 KiB, or any one bad block (up to 2 that lie well)",
}  # fmt: skip


def facts(document: dict[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in ONE_PART}


class TestParity:
    def test_it(self, airbundle: Airbundle, bundle: Path) -> None:
        said = airbundle("parity", bundle, "--survive-parts", 1)
        assert said.out == (
            "parity   128.0 KiB (30.2 %) in 2 files\n"
            "mends    any one lost part of 64.0 KiB, or any one bad block (up to 2 that lie well)\n"
        )
        assert said.err.startswith("airbundle: parity: ")
        assert airbundle("verify", bundle).out.startswith("intact ")

    def test_json(self, airbundle: Airbundle, bundle: Path) -> None:
        document = airbundle("parity", bundle, "--survive-parts", 1, "--json").document
        assert facts(document) == ONE_PART
        assert (document["directory"], document["bytes_written"], document["bytes_kept"]) == (
            str(bundle),
            131072,
            0,
        )
        assert document["id"].startswith("sha256:")
        again = airbundle("parity", bundle, "--json").document
        assert {**document, "bytes_written": 0, "bytes_kept": 131072} == again

    def test_quiet(self, airbundle: Airbundle, bundle: Path) -> None:
        said = airbundle("parity", bundle, "-q")
        assert (said.out, said.err) == ("", "")

    def test_a_tenth_is_the_default(self, airbundle: Airbundle, bundle: Path) -> None:
        airbundle("parity", bundle)
        before = contents_of(bundle)
        airbundle("parity", bundle, "--redundancy", "10%")
        assert contents_of(bundle) == before

    def test_another_layout_only_with_restart(self, airbundle: Airbundle, bundle: Path) -> None:
        airbundle("parity", bundle)
        said = airbundle("parity", bundle, "--redundancy", "50%", "--json", status=2)
        assert said.error["code"] == "output-exists"
        assert "--restart" in said.error["advice"]
        airbundle("parity", bundle, "--redundancy", "50%", "--restart")

    @pytest.mark.parametrize(
        "options",
        [
            ["--redundancy", "10"],
            ["--redundancy", "0%"],
            ["--redundancy", "101%"],
            ["--survive-parts", "0"],
            ["--survive-parts", "-1"],
            ["--survive-parts", "300"],
            ["--redundancy", "10%", "--survive-parts", "1"],
        ],
        ids=" ".join,
    )
    def test_usage(self, airbundle: Airbundle, bundle: Path, options: list[str]) -> None:
        before = contents_of(bundle)
        assert airbundle("parity", bundle, *options, "--json", status=2).error["advice"]
        assert contents_of(bundle) == before

    def test_damaged_missing_and_no_bundle(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        flip(bundle / "erp.oci.tar.001", 3)
        before = contents_of(bundle)
        said = airbundle("parity", bundle, "--json", status=4)
        assert said.error["code"] == "damaged-bundle"
        assert "repair" in said.error["advice"]
        assert contents_of(bundle) == before
        (bundle / "erp.oci.tar.001").unlink()
        airbundle("parity", bundle, status=5)
        flip(bundle / "bundle.json", 3)
        airbundle("parity", bundle, status=3)
        airbundle("parity", tmp_path / "none", status=2)
        (tmp_path / "empty").mkdir()
        airbundle("parity", tmp_path / "empty", status=6)


class TestInspect:
    def test_it_says_what_is_mended(self, airbundle: Airbundle, bundle: Path) -> None:
        assert "parity" not in airbundle("inspect", bundle, "--json").document
        assert "mends" not in airbundle("inspect", bundle).out
        airbundle("parity", bundle, "--survive-parts", 1)
        assert airbundle("inspect", bundle, "--json").document["parity"] == ONE_PART
        assert f"mends    {ONE_PART['mends']}\n" in airbundle("inspect", bundle).out


class TestPack:
    def test_with_parity(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        image = f"a=oci:{layout}:reg.test/x:1"
        common = ["pack", image, "--part-size", "64KiB", "--json", "-o"]
        plain = airbundle(*common, tmp_path / "plain").document
        said = airbundle(*common, tmp_path / "b", "--parity", "50%").document
        assert "parity" not in plain
        assert said["id"] == plain["id"], "parity stands outside of it"
        assert said["parity"]["mends"] == "any 2 lost parts of 64.0 KiB, or any 2 bad blocks"
        airbundle("parity", tmp_path / "plain", "--redundancy", "50%")
        assert contents_of(tmp_path / "b") == contents_of(tmp_path / "plain")
        again = airbundle(*common, tmp_path / "b", "--parity", "50%").document
        assert (again["bytes_written"], again["parity"]["bytes_written"]) == (0, 0)

    def test_a_rerun_goes_on_with_what_is_missing(
        self, airbundle: Airbundle, layout: Path, tmp_path: Path
    ) -> None:
        command = ["pack", f"a=oci:{layout}:reg.test/x:1", "-o", tmp_path / "b", "--survive-parts", 1]
        airbundle(*command, "--part-size", "64KiB")
        right = contents_of(tmp_path / "b")
        for path in [*tmp_path.glob("b/parity.00*"), tmp_path / "b" / "parity.json"]:
            path.unlink()
        airbundle(*command, "--part-size", "64KiB")
        assert contents_of(tmp_path / "b") == right

    @pytest.mark.parametrize("wish", ["parity: 50%", "survive_parts: 1", "parity: '12.5 %'"])
    def test_in_the_file(self, airbundle: Airbundle, layout: Path, tmp_path: Path, wish: str) -> None:
        config = tmp_path / "x.yaml"
        config.write_text(
            f"{wish}\npart_size: 64KiB\napplications: {{a: {{images: ['oci:{layout}:reg.test/x:1']}}}}\n"
        )
        said = airbundle("pack", config, "-o", tmp_path / "b", "--json").document
        assert said["parity"]["size"] > 0
        other = airbundle("pack", config, "-o", tmp_path / "c", "--json", "--parity", "100%").document
        assert other["parity"]["m"] == other["parity"]["k"], "the command line goes before the file"

    def test_bad_wishes(self, airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
        image = f"a=oci:{layout}:reg.test/x:1"
        airbundle("pack", image, "-o", tmp_path / "b", "--parity", "10", status=2)
        airbundle("pack", image, "-o", tmp_path / "b", "--parity", "10%", "--survive-parts", 1, status=2)
        assert not (tmp_path / "b").exists()


class TestPlan:
    def test_exact(self, airbundle: Airbundle, layout: Path) -> None:
        command = ["plan", f"a=oci:{layout}:reg.test/x:1", "--part-size", "64KiB", "--parity", "50%"]
        said = airbundle(*command, "--json").document["parity"]
        assert said["size"] == said["m"] * said["stripes"] * said["block_bytes"] > 0
        out = airbundle(*command).out
        assert "parity   about " in out
        assert f"mends    {said['mends']}\n" in out

    def test_nothing_is_said_that_nobody_asked_for(self, airbundle: Airbundle, layout: Path) -> None:
        assert "parity" not in airbundle("plan", f"a=oci:{layout}:reg.test/x:1", "--json").document


class TestVerify:
    def test_bad_parity_is_mendable(self, airbundle: Airbundle, bundle: Path) -> None:
        airbundle("parity", bundle)
        flip(bundle / "parity.001", 5)
        document = airbundle("verify", bundle, "--json", status=3).document
        assert [(one["file"], one["code"], one["mendable"]) for one in document["findings"]] == [
            ("parity.001", "damaged-block", True)
        ]
        assert document["findings"][0]["images"] == []
        airbundle("parity", bundle)
        airbundle("verify", bundle)

    def test_parity_says_nothing_of_images(self, airbundle: Airbundle, bundle: Path) -> None:
        airbundle("parity", bundle)
        flip(bundle / "parity.001", 5)
        assert SHOP not in airbundle("verify", bundle, status=3).out


def test_a_small_bundle_has_the_least_that_there_is(airbundle: Airbundle, layout: Path, tmp_path: Path) -> None:
    image = f"a=oci:{layout}:reg.test/x:1"
    assert ", the least: blocks have 4.0 MiB" in airbundle("plan", image, "--parity", "1%").out
    out = airbundle("pack", image, "--parity", "1%", "-o", tmp_path / "b").out
    assert " %, the least: blocks have 4.0 MiB) in 1 file\n" in out
