from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from bundler.errors import ConfigError, Unauthorised
from bundler.transports.registry.access.places import Places
from bundler.transports.registry.access.stored_credentials import StoredCredentials
from bundler.transports.registry.credentials import Credentials

BASIC = base64.b64encode(b"robot$ci:pass:word").decode()


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "config.json"


def find(registry: str, repository: str = "") -> Credentials | None:
    """Look up as a new run of the command does."""
    return StoredCredentials(Places.of_this_process())(registry, repository)


def add_helper(docker_config: Path, answer: dict[str, str]) -> None:
    """Put a credential helper on the path that knows one registry."""
    script = docker_config.parent / "docker-credential-memory"
    script.write_text(
        "#!/bin/sh\nread -r name\n"
        f"case $name in known.test:5000) printf '%s' '{json.dumps(answer)}' ;;\n"
        "*) echo 'credentials not found in native keychain'; exit 1 ;; esac\n"
    )
    script.chmod(0o755)


@pytest.mark.parametrize("key", ["reg.test:5000", "https://reg.test:5000/v1/", "https://reg.test:5000"])
def test_the_config_file_is_read_under_every_spelling(docker_config: Path, key: str) -> None:
    docker_config.write_text(json.dumps({"auths": {key: {"auth": BASIC}}}))
    assert find("reg.test:5000") == Credentials("robot$ci", "pass:word")
    assert find("other.test") is None


def test_docker_hub_is_found_under_its_old_address(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": BASIC}}}))
    assert find("docker.io") == Credentials("robot$ci", "pass:word")


def test_without_a_config_nobody_is_known(docker_config: Path) -> None:
    assert find("reg.test") is None


def test_a_credential_helper_is_asked(docker_config: Path) -> None:
    add_helper(docker_config, {"ServerURL": "known.test:5000", "Username": "u", "Secret": "s"})
    docker_config.write_text(json.dumps({"credHelpers": {"known.test:5000": "memory", "x.test": "memory"}}))
    assert find("known.test:5000") == Credentials("u", "s")
    assert find("x.test") is None


def test_a_helper_may_hold_an_identity_token(docker_config: Path) -> None:
    add_helper(docker_config, {"ServerURL": "known.test:5000", "Username": "<token>", "Secret": "t"})
    docker_config.write_text(json.dumps({"credsStore": "memory"}))
    assert find("known.test:5000") == Credentials(identity_token="t")


def test_a_missing_helper_is_said(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"credsStore": "missing"}))
    with pytest.raises(Unauthorised) as caught:
        find("reg.test")
    assert "docker-credential-missing" in str(caught.value)
    assert "helper" in caught.value.advice


@pytest.mark.parametrize("answer", ["secret-pass", "[]", '{"Username": "u"}', '{"Username": 1, "Secret": 2}'])
def test_a_helper_that_answers_nonsense_is_said_but_not_repeated(docker_config: Path, answer: str) -> None:
    script = docker_config.parent / "docker-credential-odd"
    script.write_text(f"#!/bin/sh\necho '{answer}'\n")
    script.chmod(0o755)
    docker_config.write_text(json.dumps({"credsStore": "odd"}))
    with pytest.raises(Unauthorised) as caught:
        find("reg.test")
    assert "docker-credential-odd" in str(caught.value)
    assert "secret-pass" not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.parametrize("name", ["../evil", "a/b", "\0"])
def test_a_helper_is_a_program_of_the_path(docker_config: Path, name: str) -> None:
    docker_config.write_text(json.dumps({"credsStore": name}))
    with pytest.raises(Unauthorised, match="no name of a program"):
        find("reg.test")


def test_docker_hub_is_asked_of_a_helper_under_its_old_address(docker_config: Path) -> None:
    script = docker_config.parent / "docker-credential-hub"
    script.write_text(
        "#!/bin/sh\nread -r name\n"
        '[ "$name" = https://index.docker.io/v1/ ] && echo \'{"Username": "u", "Secret": "s"}\' && exit\n'
        "echo 'credentials not found in native keychain'; exit 1\n"
    )
    script.chmod(0o755)
    docker_config.write_text(json.dumps({"credHelpers": {"https://index.docker.io/v1/": "hub"}}))
    assert find("docker.io", "library/busybox") == Credentials("u", "s")


def auth(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:x".encode()).decode()}


def test_the_longest_path_wins(docker_config: Path) -> None:
    keys = ("reg.test", "reg.test/shop", "reg.test/shop/web", "docker.io/mine", "https://reg.test:5000/shop")
    docker_config.write_text(json.dumps({"auths": {key: auth(f"user{n}") for n, key in enumerate(keys)}}))
    found = StoredCredentials(Places.of_this_process())
    for registry, repository, expected in (
        ("reg.test", "", 0),
        ("reg.test", "other", 0),
        ("reg.test", "shopping", 0),
        ("reg.test", "shop/api", 1),
        ("reg.test", "shop/web", 2),
        ("reg.test", "shop/web/x", 2),
        ("docker.io", "mine/a", 3),
        # A URL names a registry, whatever path it has.
        ("reg.test:5000", "other", 4),
    ):
        assert found(registry, repository) == Credentials(f"user{expected}", "x"), (registry, repository)
    assert found("docker.io", "library/busybox") is None


def test_a_path_of_its_own_goes_before_the_store_of_all(docker_config: Path) -> None:
    add_helper(docker_config, {"ServerURL": "known.test:5000", "Username": "u", "Secret": "s"})
    auths = {"known.test:5000/mine": auth("own"), "known.test:5000": {}, "x.test": auth("file")}
    docker_config.write_text(json.dumps({"credsStore": "memory", "auths": auths}))
    assert find("known.test:5000", "mine/a") == Credentials("own", "x")
    assert find("known.test:5000", "a") == Credentials("u", "s")
    assert find("x.test", "a") == Credentials("file", "x")


def test_podman_is_asked_where_docker_knows_nobody(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_config.write_text(json.dumps({"auths": {"both.test": auth("docker")}}))
    runtime, own, named = (
        docker_config.parent / path
        for path in ("run/containers/auth.json", "home/.config/containers/auth.json", "named.json")
    )
    for path, user in ((runtime, "runtime"), (own, "own"), (named, "named")):
        path.parent.mkdir(parents=True, exist_ok=True)
        auths = {name: auth(user) for name in ("both.test", "podman.test", f"{user}.test")}
        path.write_text(json.dumps({"auths": auths}))
    assert find("both.test") == Credentials("docker", "x")
    assert find("podman.test") == Credentials("runtime", "x")
    assert find("own.test") == Credentials("own", "x")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(named))
    assert find("podman.test") == Credentials("named", "x")
    assert find("own.test") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 1}', '{"auths": {"a": 1}}', '{"credsStore": 5}', "\xff"])
def test_a_broken_file_is_named(docker_config: Path, text: str) -> None:
    docker_config.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"config\.json") as caught:
        find("reg.test")
    assert caught.value.advice


def test_a_file_that_may_not_be_read_is_named(docker_config: Path) -> None:
    docker_config.mkdir()
    with pytest.raises(ConfigError, match=r"config\.json"):
        find("reg.test")


def test_an_identity_token_in_a_file(docker_config: Path) -> None:
    entry = {**auth("00000000-0000"), "identitytoken": "t"}
    docker_config.write_text(json.dumps({"auths": {"reg.test": entry}, "HttpHeaders": {"a": "b"}}))
    assert find("reg.test") == Credentials(identity_token="t")


@pytest.mark.parametrize(
    "auth", ["!!!", base64.b64encode(b"no colon").decode(), "ü", base64.b64encode(b"\xff:x").decode()]
)
def test_an_unreadable_entry_is_a_declared_error(docker_config: Path, auth: str) -> None:
    docker_config.write_text(json.dumps({"auths": {"reg.test": {"auth": auth}}}))
    with pytest.raises(ConfigError) as caught:
        find("reg.test")
    assert auth not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    assert "word" not in repr(Credentials("u", "password", "password"))
