"""What refers to an image and travels with it: signatures, attestations, SBOMs.

A referrer names its subject in its manifest (image-spec manifest.md, "subject"); cosign's older form names it by a
tag only. A registry lists those of the first kind by its API or in an index under a tag (distribution-spec,
"Listing Referrers", "Referrers Tag Schema").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.manifest import Index, Manifest

#: What an entry of an ``index.json`` refers to: engines with containerd's store keep the two together.
SUBJECT_ANNOTATION = "io.containerd.manifest.subject"
#: Cosign's tag of an entry that has no name, since engines would make an image of it.
TAG_ANNOTATION = "vnd.airbundle.referrer.tag"
#: Kinds of cosign's tags, ``sha256-<hex>.<kind>``: signatures, attestations, SBOMs.
COSIGN_KINDS = ("sig", "att", "sbom")
_COSIGN_TAG = re.compile(rf"sha256-([0-9a-f]{{64}})\.(?:{'|'.join(COSIGN_KINDS)})", re.ASCII)
_SCHEMA_TAG = re.compile(r"sha256-([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class Referrer:
    """One referrer of an image, or of another referrer of it.

    Attributes:
        tree: its documents; it is complete, never sparse.
        subject: digest of the manifest or index that it refers to.
        tag: cosign's tag that it has; ``""`` for one that is known by its own ``subject`` alone.
    """

    tree: ImageTree
    subject: Digest
    tag: str = ""

    @property
    def digest(self) -> Digest:
        """Of its manifest or index."""
        return self.tree.root.digest

    @property
    def node(self) -> Manifest | Index:
        """Its manifest or index."""
        return next(self.tree.nodes())[1]

    @property
    def is_listed(self) -> bool:
        """Whether registries list it among the referrers of its subject; a cosign tag alone does not do that."""
        return names_subject(self.node, self.subject)

    @property
    def kind(self) -> str:
        """What it is: its artifact type, or cosign's word where it has none of its own."""
        return self.tag.rpartition(".")[2] or artifact_type(self.node)

    @property
    def size(self) -> int:
        """Bytes of all that it is made of."""
        return sum(blob.size for blob in self.tree.blobs())

    def entry(self) -> Descriptor:
        """Return its entry in an ``index.json`` beside the image's: it has no name, but what it refers to."""
        root, annotations = self.tree.root, {SUBJECT_ANNOTATION: str(self.subject)}
        if self.tag:
            annotations[TAG_ANNOTATION] = self.tag
        return Descriptor(media_type=root.media_type, digest=root.digest, size=root.size, annotations=annotations)

    def listing(self) -> Descriptor:
        """Return its descriptor as an index of referrers has it: with its type and its annotations."""
        node, root = self.node, self.tree.root
        return Descriptor(
            media_type=node.media_type,
            digest=root.digest,
            size=root.size,
            artifact_type=artifact_type(node),
            annotations=dict(node.annotations),
        )


@dataclass(frozen=True)
class Lead:
    """Where a referrer may be: a descriptor that somebody listed, not looked at yet, and cosign's tag of it."""

    descriptor: Descriptor
    tag: str = ""


@dataclass(frozen=True)
class Referrers:
    """All referrers that were found of an image.

    Attributes:
        found: those of the image first, then those of these, level by level.
        left_out: why others cannot be taken, for the user.
    """

    found: tuple[Referrer, ...] = ()
    left_out: tuple[str, ...] = ()


def names_subject(node: Manifest | Index, subject: Digest) -> bool:
    """Tell whether a manifest says of itself that it refers to ``subject``."""
    return node.subject is not None and node.subject.digest == subject


def artifact_type(node: Manifest | Index) -> str:
    """Return what registries give as the type of a referrer; of an image manifest without one its config's."""
    return node.artifact_type or (node.config.media_type if isinstance(node, Manifest) else "")


def schema_tag(subject: Digest) -> str:
    """Return the tag under which a registry without the API keeps the index of a subject's referrers."""
    return f"sha256-{subject.hex}"


def cosign_tags(subject: Digest) -> tuple[str, ...]:
    """Return the tags that cosign gives to what refers to ``subject``."""
    return tuple(f"{schema_tag(subject)}.{kind}" for kind in COSIGN_KINDS)


def parse_cosign_tag(tag: str) -> Digest | None:
    """Return the subject that a tag of cosign names; ``None`` for any other tag."""
    match = _COSIGN_TAG.fullmatch(tag)
    return Digest.from_hex(match[1]) if match else None


def parse_schema_tag(tag: str) -> Digest | None:
    """Return the subject whose referrers an index of this tag lists; ``None`` for any other tag."""
    match = _SCHEMA_TAG.fullmatch(tag)
    return Digest.from_hex(match[1]) if match else None
