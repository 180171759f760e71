"""What a registry has of the referrers of images in one repository; nothing is asked for twice."""

from __future__ import annotations

from bundler.content.streams import read_all
from bundler.content.trees import collect_tree
from bundler.errors import MalformedDocument, NotFound
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.manifest import parse_manifest
from bundler.model.referrers import Lead
from bundler.transports.registry.blobs import open_blob
from bundler.transports.registry.client import Repository
from bundler.transports.registry.manifests import fetch_manifest
from bundler.transports.registry.referrers import find_cosign_tags, find_referrers


class RegistryReferrers:
    """Finds and collects referrers, for :func:`~bundler.content.referrers.collect_referrers`.

    Several images of a repository may have a manifest in common; what was asked of it is remembered.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._leads: dict[Digest, tuple[Lead, ...]] = {}
        self._trees: dict[Digest, ImageTree | None] = {}
        self._tagged: dict[Digest, bytes] = {}

    def find(self, subject: Digest) -> tuple[Lead, ...]:
        """Return what the registry says refers to a manifest, listed or under a tag of cosign.

        Raises:
            LimitExceeded: that is too much.
            DamagedContent, MalformedDocument: a document is not what its digest or specification says.
            Unauthorised, Refused, Unreachable, ProtocolError: the registry.
        """
        if subject not in self._leads:
            listed = [Lead(_bare(descriptor)) for descriptor in find_referrers(self._repository, subject)]
            tagged = [
                Lead(self._descriptor(digest), tag)
                for tag, digest in find_cosign_tags(self._repository, subject).items()
            ]
            self._leads[subject] = (*listed, *tagged)
        return self._leads[subject]

    def collect(self, root: Descriptor) -> ImageTree | None:
        """Return the documents of a referrer, ``None`` if the registry does not have its manifest.

        Raises:
            DamagedContent, MalformedDocument: a document is not what its digest or specification says.
            Unauthorised, Refused, Unreachable, ProtocolError: the registry.
        """
        if root.digest not in self._trees:
            raw = self._tagged.pop(root.digest, None) or fetch_document(self._repository, root)
            self._trees[root.digest] = None if raw is None else self._tree(root, raw)
        return self._trees[root.digest]

    def _tree(self, root: Descriptor, raw: bytes) -> ImageTree:
        def fetch(wanted: Descriptor) -> bytes | None:
            return raw if wanted is root else fetch_document(self._repository, wanted)

        return collect_tree(root, fetch, self._repository.limits)

    def _descriptor(self, digest: Digest) -> Descriptor:
        """Describe what a tag stands for, and keep what had to be read for it."""
        found, raw = fetch_manifest(self._repository, digest)
        self._tagged[digest] = raw
        try:
            media_type = parse_manifest(raw, found.media_type, self._repository.limits).media_type
        except MalformedDocument:
            media_type = found.media_type  # said when it is collected
        return Descriptor(media_type=media_type, digest=digest, size=len(raw))


def fetch_document(repository: Repository, wanted: Descriptor) -> bytes | None:
    """Fetch a child manifest or a config; ``None`` if the registry does not have it.

    Raises:
        DamagedContent, MalformedDocument: it is not what its digest says.
        Unauthorised, Refused, Unreachable, ProtocolError: the registry.
    """
    try:
        if wanted.media_type not in media_types.IMAGE_CONFIGS:
            return fetch_manifest(repository, wanted.digest)[1]
        stream = open_blob(repository, wanted)
    except NotFound:
        return None
    try:
        return read_all(stream, wanted.size, "the image config")
    finally:
        stream.close()


def _bare(listed: Descriptor) -> Descriptor:
    # What the list says besides is no part of the referrer.
    return Descriptor(media_type=listed.media_type, digest=listed.digest, size=listed.size)
