"""Whom damage hits: from a range of an archive to blobs, images and applications."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bundler.bundle.manifest import Blob, BundleManifest
from bundler.bundle.names import SHARED
from bundler.model.digest import Digest


@dataclass(frozen=True)
class Impact:
    """Blobs, and the images and applications that need one of them; each sorted."""

    blobs: tuple[Digest, ...] = ()
    applications: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


class ImpactMap:
    """Answers for one bundle; made once, since it walks all images."""

    def __init__(self, manifest: BundleManifest) -> None:
        self._manifest = manifest
        self._blobs: dict[str, list[Blob]] = defaultdict(list)
        for blob in sorted(manifest.blobs, key=lambda blob: blob.offset):
            self._blobs[blob.archive].append(blob)
        self._users: dict[Digest, list[tuple[str, str]]] = defaultdict(list)
        for application in manifest.applications:
            for image in application.images:
                for digest in image.blobs:
                    self._users[digest].append((application.name, image.reference))

    def blobs_in(self, archive: str) -> list[Blob]:
        """Return the blobs of an archive in the order of their offsets."""
        return self._blobs[archive]

    def of_range(self, archive: str, start: int, end: int) -> Impact:
        """Return whom the bytes ``start`` to ``end`` of an archive belong to.

        Bytes that belong to no blob are headers and tables: the images stay whole for airbundle, but the
        archive's application cannot be imported by other tools.
        """
        return self.of_ranges(archive, [(start, end)])

    def of_ranges(self, archive: str, ranges: Iterable[tuple[int, int]]) -> Impact:
        """Return whom several such ranges belong to; no range belongs to nobody."""
        hit: set[Digest] = set()
        nothing = True
        for start, end in ranges:
            nothing = False
            if start < end:
                hit.update(self._digests(archive, start, end))
        return Impact() if nothing else self.of_blobs(hit, archive)

    def _digests(self, archive: str, start: int, end: int) -> Iterator[Digest]:
        blobs = self._blobs[archive]
        first = bisect_right(blobs, start, key=lambda blob: blob.offset + blob.size)
        last = bisect_left(blobs, end, key=lambda blob: blob.offset)
        return (blob.digest for blob in blobs[first:last] if blob.size)

    def of_blobs(self, digests: Iterable[Digest], archive: str) -> Impact:
        """Return whom some blobs of an archive belong to."""
        hit = sorted(set(digests))
        users = {user for digest in hit for user in self._users[digest]}
        names = {application for application, _ in users}
        if archive == SHARED:
            names |= set() if hit else {application.name for application in self._manifest.applications}
        else:
            names.add(archive)
        return Impact(tuple(hit), tuple(sorted(names)), tuple(sorted({image for _, image in users})))
