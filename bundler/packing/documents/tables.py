"""The documents that a pack makes itself: manifests of engine images, and the two tables of an archive."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from bundler.content.hashing import sha256
from bundler.content.tar import file_header, padding
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree, PlatformImage
from bundler.model.image_config import ImageConfig
from bundler.model.json_documents import canonical_json
from bundler.model.media_types import (
    INDEXES,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    layer_compression,
)
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.model.referrers import Referrer
from bundler.packing.writing.archive_writer import blob_path

OCI_LAYOUT = canonical_json({"imageLayoutVersion": "1.0.0"})
OCI_LAYOUT_FILE = "oci-layout"
# A layer that another image of the bundle brought may have Docker's type; in an OCI manifest it gets OCI's.
_OCI_LAYERS = {"none": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}
_PREFERRED = Platform.of("linux", "amd64")


def layout_entry() -> bytes:
    """Return the first entry of an application's archive, with its padding."""
    return file_header(OCI_LAYOUT_FILE, len(OCI_LAYOUT)) + OCI_LAYOUT + bytes(padding(len(OCI_LAYOUT)))


def make_image_tree(config: ImageConfig, layers: Iterable[Descriptor]) -> ImageTree:
    """Make the OCI manifest of an image that has none (image-spec manifest.md); its config stays as it is.

    Args:
        config: The image's own config, to the byte.
        layers: Descriptors of its layers as the bundle holds them, bottom first.
    """
    config_descriptor = Descriptor(media_type=OCI_CONFIG, digest=sha256(config.raw), size=len(config.raw))
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config_descriptor,
            "layers": [
                Descriptor(media_type=_oci_type(layer.media_type), digest=layer.digest, size=layer.size)
                for layer in layers
            ],
        }
    )
    root = Descriptor(media_type=OCI_MANIFEST, digest=sha256(manifest), size=len(manifest))
    return ImageTree(root, {root.digest: manifest, config_descriptor.digest: config.raw})


def _oci_type(media_type: str) -> str:
    return _OCI_LAYERS.get(layer_compression(media_type) or "", media_type)


def index_json(
    named: Sequence[tuple[Reference, ImageTree]],
    held: Collection[Digest] = (),
    referrers: Iterable[Referrer] = (),
) -> bytes:
    """Make the ``index.json`` of an archive: one descriptor per name, then one per referrer (image-layout.md).

    Two annotations hold the full name: skopeo compares the one to the letter, containerd and docker read the
    other. A third one binds a referrer to its subject in engines that keep both. What merely refers to an image
    has no name, since engines would make an image of it; a tag of cosign has an annotation of its own.

    Podman keeps the digest of an image only where nothing else is listed. So beside a single image for a single
    platform no referrer is listed: they are found by bundle.json, and engines that bind them get them by ``load``.

    Args:
        named: The images of the archive.
        held: Digests of all manifests and indexes of the bundle; only a subject among them is named.
        referrers: Of these images; each is written once, and not if it is one of them.
    """
    entries = [
        _entry(
            tree,
            {
                "io.containerd.image.name": str(reference),
                "org.opencontainers.image.ref.name": str(reference),
                **_subject(tree, held),
            },
        )
        for reference, tree in named
    ]
    is_kept_by_podman = len(named) == 1 and named[0][1].root.media_type not in INDEXES
    if not is_kept_by_podman:
        images = {tree.root.digest for _, tree in named}
        unnamed = (referrer for referrer in referrers if referrer.digest not in images)
        entries += {(one.digest, one.subject, one.tag): one.entry() for one in unnamed}.values()
    return canonical_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def _entry(tree: ImageTree, annotations: dict[str, str]) -> Descriptor:
    root = tree.root
    return Descriptor(media_type=root.media_type, digest=root.digest, size=root.size, annotations=annotations)


def _subject(tree: ImageTree, held: Collection[Digest]) -> dict[str, str]:
    _, root = next(tree.nodes())
    if root.subject is None or root.subject.digest not in held:
        return {}
    return {"io.containerd.manifest.subject": root.subject.digest}


def docker_table(trees: Iterable[tuple[Reference, ImageTree]]) -> bytes:
    """Make the ``manifest.json`` of an archive, which engines with a graph-driver store load by.

    They load every row, whatever its platform, and the last row keeps the tag: so there is one row an image.
    """
    rows: dict[Digest, dict[str, object]] = {}
    names: dict[Digest, list[str]] = {}
    for reference, tree in trees:
        image = _loadable(tree)
        if image is None:
            continue
        rows[image.image_id] = {
            "Config": blob_path(image.image_id),
            "Layers": [blob_path(layer.digest) for layer in image.manifest.layers],
        }
        tags = names.setdefault(image.image_id, [])
        if reference.tagged and reference.tagged not in tags:
            tags.append(reference.tagged)
    return canonical_json([{**row, "RepoTags": sorted(names[image_id])} for image_id, row in rows.items()])


def runnable(tree: ImageTree) -> list[PlatformImage]:
    """Return the images below a root that something can run, by platform: no attestations, no artifacts."""
    known = [image for image in tree.platform_images() if image.config is not None and image.platform.is_known]
    return sorted(known, key=lambda image: (str(image.platform), image.image_id))


def _loadable(tree: ImageTree) -> PlatformImage | None:
    known = runnable(tree)
    fitting = [image for image in known if image.platform.runs_on(_PREFERRED)]
    return next(iter(fitting or known), None)
