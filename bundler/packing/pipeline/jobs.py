"""What the pipeline carries: blobs to be made, and the pieces that they are cut into on the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bundler.bundle.manifest import Blob
from bundler.content.compression import Encoder
from bundler.content.probe import LayerProbe
from bundler.errors import DamagedContent
from bundler.model.digest import Digest
from bundler.packing.writing.archive_sink import ArchiveSink


@dataclass
class Job:
    """One blob on its way into an archive.

    Attributes:
        archive: where it goes.
        media_type: of the blob as it will lie there.
        digest: of the blob, if it has one already; ``None`` if it is made here.
        size: of the blob in bytes, where it has a digest.
        diff_id: which the uncompressed bytes must have; ``None`` if they are not checked.
        encoder: by what recipe it is compressed; ``None`` for a blob that is taken as it is.
        is_made: it was compressed by this recipe before, and comes so, with its digest.
        look_inside: decompress a layer that is taken as it is, to prove its DiffID and learn its size.
        probe: what looks inside; it may need longer than the bytes need to pass.
    """

    archive: ArchiveSink
    media_type: str
    digest: Digest | None = None
    size: int = 0
    diff_id: Digest | None = None
    encoder: Encoder | None = None
    look_inside: bool = False
    probe: LayerProbe | None = None
    uncompressed_size: int | None = None
    is_made: bool = False

    @property
    def is_compressed_here(self) -> bool:
        """Whether uncompressed bytes come, and are compressed on their way."""
        return self.encoder is not None and not self.is_made

    @property
    def what(self) -> str:
        """The blob's name in errors."""
        return f"layer {self.diff_id}" if self.digest is None else f"blob {self.digest}"

    def found_inside(self, diff_id: Digest, size: int) -> None:
        """Take note of what the layer is when uncompressed.

        Raises:
            DamagedContent: it is not the layer that the image's config names.
        """
        if self.diff_id is not None and diff_id != self.diff_id:
            raise DamagedContent(
                f"{self.what} does not hold what the image says: its uncompressed bytes hash to {diff_id}, "
                f"the image config names {self.diff_id}"
            )
        self.diff_id, self.uncompressed_size = diff_id, size

    def check_digest(self, found: Digest) -> None:
        """Compare the bytes that were written with the digest that they must have.

        Raises:
            DamagedContent: they differ.
        """
        if self.digest is not None and found != self.digest:
            raise DamagedContent(f"{self.what} is damaged at its source: its bytes hash to {found}")

    def blob(self, digest: Digest, size: int, offset: int) -> Blob:
        """Return the table's row for the blob, now that it is written."""
        return Blob(
            digest=digest,
            size=size,
            media_type=self.media_type,
            archive=self.archive.name,
            offset=offset,
            diff_id=self.diff_id,
            uncompressed_size=self.uncompressed_size,
            encoder=self.encoder,
        )


class Buffer:
    """A buffer of the pool, with the view that is sliced for each piece."""

    def __init__(self, memory: bytearray) -> None:
        self.view = memoryview(memory)


class Mark(Enum):
    """What a piece is: the beginning of a job, a run of its bytes, or its end."""

    BEGIN = 1
    BYTES = 2
    END = 3


@dataclass(frozen=True)
class Piece:
    """What passes from one thread to the next; ``buffer`` goes back to the pool when ``data`` is used."""

    job: Job
    mark: Mark
    data: memoryview | None = None
    buffer: Buffer | None = None
