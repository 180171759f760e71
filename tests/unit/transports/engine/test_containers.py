"""Containers: locked in, bounded, and removed whatever happens."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bundler.errors import NotFound, Refused
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.transports.engine import EngineClient
from bundler.transports.engine.containers import LABEL, Containers, tail_of_output
from tests.fakes.engine import FakeEngine

IMAGE = Digest("sha256:" + "1" * 64)
BUSYBOX = "/bin/busybox"


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as running:
        yield running


@pytest.fixture
def containers(engine: FakeEngine) -> Iterator[Containers]:
    client = EngineClient(engine.host)
    yield client.containers
    client.close()


def test_it_is_locked_in(engine: FakeEngine, containers: Containers) -> None:
    ended = containers.run(IMAGE, [BUSYBOX, "echo", "hello"], 10)
    assert (ended.exit_status, ended.reason, ended.output) == (0, "", "hello\nand an error\n")
    (asked,) = engine.containers.asked
    host = asked["HostConfig"]
    assert (asked["Image"], asked["Entrypoint"], asked["Cmd"]) == (IMAGE, [BUSYBOX, "echo", "hello"], [])
    assert (asked["NetworkDisabled"], host["NetworkMode"], host["ReadonlyRootfs"]) == (True, "none", True)
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])
    assert 0 < host["PidsLimit"] < 1000
    assert 0 < host["Memory"] == host["MemorySwap"] <= 1 << 30
    assert all("size=" in options for options in host["Tmpfs"].values())
    assert asked["Healthcheck"] == {"Test": ["NONE"]}
    assert LABEL in asked["Labels"]
    assert not {"Privileged", "Binds", "Mounts", "CapAdd", "Devices"} & host.keys()
    assert not engine.containers.by_name


def test_what_the_engine_says_of_its_end(engine: FakeEngine, containers: Containers) -> None:
    ended = containers.run(IMAGE, [BUSYBOX, "eat"], 10)
    assert (ended.exit_status, ended.reason) == (137, "it had no memory left")
    assert not engine.containers.by_name


def test_an_engine_that_runs_nothing_is_not_the_images_fault(engine: FakeEngine, containers: Containers) -> None:
    engine.containers.refuse_start = "cgroups: cannot find cgroup mount destination"
    with pytest.raises(Refused, match="cgroup"):
        containers.run(IMAGE, [BUSYBOX, "true"], 10)
    assert not engine.containers.by_name


def test_an_interrupt_removes_it_too(
    engine: FakeEngine, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> bool:
        assert engine.containers.by_name
        raise KeyboardInterrupt

    monkeypatch.setattr(Containers, "_waited", interrupted)
    with pytest.raises(KeyboardInterrupt):
        containers.run(IMAGE, [BUSYBOX, "sleep", "9"], 10)
    assert not engine.containers.by_name


def test_an_interrupt_while_the_engine_makes_it_leaves_nothing(engine: FakeEngine, containers: Containers) -> None:
    """An engine makes what nobody waits for any more: it may come after it was to be removed."""

    def slowly() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)

    engine.containers.before_create = slowly
    with pytest.raises(KeyboardInterrupt):
        containers.run(IMAGE, [BUSYBOX, "true"], 10)
    time.sleep(0.5)
    assert len(engine.containers.asked) == 1
    assert not engine.containers.by_name


@pytest.mark.parametrize("says_status", [True, False])
def test_a_command_that_is_not_there_has_failed(
    engine: FakeEngine, containers: Containers, says_status: bool
) -> None:
    engine.containers.says_status = says_status
    ended = containers.run(IMAGE, ["nosuch", "-v"], 10)
    assert ended.exit_status == 127
    assert 'exec: "nosuch": executable file not found' in ended.reason


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ('runc: exec: "x": executable file not found in $PATH: OCI runtime attempted to invoke', 127),
        ('runc: exec: "x": stat x: no such file or directory', 127),
        ('runc: exec: "x": permission denied: OCI permission denied', 126),
        ("crun: executable file `x` not found in $PATH: No such file or directory", 127),
        ("crun: open executable: Permission denied: OCI permission denied", 126),
        ("runc: error setting rlimit type 7: operation not permitted: OCI permission denied", None),
        ('exec: "runc": executable file not found in $PATH', None),
    ],
)
def test_what_runtimes_say_of_a_command(
    engine: FakeEngine, containers: Containers, said: str, status: int | None
) -> None:
    engine.containers.refuse_start = said
    if status is None:
        with pytest.raises(Refused):
            containers.run(IMAGE, ["x"], 10)
    else:
        assert containers.run(IMAGE, ["x"], 10).exit_status == status


def test_a_second_interrupt_removes_it_all_the_same(
    engine: FakeEngine, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, calls = Containers._remove, []

    def interrupted(self: Containers, name: str) -> None:
        calls.append(name)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(self, name)

    monkeypatch.setattr(Containers, "_remove", interrupted)
    with pytest.raises(KeyboardInterrupt):
        containers.run(IMAGE, [BUSYBOX, "true"], 10)
    assert not engine.containers.by_name


def test_a_container_that_vanishes(engine: FakeEngine, containers: Containers) -> None:
    """Somebody else may remove it: that is said, and is no bug."""

    def remove_soon() -> None:
        while not engine.containers.by_name:
            pass
        engine.containers.remove(next(iter(engine.containers.by_name)))

    thread = threading.Thread(target=remove_soon)
    thread.start()
    with pytest.raises(NotFound):
        containers.run(IMAGE, [BUSYBOX, "sleep", "9"], 20)
    thread.join()


PLAIN = b"what a terminal gets"
FRAMES = b"\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\2de"


@pytest.mark.parametrize("step", [1, 3, 7, 100])
@pytest.mark.parametrize(("data", "text"), [(FRAMES, b"abcde"), (PLAIN, PLAIN), (b"", b"")])
def test_output_comes_in_frames_or_without(data: bytes, text: bytes, step: int) -> None:
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    assert tail_of_output(pieces, DEFAULT_LIMITS) == text


def test_the_end_of_it_is_kept_and_so_much_is_read() -> None:
    assert tail_of_output([FRAMES], replace(Limits(), smoke_output_bytes=2)) == b"de"

    def endless() -> Iterator[bytes]:
        while True:
            yield b"\1\0\0\0\0\0\0\3abc"

    assert tail_of_output(endless(), replace(Limits(), engine_answer_bytes=1000)).startswith(b"abc")
