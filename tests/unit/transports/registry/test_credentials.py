from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from bundler.errors import ConfigError, Unauthorised
from bundler.transports.registry.credentials import Credentials, docker_credentials

BASIC = base64.b64encode(b"robot$ci:pass:word").decode()


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "config.json"


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
    assert docker_credentials("reg.test:5000") == Credentials("robot$ci", "pass:word")
    assert docker_credentials("other.test") is None


def test_docker_hub_is_found_under_its_old_address(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": BASIC}}}))
    assert docker_credentials("docker.io") == Credentials("robot$ci", "pass:word")


def test_without_a_config_nobody_is_known(docker_config: Path) -> None:
    assert docker_credentials("reg.test") is None


def test_a_credential_helper_is_asked(docker_config: Path) -> None:
    add_helper(docker_config, {"ServerURL": "known.test:5000", "Username": "u", "Secret": "s"})
    docker_config.write_text(json.dumps({"credHelpers": {"known.test:5000": "memory", "x.test": "memory"}}))
    assert docker_credentials("known.test:5000") == Credentials("u", "s")
    assert docker_credentials("x.test") is None


def test_a_helper_may_hold_an_identity_token(docker_config: Path) -> None:
    add_helper(docker_config, {"ServerURL": "known.test:5000", "Username": "<token>", "Secret": "t"})
    docker_config.write_text(json.dumps({"credsStore": "memory"}))
    assert docker_credentials("known.test:5000") == Credentials(identity_token="t")


def test_a_missing_helper_is_said(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"credsStore": "missing"}))
    with pytest.raises(Unauthorised) as caught:
        docker_credentials("reg.test")
    assert "helper" in caught.value.advice


@pytest.mark.parametrize(
    "auth", ["!!!", base64.b64encode(b"no colon").decode(), "ü", base64.b64encode(b"\xff:x").decode()]
)
def test_an_unreadable_entry_is_a_declared_error(docker_config: Path, auth: str) -> None:
    docker_config.write_text(json.dumps({"auths": {"reg.test": {"auth": auth}}}))
    with pytest.raises(ConfigError):
        docker_credentials("reg.test")


def test_secrets_are_not_shown() -> None:
    assert "word" not in repr(Credentials("u", "password", "password"))
