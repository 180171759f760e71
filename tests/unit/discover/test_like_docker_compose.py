"""`docker compose config --images` says the same of every Compose case that it knows."""

from __future__ import annotations

import subprocess

import pytest

from bundler.discover.compose.options import ComposeOptions
from bundler.discover.compose.project import read_project
from tests.requirements import require
from tests.servers.compose import compose_command, compose_version
from tests.unit.discover.cases import CASES, Case
from tests.unit.discover.test_cases import prepare

COMPOSE_CASES = [case for case in CASES if case.name.startswith("compose/") and case.compare != "never"]
_PROVIDED = "is made by a provider"


@pytest.fixture(scope="module")
def command() -> list[str]:
    found = compose_command()
    require(None if found else "docker compose is not installed and Debian's package cannot be had")
    return found or []


def options_of(case: Case) -> ComposeOptions:
    words = iter(case.arguments)
    taken: dict[str, list[str]] = {}
    for word in words:
        taken.setdefault(word, []).append(next(words))
    directory = taken.get("--project-directory")
    return ComposeOptions(
        files=tuple(taken.get("-f", ())),
        project_name=next(iter(taken.get("-p", ())), None),
        profiles=tuple(taken.get("--profile", ())),
        env_files=tuple(taken.get("--env-file", ())),
        project_directory=case.directory / directory[0] if directory else None,
        environment=case.environment,
    )


@pytest.mark.parametrize("case", COMPOSE_CASES, ids=lambda case: case.name)
def test_the_images_are_the_same(case: Case, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = tuple(int(number) for number in case.compare.split("."))
    if compose_version() < wanted:
        pytest.skip(f"docker compose {compose_version()} does not know this yet")
    run = subprocess.run(
        [*command, *case.arguments, "config", "--images"],
        cwd=case.directory,
        env={"HOME": str(case.directory), "PATH": "/usr/bin:/bin", **case.environment},
        input=case.standard_input,
        capture_output=True,
        check=False,
    )
    said = set(run.stdout.decode().split())
    if case.refusal:
        assert run.returncode, said
        return
    prepare(case, monkeypatch)
    project = read_project(options_of(case), case.standard_input or None)
    own = {hit.image for hit in project.hits if "," not in hit.place.part}
    # It also names what a provider makes, and what an unset variable leaves of a name.
    provided = {
        f"{project.name}-{note.partition('service ')[2].split()[0]}" for note in project.notes if _PROVIDED in note
    }
    left_out = any("is left out" in note for note in project.notes)
    assert own <= said, run.stderr
    assert own == said - provided or left_out, run.stderr
