"""``airbundle copy``: what it prints for people, its JSON document, its questions, and its exit status."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.bundle.opening import open_manifest
from tests.builders import KIB, SHOP, contents_of, final_names, flip
from tests.fakes.sticks import BESIDES, Sticks
from tests.unit.cli.conftest import Airbundle


@pytest.fixture
def sticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sticks:
    """Sticks that are as large as they say, also for the command."""
    found = Sticks(tmp_path)
    monkeypatch.setattr("bundler.bundle.copying.media.medium.measure", found.measure)
    return found


class Hands:
    """Somebody at the keyboard: a standard input that changes the medium before it gives a line."""

    def __init__(self, mount: Path, sticks: list[Path]) -> None:
        self._mount, self._sticks = mount, list(sticks)
        self.insert()

    def insert(self) -> None:
        self._mount.unlink(missing_ok=True)
        self._mount.symlink_to(self._sticks.pop(0))

    def readline(self) -> str:
        if not self._sticks:
            return ""
        self.insert()
        return "\n"


class TestCopy:
    def test_it(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        said = airbundle("copy", bundle, tmp_path / "there")
        assert contents_of(tmp_path / "there") == contents_of(bundle)
        assert f"shared.oci.tar.001  64.0 KiB  {tmp_path / 'there'}" in said.out
        assert f"{tmp_path / 'there'}: 8 parts, 423.5 KiB, " in said.out
        assert f"done       {tmp_path / 'there'}: 423.5 KiB copied, 0 bytes kept" in said.out
        assert said.err.startswith("airbundle: copy to there: ")
        again = airbundle("copy", bundle, tmp_path / "there")
        assert "(there already)" in again.out
        assert "0 bytes copied, 423.5 KiB kept" in again.out

    def test_json(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        said = airbundle("copy", bundle, tmp_path / "there", "--to", tmp_path / "x", "--app", "erp", "--json")
        document = said.document
        manifest = open_manifest(bundle)[0]
        size = sum(part.size for part in manifest.parts if not part.file.startswith("shop"))
        one, two = document.pop("destinations")
        assert document == {
            "id": manifest.id, "complete": True, "bytes_copied": size, "bytes_kept": 0, "bytes_bad": 0,
            "bytes_mended": 0, "bad": [], "missing": [], "gone_sources": [],
        }  # fmt: skip
        assert one == {
            "directory": str(tmp_path / "there"), "complete": True, "bytes_copied": size, "bytes_kept": 0,
            "bytes_bad": 0, "bytes_mended": 0, "missing": [],
            "parts": ["shared.oci.tar.001", "shared.oci.tar.002", "erp.oci.tar.001", "erp.oci.tar.002"],
        }  # fmt: skip
        assert (two["directory"], two["parts"]) == (str(tmp_path / "x"), [])
        assert said.err == ""

    def test_dry_run(self, airbundle: Airbundle, bundle: Path, tmp_path: Path, sticks: Sticks) -> None:
        one, two = (sticks.stick(name, 300 * KIB + BESIDES) for name in ("one", "two"))
        said = airbundle("copy", bundle, one, "--to", two, "--dry-run")
        assert f"shop.oci.tar.004    61.5 KiB  {two}" in said.out
        assert "% of 600.0 KiB are taken" in said.out
        document = airbundle("copy", bundle, one, "--to", two, "--dry-run", "--json").document
        assert document["id"] == open_manifest(bundle)[0].id
        assert document["left"] == []
        parts = [file for place in document["destinations"] for file in place["parts"]]
        assert sorted(parts) == [name for name in final_names(bundle) if ".oci.tar" in name]
        assert document["size"] == sum(place["size"] for place in document["destinations"])
        assert [contents_of(one), contents_of(two)] == [{}, {}]

    def test_no_read_back(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        airbundle("copy", bundle, tmp_path / "there", "--no-read-back", "-q")
        assert contents_of(tmp_path / "there") == contents_of(bundle)

    def test_wrong_usage(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        assert "SRC... DST" in airbundle("copy", bundle, status=2).err
        airbundle("copy", bundle, tmp_path / "a", "--to", tmp_path / "b", "--span", status=2)
        airbundle("copy", bundle, bundle, status=2)
        airbundle("copy", tmp_path, tmp_path / "a", status=6)
        assert (
            airbundle("copy", bundle, tmp_path / "a", "--app", "x", "--json", status=2).error["code"]
            == "not-found"
        )

    def test_too_small(self, airbundle: Airbundle, bundle: Path, sticks: Sticks) -> None:
        one = sticks.stick("one", 200 * KIB + BESIDES)
        said = airbundle("copy", bundle, one, status=12)
        assert "find no room" in said.err
        assert "--span" in said.err
        assert contents_of(one) == {}

    def test_damage(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        flip(bundle / "shop.oci.tar.002", 9)
        said = airbundle("copy", bundle, tmp_path / "there", status=4)
        assert "shop.oci.tar.002: damaged block at byte 0, 64.0 KiB" in said.out
        assert f"hits {SHOP}" in said.out
        assert "unfinished" in said.out
        assert f"airbundle copy OTHER {tmp_path / 'there'}" in said.err
        said = airbundle("copy", bundle, tmp_path / "there", "--json", status=4)
        (bad,) = said.document["bad"]
        assert bad.keys() == {"file", "offset", "length", "code", "found", "blobs", "applications", "images"}
        assert (bad["file"], bad["offset"], bad["length"]) == ("shop.oci.tar.002", 0, 64 * KIB)
        assert bad["images"] == [SHOP]
        assert said.document["bytes_bad"] == 64 * KIB
        assert said.error["exit_status"] == 4

    def test_a_part_is_missing(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        (bundle / "erp.oci.tar.002").unlink()
        said = airbundle("copy", bundle, tmp_path / "there", status=5)
        assert "parts are in no source: erp.oci.tar.002" in said.err
        document = airbundle("copy", bundle, tmp_path / "there", "--json", status=5).document
        assert document["missing"] == ["erp.oci.tar.002"]
        assert document["complete"] is False
        # What an image needs is there; that the bundle is not whole is nothing for this copy.
        airbundle("copy", bundle, tmp_path / "x", "--app", "shop")

    def test_a_damaged_table_is_told(self, airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
        right = contents_of(bundle)
        flip(bundle / "bundle.json", 5)
        said = airbundle("copy", bundle, tmp_path / "there")
        assert "warning: bundle.json is damaged" in said.err
        assert contents_of(tmp_path / "there") == right


class TestSpan:
    def test_there_and_back(
        self, airbundle: Airbundle, bundle: Path, tmp_path: Path, sticks: Sticks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        places = [sticks.stick(name, 200 * KIB + BESIDES) for name in ("one", "two", "three")]
        mount = tmp_path / "mount"
        monkeypatch.setattr(sys, "stdin", Hands(mount, [*places[:2], places[0], places[2]]))
        said = airbundle("copy", "--span", bundle, mount)
        assert "left over: 4 parts" in said.out
        assert said.err.count("mount another medium at") == 3
        assert "not this one: it was written to in this run already" in said.err
        monkeypatch.setattr(sys, "stdin", Hands(mount, places))
        said = airbundle("copy", "--span", mount, tmp_path / "back", "--json")
        assert contents_of(tmp_path / "back") == contents_of(bundle)
        assert said.err.count("mount a medium that has some of them at") == 2
        assert said.document["complete"] is True

    def test_the_end_of_input(
        self, airbundle: Airbundle, bundle: Path, tmp_path: Path, sticks: Sticks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = sticks.stick("one", 200 * KIB + BESIDES)
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        said = airbundle("copy", "--span", bundle, one, "-q", status=5)
        assert "next: Run the same command again" in said.err
        assert "shop.oci.tar.001" in said.err
        assert "bundle.json" in final_names(one)

    def test_interrupted_while_asking(
        self, airbundle: Airbundle, bundle: Path, sticks: Sticks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupting:
            def readline(self) -> str:
                raise KeyboardInterrupt

        one = sticks.stick("one", 200 * KIB + BESIDES)
        monkeypatch.setattr(sys, "stdin", Interrupting())
        assert "interrupted" in airbundle("copy", "--span", bundle, one, "-q", status=130).err

    @pytest.mark.parametrize("closed", [lambda: None, lambda: _closed()], ids=["none", "closed"])
    def test_nobody_can_answer(
        self,
        closed: Callable[[], io.StringIO | None],
        airbundle: Airbundle,
        bundle: Path,
        sticks: Sticks,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(sys, "stdin", closed())
        airbundle("copy", "--span", bundle, sticks.stick("one", 200 * KIB + BESIDES), "-q", status=5)


def _closed() -> io.StringIO:
    file = io.StringIO()
    file.close()
    return file
