from __future__ import annotations

import errno
import gc
import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.content.chain_ids import chain_ids
from bundler.content.streams import read_all
from bundler.errors import (
    ConfigError,
    DamagedContent,
    NoSpace,
    NotFound,
    ProtocolError,
    Refused,
    Unauthorised,
    Unreachable,
)
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.transports.engine import EngineClient
from tests.fakes.engine import FakeEngine
from tests.fakes.memory import MemorySource
from tests.unit.engines import CLASSIC, CONTAINERD, ENGINES, layer, load, make_fake, new_name, running


@pytest.fixture(params=ENGINES)
def client(request: pytest.FixtureRequest) -> Iterator[EngineClient]:
    with running(request.param, request) as host:
        client = EngineClient(host)
        yield client
        client.close()


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    with make_fake(CLASSIC) as engine:
        yield engine


@pytest.fixture
def faulty(fake: FakeEngine) -> Iterator[EngineClient]:
    client = EngineClient(fake.host, timeout=1)
    yield client
    client.close()


def test_an_engine_says_what_it_is(client: EngineClient) -> None:
    info = client.info
    assert info.version >= (20,)
    assert info.is_docker
    assert info.platform.os == "linux"
    assert info.completes_layers == (info.store == "classic")


@pytest.mark.parametrize("which", [CLASSIC, CONTAINERD])
def test_the_kind_of_store_and_what_it_reads_are_told(which: str) -> None:
    with make_fake(which) as engine:
        client = EngineClient(engine.host)
        assert (client.info.store, client.info.reads_zstd) == (
            ("containerd", True) if which == CONTAINERD else ("classic", False)
        )
        client.close()


def test_an_image_is_inspected_under_its_name_and_its_id(client: EngineClient) -> None:
    source, name = MemorySource(), new_name()
    image = source.make_image([layer(name), layer("top")], name)
    load(client, source, image)
    found = client.inspect(name)
    assert found is not None
    assert found.diff_ids == image.tree.select(client.info.platform).config.diff_ids  # type: ignore[union-attr]
    assert found.repo_tags == (Reference.parse(name),)
    assert found.platform == Platform.parse("linux/amd64")
    assert client.inspect(found.id) == found
    assert client.is_listed(found.id)


def test_an_image_that_is_not_there_is_none_and_cannot_be_saved(client: EngineClient) -> None:
    name = new_name()
    assert client.inspect(name) is None
    with pytest.raises(NotFound, match="no such image"):
        client.save(name)
    with pytest.raises(NotFound):
        client.tag(name, Reference.parse(name))
    client.untag(name)


def test_names_are_set_and_removed(client: EngineClient) -> None:
    source, name, other = MemorySource(), new_name(), new_name("2")
    load(client, source, source.make_image([layer(name)], name))
    client.tag(name, Reference.parse(other))
    first, second = client.inspect(name), client.inspect(other)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    client.untag(other)
    assert client.inspect(other) is None


def test_present_chains_are_those_of_all_images() -> None:
    with make_fake(CLASSIC) as engine:
        client, source = EngineClient(engine.host), MemorySource()
        assert client.present_chains() == frozenset()
        image = source.make_image([layer("a"), layer("b"), layer("a")], new_name())
        load(client, source, image)
        config = image.tree.platform_images()[0].config
        assert config is not None
        assert client.present_chains() == set(chain_ids(config.diff_ids))
        client.close()


def test_an_error_inside_a_success_is_raised(fake: FakeEngine, faulty: EngineClient) -> None:
    fake.faults.load_error = "open /x: no such file or directory"
    with pytest.raises(Refused, match="open /x"):
        faulty.load([b"data"])
    fake.faults.load_error = "write /x: no space left on device"
    with pytest.raises(NoSpace, match="write /x"):
        faulty.load([b"data"])


def test_an_error_of_the_sender_passes_through_and_nothing_is_stored(
    fake: FakeEngine, faulty: EngineClient
) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"data"
        raise DamagedContent("the blob is damaged")

    with pytest.raises(DamagedContent, match="the blob is damaged"):
        faulty.load(chunks())
    assert fake.uploads == []


def test_an_engine_that_breaks_off_a_load_is_unreachable(fake: FakeEngine, faulty: EngineClient) -> None:
    fake.faults.break_load_after = 100_000
    with pytest.raises(Unreachable):
        faulty.load(b"x" * 50_000 for _ in range(1000))


def test_a_long_silence_ends_neither_a_load_nor_a_save(fake: FakeEngine, faulty: EngineClient) -> None:
    source, name = MemorySource(), new_name()
    # More than the timeout of the client, which is a second.
    fake.faults.silence = 1.5
    load(faulty, source, source.make_image([layer(name)], name))
    stream = faulty.save(name)
    assert read_all(stream, 1 << 20)
    stream.close()


@pytest.mark.parametrize("cut", [0, 100, 70_000])
def test_a_save_that_breaks_off_is_no_end(fake: FakeEngine, faulty: EngineClient, cut: int) -> None:
    source, name = MemorySource(), new_name()
    load(faulty, source, source.make_image([layer(name, 200_000)], name))
    fake.faults.cut_save_after = cut
    stream = faulty.save(name)
    with pytest.raises(Unreachable, match="broke off"):
        read_all(stream, 1 << 20)
    stream.close()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"Id": "sha256:x"}', b'{"Id": 1, "Id": 1}'])
def test_nonsense_is_an_error_of_the_protocol(fake: FakeEngine, faulty: EngineClient, body: bytes) -> None:
    fake.faults.nonsense = body
    with pytest.raises(ProtocolError):
        faulty.inspect("x:1")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_engine_is_unreachable_with_advice(tmp_path: Path) -> None:
    # The SDK leaves a socket behind for each connection that fails.
    with pytest.raises(Unreachable) as caught:
        EngineClient(f"unix://{tmp_path}/nothing")
    assert "DOCKER_HOST" in caught.value.advice
    del caught
    gc.collect()


GARBAGE = ["nonsense://x", "here", "tcp://", "tcp://far:x", "tcp://far:99999", "fd://", "tcp://far\x1b[2J"]


@pytest.mark.parametrize("host", GARBAGE)
def test_an_address_that_is_none(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(ConfigError, match=r"DOCKER_HOST says .*, which is no address of an engine") as caught:
        EngineClient()
    assert "unix:///PATH" in caught.value.advice
    assert "\x1b" not in str(caught.value)
    with pytest.raises(ConfigError):
        EngineClient(host)


@pytest.mark.parametrize("host", ["ssh://far", "SSH://user@far:22/x"])
def test_an_engine_behind_ssh(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(ConfigError, match="not spoken to over ssh") as caught:
        EngineClient()
    assert "ssh -N -L" in caught.value.advice


def test_an_engine_behind_ssh_by_its_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"far").hexdigest()
    meta.mkdir(parents=True)
    endpoint = {"docker": {"Host": "ssh://far", "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Metadata": {}, "Endpoints": endpoint}))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    with pytest.raises(ConfigError, match="the docker context 'far' says 'ssh://far'"):
        EngineClient()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_socket_that_this_user_may_not_use(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may use any: the refusal has to be made.
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(Unauthorised, match="may not use the engine") as caught:
        EngineClient(fake.host)
    assert "docker" in caught.value.advice
    assert caught.value.exit_status == 11
    del caught
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_is_no_engine_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unreachable):
            EngineClient(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    gc.collect()


def test_the_environment_says_where_the_engine_is(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", fake.host)
    client = EngineClient()
    assert client.info.version == (20, 10, 24)
    client.close()
