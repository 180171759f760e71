"""Options and the environment become one access: whose the user and password are, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundler.api.registry_access import AccessOptions, open_access, registries_of
from bundler.errors import ConfigError, UsageError
from bundler.transports.registry.credentials import Credentials

BOB = Credentials("bob", "word")
VARIABLES = {"AIRBUNDLE_USERNAME": "bob", "AIRBUNDLE_PASSWORD": "word"}


def options(home: Path, **changes: object) -> AccessOptions:
    environment = {"HOME": str(home), **changes.pop("environment", {})}  # type: ignore[dict-item]
    return AccessOptions(environment=environment, **changes)  # type: ignore[arg-type]


def test_a_user_and_password_are_for_the_one_registry(tmp_path: Path) -> None:
    for given in (
        options(tmp_path, username="bob", password="word"),
        options(tmp_path, environment=VARIABLES),
        options(tmp_path, username="bob", password="word", environment={"AIRBUNDLE_USERNAME": "other"}),
    ):
        find = open_access(given, ["reg.test"]).credentials
        assert find("reg.test", "a") == BOB
        # A mirror, or where a name leads otherwise.
        assert find("other.test", "a") is None


@pytest.mark.parametrize("registries", [[], ["a.test", "b.test"]])
def test_for_none_or_several_it_is_an_error(tmp_path: Path, registries: list[str]) -> None:
    with pytest.raises(UsageError, match="one registry"):
        open_access(options(tmp_path, username="bob", password="word"), registries)
    # Variables may be there for another command.
    find = open_access(options(tmp_path, environment=VARIABLES), registries).credentials
    with pytest.raises(UsageError, match="one registry") as caught:
        find("a.test", "x")
    assert "bob" not in f"{caught.value}"


@pytest.mark.parametrize(
    "changes",
    [{"username": "bob"}, {"password": "word"}, {"environment": {"AIRBUNDLE_USERNAME": "bob"}},
     {"environment": {"AIRBUNDLE_PASSWORD": "word"}}, {"username": "bob", "environment": VARIABLES}],
)  # fmt: skip
def test_half_of_it_is_an_error(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        open_access(options(tmp_path, **changes), ["reg.test"])


def test_else_what_was_stored_is_found(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {"reg.test": {"auth": "Ym9iOndvcmQ="}}}))
    assert open_access(options(tmp_path), ["reg.test"]).credentials("reg.test", "a") == BOB


@pytest.mark.parametrize("name", ["docker.io", "https://reg.test", "reg.test/path", "", "index.docker.io"])
def test_what_cannot_be_insecure(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--insecure"):
        open_access(options(tmp_path, insecure=(name,)), [])


def test_insecure_registries(tmp_path: Path) -> None:
    access = open_access(options(tmp_path, insecure=("lab", "reg.test:5000")), [])
    assert [name for name in ("lab:5000", "lab:1", "reg.test:5000", "reg.test", "docker.io")
            if access.address(name).insecure] == ["lab:5000", "lab:1", "reg.test:5000"]  # fmt: skip


def test_a_proxy_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        open_access(options(tmp_path, environment={"HTTPS_PROXY": "socks5://x.test"}), [])


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    assert "word" not in repr(options(tmp_path, username="bob", password="word", environment=VARIABLES))


def test_registries_that_names_may_lead_to() -> None:
    names = [
        "busybox:1",
        "docker://reg.test/a:1",
        "docker-daemon:x.test/a:1",
        "oci:dir:x.test/b",
        "reg.test/b",
        "::",
    ]
    assert registries_of(names) == ["docker.io", "reg.test"]
