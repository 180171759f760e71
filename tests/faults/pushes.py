"""What is pushed in these tests, and how it is looked at afterwards."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.reader import Bundle, open_bundle
from bundler.content.images import RegistryForm
from bundler.content.streams import read_all
from bundler.packing.planning.options import PackOptions
from bundler.sources.registry import RegistrySource
from tests.builders import layer, pack_images
from tests.fakes.memory import MemorySource
from tests.registry_access import PLAIN_HTTP

MIB = 1 << 20
#: Of one layer; a tar is a little larger.
LAYER = 3 * MIB


def make_bundle(directory: Path) -> Bundle:
    """Pack two applications of three large layers each, one of which they share."""
    source, base = MemorySource(), layer("base", LAYER)
    images = {}
    for name in ("shop", "erp"):
        layers = [base, layer(f"{name}1", LAYER), layer(f"{name}2", LAYER)]
        images[name] = [source.make_image(layers, f"x.test/{name}:1", compression="none")]
    pack_images(directory, source, images, PackOptions(part_bytes=4 * MIB, block_bytes=MIB, workers=1))
    return open_bundle(directory)


def check_pushed(bundle: Bundle, address: str) -> None:
    """Check that every image is there, with its digest and every byte of its layers."""
    source = RegistrySource(PLAIN_HTTP)
    for _, image in bundle.images():
        (found,) = source.resolve(f"{address}/{image.reference.partition('/')[2]}")
        assert isinstance(found, RegistryForm)
        assert found.tree.root.digest == image.descriptor.digest
        for blob in found.tree.blobs():
            stream = source.open_blob(blob)
            assert len(read_all(stream, blob.size)) == blob.size
            stream.close()
    source.close()


def unique_bytes(bundle: Bundle) -> int:
    """Return the bytes of all blobs that have to be sent, each once; manifests are not counted."""
    manifests = {image.descriptor.digest for _, image in bundle.images()}
    return sum(blob.size for blob in bundle.manifest.blobs if blob.digest not in manifests)
