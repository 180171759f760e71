"""The push command, killed at random moments and interrupted, and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.bundle.reader import Bundle
from tests.builders import wait_until
from tests.fakes.registry import FakeRegistry
from tests.faults.kills import Command, Killer
from tests.faults.pushes import LAYER, MIB, check_pushed, make_bundle, unique_bytes
from tests.requirements import require, why_no_program
from tests.servers.fault_proxy import FaultProxy, Reply
from tests.servers.registry import PROGRAM, RealRegistry

PIECE, JOBS = MIB // 2, 3


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("push") / "bundle")


@pytest.fixture
def keeping() -> Iterator[FakeRegistry]:
    """A registry that keeps what a cut piece brought, as distribution 3 does."""
    with FakeRegistry() as running:
        running.quirks.keeps_cut = True
        yield running


def push_command(bundle: Bundle, target: str, state: Path) -> Command:
    return Command.of(
        "push", bundle.directory, target, "--plain-http", "--json", "--chunk-size", "512KiB", "--jobs", JOBS,
        XDG_STATE_HOME=state,
    )  # fmt: skip


def is_empty(state: Path) -> bool:
    return not list((state / "airbundle" / "uploads").iterdir())


def kill_pushes(bundle: Bundle, address: str, state: Path, kills: int, lost: int) -> None:
    """Kill pushes, each into a place of its own; of every kill at most ``lost`` bytes are sent again."""
    total = unique_bytes(bundle)
    with FaultProxy(address) as proxy:
        proxy.bytes_per_second = 8e6
        seconds = push_command(bundle, f"{proxy.address}/undisturbed", state).seconds()
        killer, number = Killer(kills, "push"), 0
        while killer.goes_on:
            number += 1
            before, sent_before = killer.done, proxy.upload_bytes
            command = push_command(bundle, f"{proxy.address}/n{number}", state)
            killer.kill(command, seconds)
            said = command.finish()
            check_pushed(bundle, f"{address}/n{number}")
            sent, hits = proxy.upload_bytes - sent_before, killer.done - before
            assert said["bytes_sent"] <= sent <= total + hits * lost
            assert sent >= total
            assert is_empty(state)


def test_push_to_a_registry_that_keeps_uploads(
    bundle: Bundle, keeping: FakeRegistry, tmp_path: Path, kills: int
) -> None:
    kill_pushes(bundle, keeping.address, tmp_path, kills - kills // 2, JOBS * PIECE)


@pytest.mark.registry
def test_push_to_distribution_2(bundle: Bundle, tmp_path: Path, kills: int) -> None:
    require(why_no_program(PROGRAM))
    with RealRegistry(secret="s") as real:
        kill_pushes(bundle, real.address, tmp_path, kills // 2, JOBS * (LAYER + MIB))


# -- interrupts ---------------------------------------------------------------------------------------------------


def end(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Wait for the end of a command; return its status, and how long it took."""
    began = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
    return process.returncode, time.monotonic() - began


@pytest.mark.registry
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("secret", [None, "s"])
def test_an_interrupt_lets_the_pieces_end_and_the_next_run_goes_on(
    bundle: Bundle, tmp_path: Path, number: signal.Signals, secret: str | None
) -> None:
    """Also with distribution 2.8, which would lose an upload whose piece is cut; and after it was killed then."""
    require(why_no_program(PROGRAM))
    with RealRegistry(secret=secret) as real, FaultProxy(real.address) as proxy:
        proxy.bytes_per_second = 1.5e6
        command = push_command(bundle, proxy.address, tmp_path)
        process = command.start()
        wait_until(lambda: proxy.upload_bytes > 3 * MIB)
        process.send_signal(number)
        status, seconds = end(process)
        assert status == 130
        assert seconds < 10
        assert proxy.upload_bytes % PIECE == 0
        kept = len(list((tmp_path / "airbundle" / "uploads").glob("*.json")))
        assert kept >= 1
        proxy.bytes_per_second = 0
        real.kill()
        real.again()
        before = proxy.upload_bytes
        said = command.finish()
        check_pushed(bundle, real.address)
        sent_again = proxy.upload_bytes - unique_bytes(bundle)
        if secret:
            assert sent_again == 0
            assert said["bytes_sent"] == proxy.upload_bytes - before
        else:
            # Without a secret of its own it knows no upload from before: they begin anew.
            assert 0 < sent_again <= kept * LAYER
        assert is_empty(tmp_path)


@pytest.mark.parametrize(("signals", "most"), [(1, 10.0), (2, 3.0)])
def test_a_piece_that_takes_too_long_is_cut_and_a_second_signal_does_not_wait(
    bundle: Bundle, keeping: FakeRegistry, tmp_path: Path, signals: int, most: float
) -> None:
    keeping.quirks.bytes_per_second = 3e4
    process = push_command(bundle, keeping.address, tmp_path).start()
    wait_until(lambda: any(entry.received for entry in keeping.requests("PATCH")))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    if signals == 2:
        time.sleep(1.3)
        process.send_signal(signal.SIGINT)
    assert end(process)[0] == 130
    assert time.monotonic() - began < most


def test_an_interrupt_while_waiting_to_try_again(bundle: Bundle, keeping: FakeRegistry, tmp_path: Path) -> None:
    with FaultProxy(keeping.address) as proxy:
        proxy.plan("PATCH|PUT", Reply(429, b"", {"Retry-After": "100"}), times=100)
        process = push_command(bundle, proxy.address, tmp_path).start()
        wait_until(lambda: proxy.left < 100)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        status, seconds = end(process)
        assert status == 130
        assert seconds < 3


# -- what the command says ----------------------------------------------------------------------------------------


def test_a_registry_that_is_gone_is_said_once(bundle: Bundle, keeping: FakeRegistry, tmp_path: Path) -> None:
    keeping.kill()
    process = push_command(bundle, keeping.address, tmp_path).start()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 10
    failed = [image["error"]["message"] for image in json.loads(out)["images"]]
    assert "no connection" in failed[0]
    # Several are put at once; whoever comes later is not tried.
    assert all("no connection" in message or "not tried" in message for message in failed)
    assert len(err.splitlines()) == 1


def test_one_image_that_fails_does_not_stop_the_others(
    bundle: Bundle, keeping: FakeRegistry, tmp_path: Path
) -> None:
    with FaultProxy(keeping.address) as proxy:
        proxy.plan("POST /v2/erp/", Reply(403, b"quota"), times=1)
        process = push_command(bundle, proxy.address, tmp_path).start()
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 11
        status = {image["reference"]: image["status"] for image in json.loads(out)["images"]}
        assert status == {"x.test/erp:1": "failed", "x.test/shop:1": "pushed"}
        before = proxy.upload_bytes
        said = push_command(bundle, proxy.address, tmp_path).finish()
        assert proxy.upload_bytes - before == said["bytes_sent"] <= 3 * LAYER + MIB
        assert [image["status"] for image in said["images"]] == ["pushed", "skipped"]
