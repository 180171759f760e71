"""Pushes to products that break off or refuse in the middle: the rest arrives, and the cost is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.api.one_by_one import put_images
from bundler.api.transfer_report import TransferReport
from bundler.bundle.reader import Bundle
from bundler.content.images import RegistryForm
from bundler.destinations.registry import RegistryDestination
from bundler.errors import ExitStatus
from bundler.progress import SILENT
from bundler.sources.registry import RegistrySource
from bundler.transports.registry.retries import RetryPolicy
from tests.fakes.memory import MemorySource
from tests.fakes.products.harbor import Harbor, Project
from tests.fakes.products.nexus import Nexus
from tests.fakes.products.pushing import as_ci, docker_image, image, pushing, put
from tests.fakes.products.zot import Zot
from tests.fakes.registry import FakeRegistry
from tests.faults.pushes import LAYER, MIB, make_bundle, unique_bytes
from tests.servers.fault_proxy import Cut, FaultProxy, LoseAnswer

PIECE, JOBS = MIB // 2, 3
PATIENT = RetryPolicy(first_seconds=0.1, longest_seconds=0.3, longest_asked_seconds=0.3)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Two applications, the images shop:1 and erp:1, of three layers each."""
    return make_bundle(tmp_path_factory.mktemp("products") / "bundle")


def push(bundle: Bundle, destination: str, state: Path | None = None) -> TransferReport:
    """Push all images as the command does, and let each end as it does."""

    def opened() -> RegistryDestination:
        return RegistryDestination(
            destination,
            as_ci(),
            jobs=JOBS,
            on_existing_tag="overwrite",
            piece_bytes=PIECE,
            state_directory=state,
            retries=PATIENT,
        )

    return put_images(bundle, bundle.images(), opened, "push", SILENT)


def there(address: str, path: str) -> str:
    source = RegistrySource(as_ci())
    (found,) = source.resolve(f"{address}/{path}")
    source.close()
    assert isinstance(found, RegistryForm)
    return str(found.tree.root.digest)


def check_all(bundle: Bundle, address: str, prefix: str) -> None:
    for _, held in bundle.images():
        name = held.reference.partition("/")[2]
        assert there(address, f"{prefix}/{name}") == held.descriptor.digest


@pytest.mark.parametrize("fault", [Cut(200_000), Cut(0), LoseAnswer()], ids=["cut", "cut at once", "answer lost"])
def test_zot_loses_an_upload_whose_piece_is_cut(bundle: Bundle, fault: Cut | LoseAnswer) -> None:
    """It is begun anew, and the others are not hit."""
    with FakeRegistry(product=Zot()) as fake, FaultProxy(fake.address) as proxy:
        for skip in (1, 5):
            proxy.plan("PATCH", fault, skip=skip)
        report = push(bundle, f"{proxy.address}/a/b/c")
        assert proxy.left == 0
        assert report.error is None
        check_all(bundle, fake.address, "a/b/c")
    again = sum(result.bytes_sent_again for result in report.results)
    assert report.bytes_sent - again == unique_bytes(bundle)
    assert again <= 2 * (LAYER + 2 * MIB)


def test_an_immutable_tag_in_the_middle_stops_no_other_image(bundle: Bundle) -> None:
    harbor = Harbor()
    with FakeRegistry(product=harbor) as fake:
        memory = MemorySource()
        with pushing(fake, "shop") as destination:
            put(destination, memory, image(memory, "erp", text="of yesterday"))
        before = there(fake.address, "shop/erp:1")
        harbor.projects["shop"] = Project({"ci"}, immutable=("1",))
        report = push(bundle, f"{fake.address}/shop")
        ((reference, error),) = report.failures
        assert reference == "x.test/erp:1"
        assert "makes the tag 1 immutable" in error.message
        assert [result.status for result in report.results] == ["pushed"]
        assert report.error is error
        assert error.exit_status is ExitStatus.REFUSED
        assert there(fake.address, "shop/erp:1") == before
        assert there(fake.address, "shop/shop:1") == report.results[0].digest


def test_a_quota_that_is_reached_leaves_nothing_half_named(bundle: Bundle, tmp_path: Path) -> None:
    harbor = Harbor()
    harbor.projects["shop"].quota = 4 * LAYER
    with FakeRegistry(product=harbor) as fake:
        report = push(bundle, f"{fake.address}/shop", tmp_path)
        assert report.failures
        for reference, error in report.failures:
            assert "quota of the project shop" in error.message
            assert fake.store.repo(f"shop/{reference.partition('/')[2].partition(':')[0]}").tags == {}
        arrived = sum(map(len, fake.store.blobs.values()))
        # With more of it the same command brings the rest, and no more.
        harbor.projects["shop"].quota = None
        second = push(bundle, f"{fake.address}/shop", tmp_path)
        assert second.error is None
        assert second.bytes_sent <= unique_bytes(bundle) - arrived + MIB
        check_all(bundle, fake.address, "shop")


def test_two_pushes_of_one_layer_to_a_nexus_that_forbids_redeploying(bundle: Bundle) -> None:
    """Who comes second gets a 400 for a blob that is there: it is looked up, and the push goes on."""
    product = Nexus()
    product.repositories["shop"] = "once"
    with FakeRegistry(product=product) as fake:
        late = sorted(blob.digest for blob in bundle.manifest.blobs)[0]
        product.late = {str(late)}
        report = push(bundle, f"{fake.address}/shop")
        assert report.error is None
        assert product.late == set()
        check_all(bundle, fake.address, "shop")


def test_one_image_that_zot_does_not_take(bundle: Bundle) -> None:
    memory = MemorySource()
    with FakeRegistry(product=Zot()) as fake, pushing(fake, "a") as destination:
        with pytest.raises(Exception, match="Docker's own form"):
            put(destination, memory, docker_image(memory))
        assert put(destination, memory, image(memory, "other")).status == "pushed"
