"""What bundle.json says of an image's referrers (docs/format.md, "Referrers")."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from bundler.errors import MalformedDocument
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.referrers import Referrer, parse_cosign_tag


class ReferrerRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One referrer; what it is made of stands among the blobs of its image.

    Attributes:
        descriptor: of its manifest or index.
        subject: the manifest or index that it refers to: of the image, or another referrer.
        tag: of cosign, ``sha256-<hex of the subject>.sig``, ``.att`` or ``.sbom``; ``""`` for none.
    """

    descriptor: Descriptor
    subject: Digest
    tag: str = ""

    @classmethod
    def of(cls, referrer: Referrer) -> ReferrerRow:
        """Describe a referrer."""
        root = referrer.tree.root
        bare = Descriptor(media_type=root.media_type, digest=root.digest, size=root.size)
        return cls(descriptor=bare, subject=referrer.subject, tag=referrer.tag)


def check_referrer_rows(
    rows: Sequence[ReferrerRow], sizes: Mapping[Digest, int], blobs: Collection[Digest], what: str
) -> None:
    """Refuse rows that contradict the table that they stand in.

    Args:
        rows: Of one image.
        sizes: Of all blobs of the bundle.
        blobs: Of the image.
        what: The image, for the error.

    Raises:
        MalformedDocument: a row names what the image does not list, another size, or a tag that is not cosign's
            for its subject; or it stands twice.
    """
    held = set(blobs) if rows else set()
    seen: set[tuple[Digest, Digest, str]] = set()
    for row in rows:
        digest = row.descriptor.digest
        if digest not in held or row.subject not in held or row.subject == digest:
            raise MalformedDocument(f"{what}: the referrer {digest} or its subject is not among the blobs")
        if row.descriptor.size != sizes[digest]:
            raise MalformedDocument(f"{what}: the referrer {digest} has two sizes")
        # Who pushes takes the tag as it is: it must not be one that deployments use.
        if row.tag and parse_cosign_tag(row.tag) != row.subject:
            raise MalformedDocument(f"{what}: the referrer {digest} has a tag that does not name its subject")
        if (digest, row.subject, row.tag) in seen:
            raise MalformedDocument(f"{what}: the referrer {digest} stands twice")
        seen.add((digest, row.subject, row.tag))
