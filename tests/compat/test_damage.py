"""The product finds what the scripts of samples/damage do, and so does a reader that knows only docs/format.md."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.compat.golden import DAMAGE, GOLDEN
from tests.compat.second_reader import Bundle, NotReadable
from tests.e2e.command import Airbundle

_SCRIPTS = sorted(DAMAGE.glob("*.sh"))


@dataclass(frozen=True)
class Expected:
    """What the head of a script says: exit status, and findings or an error."""

    status: int
    findings: set[tuple[int, str, str]]
    error: str | None

    @classmethod
    def of(cls, script: Path) -> Expected:
        """Read it."""
        text = script.read_text()
        (status,) = re.findall(r"^# verify exits ([0-9]+)$", text, re.MULTILINE)
        findings = re.findall(r"^# finds ([0-9]) (\S+) (\S+)$", text, re.MULTILINE)
        error = re.search(r"^# error (\S+)$", text, re.MULTILINE)
        assert bool(findings) != bool(error), f"{script.name} does not say what is found"
        found = {(int(check), code, file) for check, code, file in findings}
        return cls(int(status), found, error and error[1])


@pytest.fixture(params=_SCRIPTS, ids=lambda script: script.stem)
def damage(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Expected]:
    """A bundle that a script damaged, and what it promises."""
    script: Path = request.param
    bundle = shutil.copytree(GOLDEN / "two-applications", tmp_path / "bundle")
    subprocess.run([script, bundle], check=True, capture_output=True, timeout=60)
    return bundle, Expected.of(script)


@pytest.mark.parametrize("level", ["quick", "deep"])
def test_verify_finds_it(airbundle: Airbundle, damage: tuple[Path, Expected], level: str) -> None:
    bundle, expected = damage
    result = airbundle("verify", bundle, "--level", level, "--json", status=expected.status, timeout=60)
    if expected.error is not None:
        assert result.error["code"] == expected.error
        return
    found = {(finding["check"], finding["code"], finding["file"]) for finding in result.json["findings"]}
    assert found == expected.findings


def test_the_second_reader_finds_it(damage: tuple[Path, Expected]) -> None:
    bundle, expected = damage
    if expected.error is not None:
        with pytest.raises(NotReadable):
            Bundle(bundle)
        return
    # It makes no xxh3 sums: what the product finds in a block, it finds in the sha256 of the part.
    found = {(5 if check == 5 else min(check, 4), file) for check, file, _ in Bundle(bundle).verify()}
    promised = {(5 if code == "damaged-block" else check, file) for check, code, file in expected.findings}
    assert found == promised


def test_there_are_scripts() -> None:
    assert len(_SCRIPTS) > 20


def test_every_kind_of_finding_on_parts_and_tables_has_a_script() -> None:
    kinds = {code for script in _SCRIPTS for _, code, _ in Expected.of(script).findings}
    assert kinds == {
        "damaged-block", "damaged-table", "missing", "not-regular", "stranger", "too-long", "too-short",
        "wrong-checksums",
    }  # fmt: skip
