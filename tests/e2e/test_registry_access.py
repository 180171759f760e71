"""The command at guarded registries, with credentials from each place that users have them in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.command import Airbundle
from tests.e2e.layouts import Image, layer, write_layout
from tests.servers.guarded_registry import GUEST, guarded
from tests.servers.registry import Certificate, RealRegistry

pytestmark = pytest.mark.registry
_NAME = "docker.io/library/app:1"


@pytest.fixture
def bundle(airbundle: Airbundle, tmp_path: Path) -> Path:
    """A bundle of one small image."""
    layout = write_layout(tmp_path / "layout", {_NAME: Image.of(layer("base", 200_000), layer("app", 100_000))})
    airbundle("pack", f"app=oci:{layout}:{_NAME}", "-o", tmp_path / "good")
    return tmp_path / "good"


def test_a_password_by_variables_and_by_standard_input(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    user, password = GUEST
    secret = tmp_path / "password"
    secret.write_text(password + "\n")
    with guarded("htpasswd", tmp_path / "guarded") as (registry, _):
        refused = airbundle("push", bundle, registry.address, "--plain-http", status=11)
        assert "docker login" in refused.stderr
        with secret.open("rb") as stdin:
            options = ("--plain-http", "--username", user, "--password-stdin", "--json")
            pushed = airbundle("push", bundle, registry.address, *options, stdin=stdin)
        known = airbundle.with_environment(AIRBUNDLE_USERNAME=user, AIRBUNDLE_PASSWORD=password)
        again = known("push", bundle, registry.address, "--plain-http", "--verbose")
        name = pushed.json["images"][0]["target"]
        planned = known("plan", f"x=docker://{name}", "--plain-http", "--json")
        packed = known("pack", f"x=docker://{name}", "--plain-http", "-o", tmp_path / "out")
        wrong = airbundle.with_environment(AIRBUNDLE_USERNAME=user, AIRBUNDLE_PASSWORD="guessed")
        failed = wrong("plan", f"x=docker://{name}", "--plain-http", "--verbose", status=11)
        two = known("plan", f"x=docker://{name}", "y=docker://127.0.0.1:9/a:1", "--plain-http", status=2)
    for result in (pushed, again, planned, packed, failed, two):
        assert password not in str(result)
        assert "guessed" not in str(result)
    assert password.encode() not in b"".join(
        path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()
    )


def test_tokens_an_own_authority_and_an_insecure_registry(
    airbundle: Airbundle, bundle: Path, tmp_path: Path
) -> None:
    config = tmp_path / "docker"
    config.mkdir()
    with guarded("tokens", tmp_path / "tokens") as (registry, _):
        auths = {f"{registry.address}/mine": {"username": GUEST[0], "password": GUEST[1]}}
        (config / "config.json").write_text(json.dumps({"auths": auths}))
        known = airbundle.with_environment(DOCKER_CONFIG=str(config))
        known("push", bundle, f"{registry.address}/other", "--plain-http", status=11)
        pushed = known("push", bundle, f"{registry.address}/mine", "--plain-http", "--json").json
        # Whoever pulls needs to be nobody.
        airbundle("plan", f"x=docker://{pushed['images'][0]['target']}", "--plain-http")
        (config / "config.json").write_text("{")
        broken = known("push", bundle, f"{registry.address}/more", "--plain-http", status=2)
        assert str(config / "config.json") in broken.stderr
    certificate = Certificate.make(tmp_path)
    with RealRegistry(tls=certificate) as real:
        airbundle("push", bundle, real.address, status=10)
        warned = airbundle("push", bundle, real.address, "--insecure", real.address, "--quiet")
        assert "warning" in warned.stderr
        assert "certificate" in warned.stderr
        home = tmp_path / "airbundle/home/.config/containers/certs.d" / real.address
        home.mkdir(parents=True)
        (home / "ca.crt").write_bytes(certificate.certificate.read_bytes())
        assert "warning" not in airbundle("push", bundle, real.address).stderr


def test_a_mirror_serves_what_is_named_after_another(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    with RealRegistry() as real:
        target = airbundle("push", bundle, real.address, "--plain-http", "--json").json["images"][0]["target"]
        path = target.partition("/")[2]
        conf = tmp_path / "registries.conf"
        conf.write_text(
            '[[registry]]\nlocation = "gone.invalid"\n'
            f'[[registry.mirror]]\nlocation = "{real.address}"\ninsecure = true\n'
        )
        mirrored = airbundle.with_environment(CONTAINERS_REGISTRIES_CONF=str(conf))
        plan = mirrored("plan", f"x=docker://gone.invalid/{path}", "--json")
        (image,) = plan.json["applications"][0]["images"]
        assert image["reference"] == f"gone.invalid/{path}"
        assert image["found_at"] == f"{real.address}/{path.rpartition(':')[0]}"
        assert "warning" in plan.stderr
        shown = mirrored("plan", f"x=docker://gone.invalid/{path}")
        assert f"registry: {real.address}/" in shown.stdout
