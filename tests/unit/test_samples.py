"""The samples in the checkout are what their script makes, small, and what their README says of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bundler.content.images import EngineForm, RegistryForm
from bundler.model.media_types import layer_compression
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.oci_layout import OciLayoutSource
from tests.unit.sources.reading import read, wanted_of

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "samples" / "images"
SCRIPT = ROOT / "scripts" / "make_samples.py"


def test_the_samples_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_check_notices_any_difference(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIFFERENCES, str(SCRIPT.parent), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["erp.tar", "erp/index.json", "stranger"]


DIFFERENCES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import make_samples
one, two = Path(sys.argv[2]) / "one", Path(sys.argv[2]) / "two"
make_samples.write(one), make_samples.write(two)
assert make_samples.differences(one, two) == []
(two / "stranger").write_bytes(b"")
(two / "erp.tar").write_bytes((two / "erp.tar").read_bytes()[:-1] + b"!")
(two / "erp" / "index.json").unlink()
print(*make_samples.differences(one, two))
"""


def test_they_are_small() -> None:
    assert sum(file.stat().st_size for file in IMAGES.rglob("*") if file.is_file()) < 3_000_000


def test_the_archives_share_their_base() -> None:
    shop, erp = DockerArchiveSource(IMAGES / "shop.tar"), DockerArchiveSource(IMAGES / "erp.tar")
    images = {str(image.reference): image for source in (shop, erp) for image in source.resolve("")}
    assert sorted(images) == [f"docker.io/{name}" for name in ("erp/core:1", "shop/api:1", "shop/web:1")]
    for image in images.values():
        assert isinstance(image, EngineForm)
        source = erp if "erp" in str(image.reference) else shop
        assert read(source, image).keys() == wanted_of(image)
    bases = {image.diff_ids[0] for image in images.values() if isinstance(image, EngineForm)}
    assert len(bases) == 1


def test_the_layout_has_a_layer_of_each_form() -> None:
    source = OciLayoutSource(IMAGES / "erp", archive=False)
    (image,) = source.resolve("")
    assert isinstance(image, RegistryForm)
    assert str(image.reference) == "docker.io/erp/core:1"
    (platform_image,) = image.tree.platform_images()
    forms = [layer_compression(layer.media_type) for layer, _ in platform_image.layers()]
    assert forms == ["gzip", "zstd", "none"]
    assert read(source, image).keys() == wanted_of(image)
    (erp,) = DockerArchiveSource(IMAGES / "erp.tar").resolve("")
    assert isinstance(erp, EngineForm)
    assert platform_image.config is not None
    assert platform_image.config.diff_ids[0] == erp.diff_ids[0]
