"""Referrers: what names a subject that the bundle holds says so to engines that keep the two together."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from bundler.content.images import RegistryForm
from bundler.model.descriptor import Descriptor
from tests.builders import layer, pack_images
from tests.fakes.memory import MemorySource

_ANNOTATION = "io.containerd.manifest.subject"


def subjects(directory: Path, application: str) -> dict[str, str | None]:
    """Return what each image of an archive that stands alone names as its subject."""
    with tarfile.open(directory / f"{application}.oci.tar") as tar:
        member = tar.extractfile("index.json")
        assert member is not None
        index = json.load(member)
    return {
        entry["annotations"]["org.opencontainers.image.ref.name"]: entry["annotations"].get(_ANNOTATION)
        for entry in index["manifests"]
    }


def referrer(source: MemorySource, subject: Descriptor, name: str = "x/sbom:1") -> RegistryForm:
    return source.make_artifact(b"what is in it", name, subject=subject)


def test_a_referrer_names_its_subject(tmp_path: Path) -> None:
    source = MemorySource()
    image = source.make_image([layer("a", 100)], "x/one:1")
    pack_images(tmp_path, source, {"web": [image, referrer(source, image.tree.root)]})
    assert subjects(tmp_path, "web") == {
        "docker.io/x/one:1": None,
        "docker.io/x/sbom:1": image.tree.root.digest,
    }


def test_the_subject_may_be_an_index_or_one_platform_of_it(tmp_path: Path) -> None:
    source = MemorySource()
    image = source.make_image([layer("a", 100)], "x/one:1")
    index = source.make_index([image], "x/index:1")
    referrers = [referrer(source, index.tree.root, "x/of-all:1"), referrer(source, image.tree.root, "x/of-one:1")]
    pack_images(tmp_path, source, {"web": [index, *referrers]})
    assert subjects(tmp_path, "web") == {
        "docker.io/x/index:1": None,
        "docker.io/x/of-all:1": index.tree.root.digest,
        "docker.io/x/of-one:1": image.tree.root.digest,
    }


def test_the_subject_may_lie_in_another_application(tmp_path: Path) -> None:
    source = MemorySource()
    image = source.make_image([layer("a", 100)], "x/one:1")
    pack_images(tmp_path, source, {"app": [image], "papers": [referrer(source, image.tree.root)]})
    assert subjects(tmp_path, "papers") == {"docker.io/x/sbom:1": image.tree.root.digest}


def test_a_subject_that_is_not_in_the_bundle_is_not_named(tmp_path: Path) -> None:
    source = MemorySource()
    image = source.make_image([layer("a", 100)], "x/one:1")
    pack_images(tmp_path, source, {"web": [referrer(source, image.tree.root)]})
    assert subjects(tmp_path, "web") == {"docker.io/x/sbom:1": None}
