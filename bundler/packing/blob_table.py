"""What has been stored in the bundle so far."""

from __future__ import annotations

from collections.abc import Iterable

from bundler.bundle.manifest import Blob
from bundler.model.digest import Digest
from bundler.model.image import ImageTree


class BlobTable:
    """The rows of the bundle's blob table, and the images that got their manifest here."""

    def __init__(self) -> None:
        self._by_digest: dict[Digest, Blob] = {}
        self._made: dict[Digest, Blob] = {}
        self._trees: dict[Digest, ImageTree] = {}

    def add(self, rows: Iterable[Blob]) -> None:
        """Take new rows."""
        for row in rows:
            self._by_digest.setdefault(row.digest, row)
            if row.encoder is not None and row.diff_id is not None:
                self._made.setdefault(row.diff_id, row)

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob is stored."""
        return digest in self._by_digest

    def made_of(self, diff_id: Digest) -> Blob | None:
        """Return the blob that was compressed here of this layer."""
        return self._made.get(diff_id)

    def remember(self, config_digest: Digest, tree: ImageTree) -> None:
        """Keep the image that was made for this config."""
        self._trees[config_digest] = tree

    def tree_of(self, config_digest: Digest) -> ImageTree | None:
        """Return the image that was made for this config."""
        return self._trees.get(config_digest)

    def rows(self) -> tuple[Blob, ...]:
        """Return all rows."""
        return tuple(self._by_digest.values())
