"""A docker-archive, as ``docker save`` writes it, as an image destination."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bundler.content.files import disk_errors, partial, sync_directory, write_all
from bundler.content.images import BlobReader, OutgoingImage, PutResult, ReferrerCounts
from bundler.content.machine import this_machine
from bundler.destinations.counting import CountingReader
from bundler.errors import OutputExists, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.image import PlatformImage
from bundler.model.platforms import Platform
from bundler.progress import Task
from bundler.transports.docker_archive_writer import (
    ArchiveImage,
    ArchiveLayer,
    DockerArchiveWriter,
    measure_plain,
)

_READ_BY_ALL = 0o666
_MORE_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class DockerArchiveDestination:
    """An ``ImageDestination`` that writes one file for all images, each shared layer once.

    Layers are uncompressed, which every engine reads. The file has its name only when it is whole.
    """

    is_one_file = True

    def __init__(self, path: Path, host: Platform | None = None) -> None:
        """Prepare to write; nothing is written before the first image comes.

        Args:
            path: Of the file.
            host: Which platform is taken of an image that has several; by default this machine's.

        Raises:
            OutputExists: there is something of this name.
        """
        self._path = path
        self._host = host or this_machine()
        self._writer = DockerArchiveWriter(registry_form=False)
        self._file: int | None = None
        self._unfinished = False
        self._size = 0
        self._require_free_name()

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        """Write the layers of an image, see :meth:`ImageDestination.put`; its name follows with ``finish``.

        Raises:
            DamagedContent: a blob turned out damaged; what was written of the image is taken back.
            NotFound: none of the image's platforms is the one that is taken.
            UsageError: it is no container image.
            DiskError: the disk refused.
        """
        chosen = image.tree.select(self._host)
        counting = CountingReader(reader, task, sum(blob.size for blob in image.tree.blobs()))
        archive = ArchiveImage(image.reference.tagged, image.tree, chosen, _plan(image, chosen, reader))
        task.describe(f"writing {image.reference}")
        before = self._size
        try:
            self._write(self._writer.add(archive, counting))
        except BaseException:
            self._take_back(before)
            raise
        counting.finish()
        return PutResult(
            reference=str(image.reference),
            target=image.reference.tagged or chosen.image_id,
            digest=chosen.image_id,
            status="extracted",
            bytes_sent=self._size - before,
            notes=tuple(_notes(image, chosen)),
            referrers=ReferrerCounts(left_out=len(image.referrers)),
        )

    def finish(self) -> None:
        """Write the tables, make the file durable and give it its name; no image, no file.

        Raises:
            OutputExists: somebody else wrote a file of this name meanwhile.
            DiskError: the disk refused.
        """
        if self._file is None:
            return
        try:
            self._write(self._writer.end())
            with disk_errors(self._path):
                os.fsync(self._file)
                self._close()
                self._require_free_name()
                partial(self._path).replace(self._path)
                self._unfinished = False
                sync_directory(self._path.parent)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Remove what was written; may be called more than once."""
        self._close()
        if self._unfinished:
            partial(self._path).unlink(missing_ok=True)
            self._unfinished = False

    def _write(self, chunks: Iterable[bytes]) -> None:
        beside = partial(self._path)
        with disk_errors(beside):
            if self._file is None:
                self._file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _MORE_FLAGS, _READ_BY_ALL)
                self._unfinished = True
            for chunk in chunks:
                write_all(self._file, chunk)
                self._size += len(chunk)

    def _take_back(self, size: int) -> None:
        """Cut the file to what it was before an image that failed, so that others can follow."""
        if self._file is not None:
            with disk_errors(partial(self._path)):
                os.ftruncate(self._file, size)
                os.lseek(self._file, size, os.SEEK_SET)
        self._size = size

    def _close(self) -> None:
        descriptor, self._file = self._file, None
        if descriptor is not None:
            os.close(descriptor)

    def _require_free_name(self) -> None:
        with disk_errors(self._path):
            is_taken = self._path.exists() or self._path.is_symlink()
        if is_taken:
            raise OutputExists(f"{self._path} exists", advice="Name another file, or remove this one.")


def _plan(image: OutgoingImage, chosen: PlatformImage, reader: BlobReader) -> tuple[ArchiveLayer, ...]:
    layers = list(chosen.layers())
    if chosen.config is None or len(layers) != len(chosen.config.diff_ids):
        raise UsageError(
            f"{image.reference} is no container image, which is all that a docker-archive can hold",
            advice="Extract it to an OCI layout, oci:DIRECTORY.",
        )
    return tuple(
        ArchiveLayer(blob, diff_id, "plain", _plain_size(image, blob, reader))
        for blob, diff_id in layers
        if diff_id is not None
    )


def _plain_size(image: OutgoingImage, layer: Descriptor, reader: BlobReader) -> int:
    if media_types.layer_compression(layer.media_type) == "none":
        return layer.size
    known = image.uncompressed_sizes.get(layer.digest)
    return measure_plain(layer, reader) if known is None else known


def _notes(image: OutgoingImage, chosen: PlatformImage) -> Iterator[str]:
    if image.reference.tagged is None:
        yield f"{image.reference} has no tag; the archive holds the image without a name"
    others = [str(other.platform) for other in image.tree.platform_images() if other.platform.is_known]
    if len(others) > 1:
        yield f"of {', '.join(others)} the archive holds {chosen.platform} only"
    if image.referrers:
        yield f"a docker-archive holds no referrers: {len(image.referrers)} were left out"
