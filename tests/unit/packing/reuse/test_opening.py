"""Which bundles may be named for reuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.errors import NotABundle, NotFound
from bundler.packing.pack import write_bundle
from bundler.packing.reuse.opening import open_reuse
from bundler.packing.reuse.survey import survey
from tests.builders import SMALL, TwoApplications, contents_of
from tests.unit.packing.reuse.test_cache import Messages


def test_a_bundle_in_pieces(tmp_path: Path) -> None:
    """What is on one stick comes from there, what is on the other from there."""
    TwoApplications().pack(tmp_path / "whole")
    for number in range(2):
        (tmp_path / str(number)).mkdir()
    for place, (name, data) in enumerate(contents_of(tmp_path / "whole").items()):
        for number in range(2):
            if ".oci.tar" not in name or place % 2 == number:
                (tmp_path / str(number) / name).write_bytes(data)
    applications = TwoApplications()
    with open_reuse([tmp_path / "0", tmp_path / "1"]) as reuse:
        write_bundle(applications.plan(), tmp_path / "new", SMALL, reuse=reuse)
    assert contents_of(tmp_path / "new") == contents_of(tmp_path / "whole")
    assert reuse.bytes_reused > 0
    assert len(applications.registry.opened) < 5


def test_a_table_that_is_lost_is_told_and_no_error(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path / "old")
    for name in ("bundle.json", "bundle.json.bak"):
        (tmp_path / "old" / name).write_bytes(b"junk")
    messages = Messages()
    with open_reuse([tmp_path / "old"], progress=messages) as reuse:
        assert survey(TwoApplications().plan(), SMALL, reuse).count == 0
    assert len(messages.texts) == 1
    assert f"nothing is reused of {tmp_path / 'old'}: " in messages.texts[0]


def test_what_is_no_bundle_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFound), open_reuse([tmp_path / "none"]):
        pass
    with pytest.raises(NotABundle), open_reuse([tmp_path]):
        pass
