"""From a range of an archive to those whom it hits."""

from __future__ import annotations

import pytest

from bundler.bundle.impact import Impact, ImpactMap
from bundler.bundle.manifest import BundleManifest
from tests.builders import ERP, SHOP, SHOP_TOOLS, TwoApplications


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> BundleManifest:
    return TwoApplications().pack(tmp_path_factory.mktemp("bundle"))


def test_every_byte(manifest: BundleManifest) -> None:
    """Compared with the slow way, at every edge of every blob."""
    impact = ImpactMap(manifest)
    for archive in manifest.archives:
        blobs = [blob for blob in manifest.blobs if blob.archive == archive.name]
        edges = {0, archive.size} | {blob.offset for blob in blobs} | {blob.offset + blob.size for blob in blobs}
        places = sorted(
            {place + step for place in edges for step in (-1, 0, 1) if 0 <= place + step <= archive.size}
        )
        for start in places:
            for end in places:
                hit = {
                    blob.digest
                    for blob in blobs
                    if start < end and blob.offset < end and blob.offset + blob.size > start
                }
                assert set(impact.of_range(archive.name, start, end).blobs) == hit


def test_shared_layers_hit_every_application(manifest: BundleManifest) -> None:
    impact = ImpactMap(manifest)
    (base,) = (blob for blob in manifest.blobs if blob.archive == "shared")
    # Of the two blobs that hold the base layer this one was chosen, and it is that of one image of `shop`.
    hit = impact.of_range("shared", base.offset, base.offset + 1)
    assert hit.applications == ("erp", "shop")
    assert ERP in hit.images
    assert len(hit.images) == 2
    assert impact.of_range("shared", 0, 10) == Impact((), ("erp", "shop"), ())


def test_tables_of_an_archive_hit_its_application_and_no_image(manifest: BundleManifest) -> None:
    (erp,) = (archive for archive in manifest.archives if archive.name == "erp")
    assert ImpactMap(manifest).of_range("erp", erp.size - 1024, erp.size) == Impact((), ("erp",), ())


def test_everything(manifest: BundleManifest) -> None:
    impact = ImpactMap(manifest)
    assert impact.of_range("shop", 0, 1 << 40).images == (SHOP_TOOLS, SHOP)
    assert impact.blobs_in("shop") == sorted(
        (blob for blob in manifest.blobs if blob.archive == "shop"), key=lambda blob: blob.offset
    )
