"""The ``index.json`` of what engines save: which name stands for which manifest, and what is there of it.

OCI image-spec image-layout.md, with the annotation by which containerd and docker name an image in full.
"""

from __future__ import annotations

from collections.abc import Callable

from bundler.content.platform_trees import collect_chosen
from bundler.content.trees import Fetch
from bundler.errors import DamagedContent, InvalidReference, MalformedDocument
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.manifest import Index, Manifest, parse_manifest
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice, PlatformSelection
from bundler.model.reference import Reference

INDEX = "index.json"
LAYOUT = "oci-layout"
FULL_NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"
_BLOBS = "blobs/sha256/"


def blob_path(digest: Digest) -> str:
    """Return the name that a blob has in an OCI layout."""
    return _BLOBS + digest.hex


def blob_digest(path: str) -> Digest | None:
    """Return the digest that the name of a file in an OCI layout claims; ``None`` for other files."""
    try:
        return Digest.from_hex(path[len(_BLOBS) :]) if path.startswith(_BLOBS) else None
    except MalformedDocument:
        return None


def named_roots(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[tuple[Reference | None, Descriptor], ...]:
    """Read ``index.json``: every image with its complete name, or ``None`` where it has none.

    A bare tag, as ``ref.name`` often has, names no image that could be told from others.

    Raises:
        MalformedDocument: it is no image index, breaks a bound, or holds a name that is none.
    """
    return tuple((_name(entry), _bare(entry)) for entry in index_entries(raw, limits))


def index_entries(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Descriptor, ...]:
    """Read ``index.json``: its entries as they stand there.

    Raises:
        MalformedDocument: it is no image index, or breaks a bound.
    """
    index = parse_manifest(raw, "", limits, limit=limits.table_bytes)
    if not isinstance(index, Index):
        raise MalformedDocument(f"{INDEX} is not an image index")
    return index.manifests


def saved_tree(
    root: Descriptor,
    fetch: Fetch,
    holds: Callable[[Digest], bool],
    limits: Limits = DEFAULT_LIMITS,
    platforms: PlatformChoice = EVERY_PLATFORM,
) -> tuple[ImageTree, PlatformSelection]:
    """Collect the documents of a saved image. What an engine has only in part is taken as absent.

    An engine that pulled one platform keeps the whole index, and perhaps manifests of other platforms without
    their layers; what remains then is a sparse index.

    Args:
        root: Of the image.
        fetch: Returns a document, not yet verified.
        holds: Tells whether a blob was saved.
        limits: Bounds on the documents.
        platforms: What is taken of an index.

    Raises:
        NoSuchPlatform: what is there of the index has nothing for one of the platforms.
        DamagedContent: a document is not what its descriptor says, or no manifest has all its content.
        MalformedDocument: a document breaks its specification or a bound.
    """

    def fetch_complete(descriptor: Descriptor) -> bytes | None:
        raw = fetch(descriptor)
        if raw is None or descriptor.media_type not in media_types.MANIFESTS:
            return raw
        node = parse_manifest(raw, descriptor.media_type, limits)
        return raw if isinstance(node, Manifest) and not _missing(node, holds) else None

    documents = fetch_complete if root.media_type in media_types.INDEXES else fetch
    tree, selection = collect_chosen(root, documents, platforms, limits, lambda wanted: holds(wanted.digest))
    manifests = [node for _, node in tree.nodes() if isinstance(node, Manifest)]
    missing = [digest for node in manifests for digest in _missing(node, holds)]
    if missing or not manifests:
        what = f"{len(missing)} of its blobs are missing" if missing else "no platform's image is complete"
        raise DamagedContent(f"the image {root.digest} was not saved whole: {what}")
    return tree, selection


def _missing(manifest: Manifest, holds: Callable[[Digest], bool]) -> list[Digest]:
    return [
        child.digest
        for child in manifest.children
        if not holds(child.digest) and not media_types.is_foreign_layer(child.media_type)
    ]


def _name(entry: Descriptor) -> Reference | None:
    text = entry.annotations.get(FULL_NAME) or entry.annotations.get(REF_NAME, "")
    if FULL_NAME not in entry.annotations and not ("/" in text or ":" in text):
        return None
    try:
        return Reference.parse(text) if text else None
    except InvalidReference as error:
        raise MalformedDocument(f"{INDEX} holds a name that is none: {error}") from error


def _bare(entry: Descriptor) -> Descriptor:
    # The annotations name the image in this archive; they are no part of the image.
    return Descriptor(media_type=entry.media_type, digest=entry.digest, size=entry.size)
