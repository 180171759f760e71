"""A load and its engine that are killed in the middle: nothing is loaded twice but what was on its way."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bundler.api.one_by_one import put_images
from bundler.bundle.reader import open_bundle
from bundler.content.hashing import sha256
from bundler.destinations.engine import EngineDestination
from bundler.destinations.engine_patience import Patience
from bundler.errors import Unreachable
from bundler.progress import SILENT
from bundler.transports.engine import EngineClient
from tests.builders import layer, pack_images
from tests.fakes.memory import MemorySource
from tests.faults.kills import Command, Killer
from tests.requirements import require
from tests.servers.engine import RealEngine, why_no_engine

pytestmark = pytest.mark.engine

MIB = 1 << 20
#: Of each image its own layer, over one that all share.
OWN, SHARED = 12 * MIB, 4 * MIB
NAMES = [f"airbundle.test/killed/{name}:1" for name in ("a", "b", "c")]


@dataclass(frozen=True)
class Packed:
    """A bundle of three images, and the DiffIDs of each, bottom first."""

    directory: Path
    layers: dict[str, list[str]]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    source, base = MemorySource(), layer("base", SHARED)
    stacks = {name: [base, layer(name, OWN)] for name in NAMES}
    images = [source.make_image(stack, name, compression="none") for name, stack in stacks.items()]
    directory = tmp_path_factory.mktemp("packed") / "bundle"
    pack_images(directory, source, {"app": images})
    return Packed(directory, {name: [str(sha256(data)) for data in stack] for name, stack in stacks.items()})


@pytest.fixture(scope="module")
def own_engine() -> Iterator[RealEngine]:
    """An engine that nobody else needs: it is killed."""
    require(why_no_engine())
    with RealEngine() as running:
        yield running


@pytest.fixture
def engine_to_kill(own_engine: RealEngine) -> RealEngine:
    own_engine.empty()
    return own_engine


def load(packed: Packed, engine: RealEngine) -> Command:
    return Command.of("load", packed.directory, "--json", "--verbose", DOCKER_HOST=engine.host)


def check_loaded(packed: Packed, engine: RealEngine) -> None:
    for name, layers in packed.layers.items():
        assert engine.layers(name) == layers


def wait_for(engine: RealEngine, size: int, process: subprocess.Popen[bytes], done: int = 0) -> None:
    """Return when the engine has so many bytes of an archive, after it has taken ``done`` images."""
    deadline = time.monotonic() + 60
    while process.poll() is None and (engine.unpacking < size or held(engine) < done):
        assert time.monotonic() < deadline


def held(engine: RealEngine) -> int:
    return sum(map(engine.holds, NAMES))


def finish(process: subprocess.Popen[bytes]) -> tuple[int, dict[str, Any], str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, json.loads(out or b"{}"), err.decode()


# A body that has just begun, one in the middle, and one that has come whole, so that its layers are unpacked.
MOMENTS = [1, OWN // 2, OWN + SHARED]


@pytest.mark.parametrize("size", MOMENTS)
def test_an_engine_that_is_killed_and_restarted(packed: Packed, engine_to_kill: RealEngine, size: int) -> None:
    engine = engine_to_kill
    process = load(packed, engine).start()
    wait_for(engine, size, process)
    assert process.poll() is None, "it was quicker than the one who watched"
    engine.kill()
    threading.Thread(target=engine.restart).start()
    status, document, err = finish(process)
    assert status == 0, err
    check_loaded(packed, engine)
    assert [image["status"] for image in document["images"]] == ["loaded"] * 3
    assert "trying again in 1 s" in err
    # What was sent in vain is counted; it is what the engine had of the one image that was on its way.
    again = [image["bytes_sent_again"] for image in document["images"]]
    assert again[1:] == [0, 0]
    most = SHARED + OWN + 20_000
    assert min(size, SHARED) // 2 <= again[0] <= most
    sent = [image["bytes_sent"] for image in document["images"]]
    assert sent[0] - again[0] <= most
    # The base came with the first one.
    assert all(bytes_sent < OWN + 20_000 for bytes_sent in sent[1:])


@pytest.mark.parametrize(("size", "done"), [(1, 0), (OWN // 2, 0), (OWN // 2, 1), (OWN // 2, 2)])
def test_a_load_that_is_killed_goes_on(packed: Packed, engine_to_kill: RealEngine, size: int, done: int) -> None:
    engine = engine_to_kill
    process = load(packed, engine).start()
    wait_for(engine, size, process, done)
    assert process.poll() is None, "it was quicker than the one who watched"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = [engine.holds(name) for name in NAMES]
    document = load(packed, engine).finish()
    check_loaded(packed, engine)
    skipped = [image["status"] == "skipped" for image in document["images"]]
    # An engine that was just given the end of an image may still complete it.
    assert all(now or not then for now, then in zip(skipped, before, strict=True))
    assert sum(skipped) <= sum(before) + 1
    for image, was_skipped in zip(document["images"], skipped, strict=True):
        assert image["bytes_sent_again"] == 0
        assert (image["bytes_sent"] == 0) is was_skipped
    fresh = 3 - sum(skipped)
    base = 0 if any(skipped) else SHARED
    assert document["bytes_sent"] < fresh * (OWN + 20_000) + base if fresh else document["bytes_sent"] == 0


def test_a_load_that_is_killed_at_random(packed: Packed, engine_to_kill: RealEngine, kills: int) -> None:
    engine, command = engine_to_kill, load(packed, engine_to_kill)
    seconds = command.seconds()
    killer = Killer(kills, "load")
    while killer.goes_on:
        engine.empty()
        killer.kill(command, seconds)
        there = held(engine)
        document = command.finish()
        check_loaded(packed, engine)
        # An image that is there is not sent again, nor the layer that it brought.
        most = (3 - there) * (OWN + 20_000) + (0 if there else SHARED)
        assert document["bytes_sent"] <= most


def test_both_are_killed(packed: Packed, engine_to_kill: RealEngine) -> None:
    engine = engine_to_kill
    process = load(packed, engine).start()
    wait_for(engine, OWN // 2, process, done=1)
    engine.kill()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    engine.restart()
    document = load(packed, engine).finish()
    check_loaded(packed, engine)
    assert document["images"][0]["status"] == "skipped"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_does_not_come_back(packed: Packed, engine_to_kill: RealEngine) -> None:
    engine, waited = engine_to_kill, list[float]()
    bundle = open_bundle(packed.directory)
    killer = threading.Thread(target=_kill_in_mid_load, args=(engine,))
    try:
        killer.start()
        report = put_images(bundle, bundle.images(), _impatient(engine, waited.append), "load", SILENT)
        killer.join()
    finally:
        engine.restart()
    assert isinstance(report.error, Unreachable)
    assert waited == [0.1, 0.2]
    done = [result.reference for result in report.results]
    failed = [name for name, _ in report.failures]
    assert done + failed == NAMES
    # One was on its way; it is told why. The others are listed as not tried, and nothing is said again.
    assert list(report.not_tried) == failed[1:]
    assert [name for name in NAMES if engine.holds(name)] == done
    again = put_images(bundle, bundle.images(), _impatient(engine, waited.append), "load", SILENT)
    assert again.error is None
    check_loaded(packed, engine)
    # The SDK leaves a socket behind for each connection that fails; the errors hold on to them.
    del report
    gc.collect()


def _impatient(engine: RealEngine, sleep: Callable[[float], None]) -> Callable[[], EngineDestination]:
    patience = Patience(delays=(0.1, 0.2), sleep=sleep)
    return lambda: EngineDestination(EngineClient(engine.host), patience=patience)


def _kill_in_mid_load(engine: RealEngine) -> None:
    deadline = time.monotonic() + 60
    while engine.unpacking < OWN // 2 and time.monotonic() < deadline:
        pass
    engine.kill()
