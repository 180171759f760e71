"""Where an engine puts what it saves, by what kind of engine it is."""

from __future__ import annotations

from dataclasses import replace

from bundler.content.hashing import sha256
from bundler.content.images import EngineForm
from bundler.model.platforms import Platform
from bundler.transports.engine.facts import EngineInfo
from bundler.transports.engine.save_places import save_places
from bundler.transports.engine.v1_ids import v1_ids
from tests.fakes.memory import AMD64, MemorySource

_UTC = "1970-01-01T00:00:00Z"
_OLD = EngineInfo((20, 10, 24), "classic", Platform.parse(AMD64), epoch=_UTC)
_SOURCE = MemorySource("docker")
_ONE = _SOURCE.make_engine_image([b"base", b"one"], "x/one:1")
_TWO = _SOURCE.make_engine_image([b"base", b"two"], "x/two:1")
_TWICE = _SOURCE.make_engine_image([b"a", b"b", b"a"], "x/twice:1")
_BASE, _TOP = _ONE.diff_ids


def config_of(form: EngineForm) -> bytes:
    return _SOURCE.blobs[form.config_digest]


def test_new_engines_name_by_digest() -> None:
    for info in (
        replace(_OLD, version=(25, 0), epoch=None),
        replace(_OLD, version=(26, 1, 5)),
        replace(_OLD, store="containerd", version=(24,)),
    ):
        places = save_places(info, [_ONE], {})
        assert places == {digest: ("blobs", "sha256", digest.hex) for digest in _ONE.digests}


def test_old_engines_name_by_v1_id() -> None:
    ids = v1_ids(_ONE.diff_ids, _UTC, config_of(_ONE))
    places = save_places(_OLD, [_ONE], {_ONE.config_digest: config_of(_ONE)})
    assert places == {
        diff_id: (v1_id, "layer.tar") for diff_id, v1_id in zip(_ONE.diff_ids, ids, strict=True) if v1_id
    }
    assert len(places) == 2
    assert save_places(_OLD, [_ONE], {}) == {_BASE: places[_BASE]}


def test_of_a_layer_that_occurs_twice_the_lower_place_counts() -> None:
    ids = v1_ids(_TWICE.diff_ids, _UTC)
    places = save_places(_OLD, [_TWICE], {})
    assert places == {_TWICE.diff_ids[0]: (ids[0], "layer.tar"), _TWICE.diff_ids[1]: (ids[1], "layer.tar")}


def test_a_layer_with_two_places_has_none() -> None:
    other = replace(_TWO, diff_ids=_ONE.diff_ids[::-1])
    assert save_places(_OLD, [_ONE, other], {}) == {}
    assert save_places(_OLD, [_ONE, _TWO], {}).keys() == {_BASE}


def test_engines_of_which_it_is_not_known() -> None:
    for info in (
        replace(_OLD, epoch=None),
        replace(_OLD, version=(19, 3)),
        replace(_OLD, version=()),
        replace(_OLD, is_docker=False, version=(4, 3)),
        replace(_OLD, is_docker=False, version=(26,)),
    ):
        assert save_places(info, [_ONE], {_ONE.config_digest: config_of(_ONE)}) == {}


def test_another_digest_is_no_config() -> None:
    assert save_places(_OLD, [_ONE], {sha256(b"x"): config_of(_ONE)}).keys() == {_BASE}
