"""What is said of reuse before a pack, and what comes of it."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.reader import open_bundle
from bundler.packing.pack import write_bundle
from bundler.packing.reuse.old_bundle import OldBundle
from bundler.packing.reuse.reuse import Reuse
from bundler.packing.reuse.survey import Reusable, survey
from tests.builders import SMALL, TwoApplications


def test_what_is_said_is_what_is_reused(tmp_path: Path) -> None:
    manifest = TwoApplications().pack(tmp_path / "old")
    applications = TwoApplications()
    reuse = Reuse([OldBundle(open_bundle(tmp_path / "old"))])
    found = survey(applications.plan(), SMALL, reuse)
    layers = [blob for blob in manifest.blobs if blob.diff_id is not None]
    assert found == Reusable(len(layers), sum(blob.size for blob in layers))
    assert applications.engine.opened == applications.registry.opened == []
    write_bundle(applications.plan(), tmp_path / "new", SMALL, reuse=reuse)
    assert reuse.bytes_reused == found.size


def test_nothing_from_nowhere() -> None:
    assert survey(TwoApplications().plan(), SMALL, Reuse()) == Reusable(0, 0)
