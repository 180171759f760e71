"""The README's example runs, and its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_library_example_runs_as_it_stands(tmp_path: Path) -> None:
    example = re.search(r"<!-- a test runs this example -->\n```python\n(.*?)```", README, re.DOTALL)
    assert example is not None
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example[1]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "", "the library never prints"
    assert (tmp_path / "plant7" / "bundle.json").is_file()
    assert (tmp_path / "layout" / "index.json").is_file()


def test_every_command_that_the_readme_uses_exists() -> None:
    used = set(re.findall(r"^\$ airbundle ([a-z]+)", README, re.MULTILINE))

    for command in sorted(used):
        done = subprocess.run(
            [sys.executable, "-m", "bundler", command, "--help"], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert len(used) >= 6


def test_every_file_that_the_documents_link_to_is_there() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "samples" / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
