"""A plain tar on a disk, read in any order by the names of its entries."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from bundler.content.compression import MAGIC_BYTES
from bundler.content.files import FileStream, read_range
from bundler.content.streams import ByteStream
from bundler.content.tar import TarReader
from bundler.errors import DamagedContent
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.transports.tar_files import Payload, TarFiles


class TarFile(TarFiles):
    """The files of a plain tar in a seekable file, each opened where it lies."""

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        """Walk over all headers of the file; no payload is read.

        Raises:
            NotFound: there is no such file.
            DamagedContent: it is truncated.
            MalformedDocument: it is no tar, or exceeds a bound.
            DiskError: the disk refused.
        """
        super().__init__(path, limits)
        stream = FileStream(path)
        try:
            reader = TarReader(stream, stream.skip, limits)
            while (entry := reader.next()) is not None:
                self._entries[entry.name] = entry
        except DamagedContent as error:
            what = "" if self._entries else "not a tar, or damaged: "
            raise type(error)(f"{path}: {what}{error}", advice=error.advice) from error
        finally:
            stream.close()

    def start(self, name: str) -> bytes:
        """Return the first bytes of a file; see :class:`TarFiles`."""
        entry = self._file_at(name, 0)
        # Asked of each layer of an archive, of which there may be a hundred thousand: no stream is made for it.
        return read_range(self.path, entry.offset, min(entry.size, MAGIC_BYTES))

    def open(self, name: str, offset: int = 0) -> ByteStream:
        """Open a file; see :class:`TarFiles`."""
        entry = self._file_at(name, offset)
        stream = FileStream(self.path, entry.offset + offset, entry.size - offset)
        return Payload(self.path, entry, stream, offset)

    def close(self) -> None:
        """Nothing stays open between two calls."""

    def walk(self, names: Sequence[str]) -> Generator[ByteStream | None, None, None]:
        """Open files one after the other; see :class:`TarFiles`."""
        for name in names:
            if name not in self:
                yield None
                continue
            stream = self.open(name)
            try:
                yield stream
            finally:
                stream.close()
