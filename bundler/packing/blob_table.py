"""What has been stored in the bundle so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bundler.bundle.manifest import Blob
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.packing.writing.recorder import NO_RECORDER, Recorder


class BlobTable:
    """The rows of the bundle's blob table, and the images that got their manifest here."""

    def __init__(
        self,
        rows: Iterable[Blob] = (),
        configs: Mapping[Digest, bytes] | None = None,
        recorder: Recorder = NO_RECORDER,
    ) -> None:
        """Begin with the rows and the configs of images that an earlier run stored or read."""
        self._by_digest: dict[Digest, Blob] = {}
        self._made: dict[Digest, Blob] = {}
        self._trees: dict[Digest, ImageTree] = {}
        self._configs = dict(configs or {})
        self._recorder = recorder
        self.add(rows)

    def add_document(self, row: Blob) -> None:
        """Take the row of a small blob that was just written."""
        self.add([row])
        self._recorder.blob(row)

    def add(self, rows: Iterable[Blob]) -> None:
        """Take rows that are recorded already."""
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

    def config(self, digest: Digest) -> bytes | None:
        """Return the config of an engine's image, if it was read."""
        return self._configs.get(digest)

    def keep_config(self, digest: Digest, raw: bytes) -> None:
        """Take the config of an engine's image, which is stored when its layers are."""
        self._configs[digest] = raw
        self._recorder.config(digest, raw)

    def remember(self, config_digest: Digest, tree: ImageTree) -> None:
        """Keep the image that was made for this config."""
        self._trees[config_digest] = tree

    def tree_of(self, config_digest: Digest) -> ImageTree | None:
        """Return the image that was made for this config."""
        return self._trees.get(config_digest)

    def rows(self) -> tuple[Blob, ...]:
        """Return all rows."""
        return tuple(self._by_digest.values())
