"""A start costs what it needs: what must not be loaded for a short answer, and for each kind of work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bundler.cli import catalogue
from bundler.cli.application import application

_ROOT = Path(__file__).parents[3]
_SCRIPT = """
import sys
from bundler.cli.main import main
status = main(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(status)
"""
#: Loaded only by the work that needs them.
_RARE = {"cryptography", "docker", "numpy", "pydantic", "requests", "rich", "segno", "tqdm", "urllib3", "yaml"}
#: What every command needs, and no short answer.
_COMMON = {"json", "msgspec", "shutil", "socket", "typer", "xxhash", "zstandard"}


def _loaded(*arguments: object) -> set[str]:
    """Run the command in a process of its own; return the modules that it loaded, and the packages they are in."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{_SCRIPT}", *map(str, arguments)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    modules = done.stderr.splitlines()[-1].split()
    return {*modules, *(module.partition(".")[0] for module in modules)}


@pytest.mark.parametrize("argument", ["--version", "--help", "-h"])
def test_a_short_answer_loads_next_to_nothing(argument: str) -> None:
    loaded = _loaded(argument)
    assert not loaded & (_RARE | _COMMON)
    assert "bundler.cli.main" in loaded
    assert not {module for module in loaded if module.startswith("bundler.") and module.count(".") > 2}


def test_the_help_of_a_command_loads_no_work() -> None:
    loaded = _loaded("pack", "--help")
    assert not loaded & (_RARE | {"msgspec", "xxhash", "zstandard"})
    ours = {module for module in loaded if module.startswith("bundler.cli.commands.")}
    assert ours == {"bundler.cli.commands.pack"}, "the other commands are not asked for"


def test_work_loads_what_it_needs(layout: Path, bundle: Path, tmp_path: Path) -> None:
    for arguments in (
        ("plan", f"x=oci:{layout}:reg.test/x:1"),
        ("pack", f"x=oci:{layout}:reg.test/x:1", "-o", tmp_path / "packed"),
        ("inspect", bundle),
        ("verify", bundle),
        ("copy", bundle, tmp_path / "copied"),
        ("extract", bundle, f"oci:{tmp_path / 'layout2'}"),
    ):
        assert not _loaded(*arguments) & _RARE, arguments


def test_the_catalogue_says_what_the_commands_say() -> None:
    commands = {command.name: command.callback for command in application().registered_commands}
    assert tuple(commands) == catalogue.NAMES
    for names in catalogue.COMMANDS.values():
        for name, summary in names.items():
            callback = commands[name]
            assert callback is not None
            said = (callback.__doc__ or "").partition("\n\n")[0]
            assert " ".join(said.split()) == summary
