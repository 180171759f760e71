"""A project that is locked, carried, imported and checked, with a real engine and a real registry."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from bundler.content.images import OutgoingImage
from bundler.destinations.registry import RegistryDestination
from tests.e2e.command import Airbundle
from tests.fakes.memory import CountingTask, MemorySource, tar_of
from tests.registry_access import PLAIN_HTTP
from tests.requirements import require
from tests.servers.engine import RealEngine, busybox_layer
from tests.servers.registry import RealRegistry

_REPOSITORY = "checked/app"
_BUSYBOX = "/bin/busybox"


def _make(engine: RealEngine, name: str, marker: str) -> None:
    """Make an image of the machine's busybox with a file of its own."""
    repository, _, tag = name.rpartition(":")
    engine.client.api.import_image_from_data(
        busybox_layer(), repository=repository, tag=tag, changes=[f"LABEL marker={marker}"]
    )


def _publish(registry: RealRegistry, tag: str, marker: str) -> None:
    """Let a tag of the registry stand for such an image."""
    memory = MemorySource()
    layers = [busybox_layer(), tar_of({"marker": marker.encode()})]
    image = memory.make_image(layers, f"{registry.address}/{_REPOSITORY}:{tag}", compression="gzip")
    destination = RegistryDestination(registry.address, PLAIN_HTTP, on_existing_tag="overwrite")
    destination.put(OutgoingImage(image.reference, image.tree), memory, CountingTask())
    destination.finish()


def test_locked_carried_and_checked(
    airbundle: Airbundle,
    engine: RealEngine,
    second_engine: RealEngine,
    empty_registry: RealRegistry,
    tmp_path: Path,
) -> None:
    near = airbundle.with_environment(DOCKER_HOST=engine.host, SOURCE_DATE_EPOCH="1700000000")
    far = airbundle.with_environment(DOCKER_HOST=second_engine.host)
    registry = empty_registry
    for tag in ("1.3.0", "1.4.0", "2.0.0"):
        _publish(registry, tag, tag)
    _make(engine, f"{_REPOSITORY}:2.0.0", "local")
    name = f"{registry.address}/{_REPOSITORY}"
    config = tmp_path / "plant.yaml"
    config.write_text(
        "applications:\n  web:\n    images:\n"
        f'    - {{image: "docker://{name}", version: ">=1 <2", smoke: [{_BUSYBOX}, "true"]}}\n'
        f"  local: {{images: ['docker-daemon:{_REPOSITORY}:2.0.0']}}\n"
    )
    near("lock", config, "--plain-http")
    web = json.loads((tmp_path / "airbundle.lock").read_bytes())["images"][1]
    assert [image["reference"] for image in web["images"]] == [f"{name}:1.4.0"]
    assert web["resolved"] == "2023-11-14T22:13:20Z"
    # The registry moves on: a newer version, and the tag stands for another image.
    _publish(registry, "1.4.0", "moved")
    assert near("lock", config, "--plain-http", "--check", status=7).stdout.count("changed  ") == 1
    bundle = tmp_path / "bundle"
    near("pack", config, "--locked", "--plain-http", "-o", bundle)
    table = json.loads((bundle / "bundle.json").read_bytes())
    (image,) = next(one["images"] for one in table["applications"] if one["name"] == "web")
    assert image["descriptor"]["digest"] == web["images"][0]["digest"]
    assert image["smoke"] == [_BUSYBOX, "true"]
    # The far side.
    second_engine.empty()
    assert far("check", bundle, "--json", status=5).error["code"] == "not-listed"
    far("load", bundle)
    checked = far("check", bundle, "--json").json if second_engine.can_run else None
    if checked is not None:
        smoke = [result["status"] for one in checked["images"] for result in one["smoke"]]
        assert (checked["ok"], smoke) == (True, ["passed"])
    far("push", bundle, f"{registry.address}/far", "--plain-http")
    far("check", bundle, f"{registry.address}/far", "--plain-http")
    _make(second_engine, f"{name}:1.4.0", "another")
    assert far("check", bundle, "--app", "web", "--json", status=4).error["code"] == "other-image"
    # What is locked is gone from the engine of the near side.
    engine.client.images.remove(f"{_REPOSITORY}:2.0.0")
    near("pack", config, "--locked", "--plain-http", "-o", tmp_path / "other", status=7)


@pytest.fixture(scope="module")
def tested(
    shared_airbundle: Airbundle, engine: RealEngine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Airbundle, Path]:
    """A bundle whose applications have smoke tests of every kind, and an engine that has its image."""
    if not engine.can_run:
        require("this machine's engine can run no containers")
    _make(engine, "checked/tool:1", "tool")
    smoke = {
        "passes": ["true"], "fails": ["sh", "-c", "echo out; echo err >&2; exit 3"],
        "sleeps": ["sleep", "1000"], "is-absent": ["nonsense"],
        "locked": [
            "sh", "-c",
            "/bin/busybox touch /x 2>/dev/null && exit 10; /bin/busybox touch /tmp/x /run/x || exit 11; "
            "[ \"$(/bin/busybox ls /sys/class/net)\" = lo ] || exit 12; "
            "/bin/busybox grep -q 'CapEff:.0000000000000000' /proc/self/status || exit 13; "
            "/bin/busybox grep -q 'NoNewPrivs:.1' /proc/self/status || exit 14",
        ],
    }  # fmt: skip
    lines = [
        f"  {name}: {{images: [{{image: checked/tool:1, smoke: {json.dumps([_BUSYBOX, *words])}}}]}}"
        for name, words in smoke.items()
    ]
    directory = tmp_path_factory.mktemp("tested")
    (directory / "c.yaml").write_text("\n".join(["applications:", *lines, ""]))
    command = shared_airbundle.with_environment(DOCKER_HOST=engine.host)
    command("pack", directory / "c.yaml", "-o", directory / "bundle")
    return command, directory / "bundle"


@pytest.mark.parametrize(
    ("application", "status", "reason"),
    [
        ("passes", 0, ""), ("locked", 0, ""), ("fails", 7, "it ended with status 3"),
        ("sleeps", 7, "it did not end within 1 s"),
        ("is-absent", 7, "it ended with status 127"),
    ],
)  # fmt: skip
def test_containers(
    tested: tuple[Airbundle, Path], engine: RealEngine, application: str, status: int, reason: str
) -> None:
    airbundle, bundle = tested
    seconds = 1 if "1 s" in reason else 60
    found = airbundle("check", bundle, "--app", application, "--timeout", seconds, "--json", status=status).json
    (result,) = found["images"][0]["smoke"]
    assert result["reason"] == reason, result
    assert len(result["output"]) <= 4096
    if application == "fails":
        assert sorted(result["output"].split()) == ["err", "out"]
    assert engine.client.containers.list(all=True, filters={"label": "airbundle.check"}) == []


def test_an_interrupt_leaves_no_container(tested: tuple[Airbundle, Path], engine: RealEngine) -> None:
    airbundle, bundle = tested
    with airbundle.start("check", bundle, "--app", "sleeps") as running:
        deadline = time.monotonic() + 60
        while not engine.client.containers.list(filters={"label": "airbundle.check"}):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        running.signal(signal.SIGINT)
        assert running.finish().status == 130
    assert engine.client.containers.list(all=True, filters={"label": "airbundle.check"}) == []
