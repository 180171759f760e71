"""A compressed tar on a disk, read without a copy of it: what is wanted is found by decompressing it again."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from bundler.content.compression import MAGIC_BYTES, DecompressedStream
from bundler.content.files import FileStream, disk_errors
from bundler.content.streams import BUFFER_BYTES, ByteStream, read_all, read_exactly
from bundler.content.tar import BLOCK_BYTES, TarEntry, TarReader
from bundler.errors import DamagedContent
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.progress import SILENT, Progress, Task
from bundler.transports.tar_files import Payload, TarFiles

_STARTS_OF_JSON = (b"{", b"[")


class CompressedTarFile(TarFiles):
    """The files of a tar that is compressed as a whole. It gives what the plain tar would give.

    Nothing is staged. The file is decompressed once to learn what it holds; files that may be documents are kept
    in memory from then on. ``walk`` decompresses it once more, and again from its start each time that the next
    file lies before the last one: once where the order asked for is that of the archive.
    """

    def __init__(
        self, path: Path, compression: str, limits: Limits = DEFAULT_LIMITS, progress: Progress = SILENT
    ) -> None:
        """Decompress the file once.

        Args:
            path: Of the file.
            compression: As ``recognise_compression`` names it.
            limits: Bounds entries, what is kept in memory, and what comes out of the file.
            progress: Is told the compressed bytes that were read.

        Raises:
            NotFound: there is no such file.
            DamagedContent: it is damaged or truncated, or unpacks to more than is allowed.
            MalformedDocument: what is in it is no tar, or exceeds a bound.
            DiskError: the disk refused.
        """
        super().__init__(path, limits)
        self._compression = compression
        self._starts: dict[str, bytes] = {}
        self._documents: dict[str, bytes] = {}
        self._memory_left = limits.archive_document_bytes
        with disk_errors(path):
            size = path.stat().st_size
        try:
            with progress.task("compressed archive", size) as task:
                task.describe(f"looking into {path}")
                self._learn_all(task)
        except DamagedContent as error:
            what = "" if self._entries else "not a tar, or damaged: "
            raise type(error)(f"{path}: {what}{error}", advice=error.advice) from error

    def start(self, name: str) -> bytes:
        """Return the first bytes of a file; see :class:`TarFiles`."""
        return self._starts[self._file(name).name]

    def open(self, name: str, offset: int = 0) -> ByteStream:
        """Open a file, at the cost of decompressing all that lies before it; see :class:`TarFiles`."""
        entry = self._file_at(name, offset)
        plain = self._unpack()
        try:
            plain.skip(entry.offset + offset)
        except BaseException:
            plain.close()
            raise
        return Payload(self.path, entry, plain, offset)

    def walk(self, names: Sequence[str]) -> Generator[ByteStream | None, None, None]:
        """Open files one after the other; see :class:`TarFiles`."""
        plain = self._unpack()
        try:
            for name in names:
                entry = self._find(name)
                if entry is None:
                    yield None
                    continue
                if entry.offset < plain.position:
                    plain.close()
                    plain = self._unpack()
                plain.skip(entry.offset - plain.position)
                yield Payload(self.path, entry, _Borrowed(plain))
        finally:
            plain.close()

    def read(self, name: str, limit: int) -> bytes:
        """Read a whole small file, if it may be a document from memory; see :class:`TarFiles`."""
        kept = self._documents.get(self._file(name).name)
        return super().read(name, limit) if kept is None or len(kept) > limit else kept

    def close(self) -> None:
        """Forget the documents; no file stays open between two calls."""
        self._documents.clear()

    def _unpack(self, task: Task | None = None) -> _Unpacked:
        return _Unpacked(self.path, self._compression, self._limits, task)

    def _learn_all(self, task: Task) -> None:
        plain = self._unpack(task)
        try:
            reader = TarReader(plain, limits=self._limits)
            while (entry := reader.next()) is not None:
                self._learn(entry, reader)
        finally:
            plain.close()

    def _learn(self, entry: TarEntry, reader: TarReader) -> None:
        self._entries[entry.name] = entry
        self._documents.pop(entry.name, None)
        if not entry.is_file:
            return
        start = memoryview(bytearray(min(MAGIC_BYTES, entry.size)))
        read_exactly(reader, start)
        self._starts[entry.name] = bytes(start)
        if entry.size <= self._limits.document_bytes and bytes(start[:1]) in _STARTS_OF_JSON:
            # With its header, so that many empty ones count too.
            self._memory_left -= BLOCK_BYTES + entry.size
            if self._memory_left < 0:
                # In a plain file nothing must be kept: to decompress it helps as well as another limit.
                raise beyond(
                    self._limits.archive_document_bytes,
                    "the JSON files in the compressed archive take too much memory",
                )
            self._documents[entry.name] = bytes(start) + read_all(reader, entry.size, entry.name)


class _Unpacked:
    """The plain tar inside a compressed file, from its start on, bounded.

    Attributes:
        position: where it stands, in bytes of the plain tar.
    """

    def __init__(self, path: Path, compression: str, limits: Limits, task: Task | None) -> None:
        self.position = 0
        file = FileStream(path) if task is None else _WatchedFile(path, task)
        self._plain = DecompressedStream(file, compression, limits, limits.archive_bytes)
        self._scratch = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        count = self._plain.readinto(buffer)
        self.position += count
        return count

    def skip(self, count: int) -> None:
        self._scratch = self._scratch or memoryview(bytearray(BUFFER_BYTES))
        while count:
            step = self.readinto(self._scratch[: min(count, BUFFER_BYTES)])
            if not step:
                raise DamagedContent(f"the archive is truncated: {count} bytes before a file are missing")
            count -= step

    def close(self) -> None:
        self._plain.close()


class _WatchedFile(FileStream):
    """Tells a task what was read."""

    def __init__(self, path: Path, task: Task) -> None:
        super().__init__(path)
        self._task = task

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer)
        self._task.advance(count)
        return count


class _Borrowed:
    """A stream that stays open when whoever reads a part of it closes it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def readinto(self, buffer: memoryview) -> int:
        return self._stream.readinto(buffer)

    def close(self) -> None:
        pass
