"""An engine prepares the images of the next group while those of this one are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import AirbundleError
from bundler.packing.pack import write_bundle
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from bundler.sources.engine import EngineSource
from bundler.transports.engine import EngineClient
from tests.builders import KIB, SMALL, contents_of, layer, no_thread_is_left
from tests.fakes.engine import FakeEngine
from tests.fakes.memory import MemorySource
from tests.unit.engines import CLASSIC, NEW_CLASSIC, load, make_fake

#: Images that share nothing: each is a group.
_IMAGES = {
    "ahead.test/a:1": [layer("a", 300 * KIB)],
    "ahead.test/b:1": [layer("b", 200 * KIB)],
    "ahead.test/c:1": [layer("c", 100 * KIB)],
}


@pytest.fixture(params=[CLASSIC, NEW_CLASSIC])
def engine(request: pytest.FixtureRequest) -> Iterator[FakeEngine]:
    with make_fake(request.param) as engine:
        memory, client = MemorySource(), EngineClient(engine.host)
        for name, layers in _IMAGES.items():
            load(client, memory, memory.make_image(layers, name))
        client.close()
        engine.saves.clear()
        yield engine


@pytest.fixture
def source(engine: FakeEngine) -> Iterator[EngineSource]:
    source = EngineSource(EngineClient(engine.host))
    yield source
    source.close()


def _plan(source: EngineSource) -> PackPlan:
    return make_plan(PlannedImage("app", source.resolve(name)[0], source) for name in _IMAGES)


def test_two_requests_are_under_way_at_once(engine: FakeEngine, source: EngineSource, tmp_path: Path) -> None:
    write_bundle(_plan(source), tmp_path / "calm", SMALL)
    engine.saves.clear()
    engine.faults.saves_at_once = threading.Barrier(2)
    write_bundle(_plan(source), tmp_path / "eager", SMALL)
    assert contents_of(tmp_path / "eager") == contents_of(tmp_path / "calm")
    assert len(engine.saves) == len(_IMAGES), "nothing is asked for twice"


def test_an_engine_without_room_for_two_is_asked_again(
    engine: FakeEngine, source: EngineSource, tmp_path: Path
) -> None:
    engine.faults.saves_at_once, engine.faults.refuse_one = threading.Barrier(2), True
    write_bundle(_plan(source), tmp_path / "bundle", SMALL)
    assert verify_bundle(open_bundle(tmp_path / "bundle"), "deep").ok
    assert len(engine.saves) == len(_IMAGES) + 1


def test_what_is_prepared_is_dropped_when_the_pack_fails(engine: FakeEngine, tmp_path: Path) -> None:
    source = EngineSource(EngineClient(engine.host))
    plan = _plan(source)
    engine.faults.cut_save_after = 100 * KIB
    with no_thread_is_left():
        with pytest.raises(AirbundleError):
            write_bundle(plan, tmp_path / "bundle", SMALL)
        source.close()


def test_a_pack_that_goes_on_prepares_only_what_it_reads(
    engine: FakeEngine, source: EngineSource, tmp_path: Path
) -> None:
    plan = _plan(source)
    engine.faults.cut_save_after = 250 * KIB
    with pytest.raises(AirbundleError):
        write_bundle(plan, tmp_path / "bundle", SMALL)
    source.close()
    engine.faults.cut_save_after = None
    engine.saves.clear()
    again = EngineSource(EngineClient(engine.host))
    write_bundle(_plan(again), tmp_path / "bundle", SMALL)
    again.close()
    assert verify_bundle(open_bundle(tmp_path / "bundle"), "deep").ok
    assert len(engine.saves) <= len(_IMAGES)
