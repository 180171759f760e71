"""Referrers in an ``index.json``: of an OCI layout, of an archive, of what an engine saves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property

from bundler.content.referrers import collect_referrers
from bundler.content.trees import Fetch, collect_tree
from bundler.errors import DamagedContent, MalformedDocument
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.manifest import Index, Manifest, parse_manifest
from bundler.model.referrers import TAG_ANNOTATION, Lead, Referrers, parse_cosign_tag, parse_schema_tag
from bundler.transports.saved_index import FULL_NAME, REF_NAME


class IndexReferrers:
    """Finds what the entries of an ``index.json`` refer to, by what their manifests and their names say.

    It reads the manifests of all entries once, and nothing before it is asked.
    """

    def __init__(
        self,
        entries: Sequence[Descriptor],
        fetch: Fetch,
        holds: Callable[[Descriptor], bool],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Look among ``entries``, with their annotations.

        Args:
            entries: In their order.
            fetch: Gives documents, not yet verified.
            holds: Tells whether a blob is there.
            limits: Bounds what is read.
        """
        self._entries = entries
        self._fetch = fetch
        self._holds = holds
        self._limits = limits

    def of(self, tree: ImageTree) -> Referrers:
        """Return the referrers of an image.

        Raises:
            LimitExceeded: there are too many, or they are too large.
            DamagedContent: a document of one is not what its digest says.
        """
        return collect_referrers(tree, lambda subject: self._leads.get(subject, ()), self._collect, self._limits)

    def is_no_image(self, entry: Descriptor) -> bool:
        """Tell whether an entry is there for another one, and not by a name that somebody gave it."""
        if any(subject in self._digests for _, subject in _tags(entry)):
            return True
        return not _names(entry) and entry.digest in self._dependent

    @cached_property
    def _digests(self) -> frozenset[Digest]:
        """Digests of the entries, and of what those list that are indexes."""
        found = {entry.digest for entry in self._entries}
        for node in self._nodes.values():
            if isinstance(node, Index):
                found.update(child.digest for child in node.manifests)
        return frozenset(found)

    @cached_property
    def _dependent(self) -> frozenset[Digest]:
        """Digests of what refers to something that is there."""
        held = self._leads.keys() & self._digests
        return frozenset(lead.descriptor.digest for subject in held for lead in self._leads[subject])

    @cached_property
    def _nodes(self) -> dict[Digest, Manifest | Index]:
        """The manifests and indexes of the entries, as far as they are such."""
        found = ((entry.digest, self._node(_bare(entry))) for entry in self._entries)
        return {digest: node for digest, node in found if node is not None}

    @cached_property
    def _leads(self) -> dict[Digest, list[Lead]]:
        found: dict[Digest, list[Lead]] = defaultdict(list)
        for entry in self._entries:
            bare, node = _bare(entry), self._nodes.get(entry.digest)
            for tag, subject in _tags(entry):
                if not parse_schema_tag(tag):
                    found[subject].append(Lead(bare, tag))
                elif isinstance(node, Index):
                    found[subject] += [Lead(_bare(child)) for child in node.manifests]
            if node is not None and node.subject is not None:
                found[node.subject.digest].append(Lead(bare))
        return dict(found)

    def _node(self, entry: Descriptor) -> Manifest | Index | None:
        """Return what an entry is, not verified; ``None`` where that cannot be told: nobody asked for it yet."""
        if not media_types.is_image_document(entry.media_type):
            return None
        try:
            raw = self._fetch(entry) if entry.size <= self._limits.document_bytes else None
            return None if raw is None else parse_manifest(raw, entry.media_type, self._limits)
        except (DamagedContent, MalformedDocument):
            return None

    def _collect(self, root: Descriptor) -> ImageTree | None:
        if not self._holds(root):
            return None
        tree = collect_tree(root, self._fetch, self._limits)
        missing = next((blob for blob in tree.blobs() if not self._holds(blob)), None)
        if missing is not None:
            raise MalformedDocument(f"its blob {missing.digest} is not there")
        return tree


def _tags(entry: Descriptor) -> list[tuple[str, Digest]]:
    """Return the tags of an entry that name a subject, and these."""
    result = {}
    for text in (*_names(entry), entry.annotations.get(TAG_ANNOTATION, "")):
        tag = text.rpartition(":")[2]
        subject = parse_cosign_tag(tag) or parse_schema_tag(tag)
        if subject is not None:
            result[tag] = subject
    return list(result.items())


def _names(entry: Descriptor) -> list[str]:
    return [name for key in (FULL_NAME, REF_NAME) if (name := entry.annotations.get(key))]


def _bare(listed: Descriptor) -> Descriptor:
    return Descriptor(media_type=listed.media_type, digest=listed.digest, size=listed.size)
