"""The one place where bytes are compressed and decompressed.

Layers are made as zstd or gzip; what others compressed is read also as xz and bzip2. zstd gives the same bytes on
every machine only by this rule: always streaming, always its own threads (one is enough, none is another
algorithm), size not declared, checksum on, job size untouched, no flush in between.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol, cast

import msgspec
import zstandard

from bundler.content.gunzip import open_gzip
from bundler.content.streams import BUFFER_BYTES, ByteStream, StreamFile
from bundler.content.zstd_frames import FrameTracker
from bundler.errors import DamagedContent, UsageError
from bundler.model import media_types
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond

_MOST_WORKERS = 8
_LEVELS = {"zstd": range(1, 20), "gzip": range(1, 10)}
_DEFAULT_LEVEL = {"zstd": 3, "gzip": 6}
_SMALL_LEVEL = 9
#: One more is 0.4 % smaller, and takes a pack on two cores beyond 256 MiB of memory. All readers take up to 27.
_SMALL_WINDOW_LOG = 26
#: How many bytes from the start of a file :func:`recognise_compression` must see.
MAGIC_BYTES = 10
# Long enough that no tar begins so: its first bytes are the name of a file.
_MAGICS = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"),
}
#: What the libraries of zstd and xz say of a window that is larger than they may hold in memory.
_TOO_MUCH_MEMORY = ("too much memory", "memory usage limit")
#: Zeros may stand behind a stream of xz, in groups of this many.
_XZ_PADDING = 4


class Encoder(msgspec.Struct, frozen=True, omit_defaults=True):
    """The recipe of a compressed layer: the same recipe makes the same bytes of the same layer.

    Attributes:
        algorithm: ``zstd`` or ``gzip``.
        library: what compressed, such as ``libzstd``.
        version: of the library; another version is another recipe.
        level: in the library's own scale.
        window_log: of zstd, where matches are sought by its long-distance method in a window of 2 to the power of
            so many bytes, which a reader must hold in memory; 0: as the level has it, and without that method.
    """

    algorithm: str
    library: str
    version: str
    level: int
    window_log: int = 0

    @classmethod
    def small(cls) -> Encoder:
        """Make the recipe for bundles that shall be small: slower, and readers need 64 MiB."""
        return msgspec.structs.replace(cls.choose("zstd", _SMALL_LEVEL), window_log=_SMALL_WINDOW_LOG)

    @classmethod
    def choose(cls, algorithm: str = "zstd", level: int | None = None) -> Encoder:
        """Make the recipe of this installation.

        Raises:
            UsageError: unknown algorithm, or a level that it does not have.
        """
        if algorithm not in _LEVELS:
            raise UsageError(f"unknown compression {algorithm!r}", advice="Use zstd or gzip.")
        chosen = _DEFAULT_LEVEL[algorithm] if level is None else level
        if chosen not in _LEVELS[algorithm]:
            levels = _LEVELS[algorithm]
            raise UsageError(f"{algorithm} has the levels {levels[0]} to {levels[-1]}, not {chosen}")
        if algorithm == "zstd":
            return cls(algorithm, "libzstd", ".".join(map(str, zstandard.ZSTD_VERSION)), chosen)
        return cls(algorithm, "zlib", zlib.ZLIB_RUNTIME_VERSION, chosen)

    @property
    def media_type(self) -> str:
        """The OCI media type of a layer compressed so."""
        return media_types.OCI_LAYER_ZSTD if self.algorithm == "zstd" else media_types.OCI_LAYER_GZIP


class Compressor(Protocol):
    """A running compression of one layer; its output comes in pieces of at most ``BUFFER_BYTES``."""

    def compress(self, data: memoryview) -> Iterator[bytes]:
        """Take bytes; yield what is ready, often nothing. The bytes are taken as the iterator is used up."""

    def flush(self) -> Iterator[bytes]:
        """End the stream; yield the rest."""


def start_compressor(encoder: Encoder, workers: int | None = None) -> Compressor:
    """Begin to compress one layer.

    Args:
        encoder: The recipe.
        workers: zstd's own threads, 1 to 8; the number changes no byte. Default: one per processor.
    """
    if encoder.algorithm == "gzip":
        return _GzipCompressor(encoder)
    return _ZstdCompressor(encoder, min(max(workers or os.cpu_count() or 1, 1), _MOST_WORKERS))


class _ZstdCompressor:
    # Through the chunker: what other interfaces return at once grows to tens of MiB with several threads.
    def __init__(self, encoder: Encoder, threads: int) -> None:
        long = {"window_log": encoder.window_log, "enable_ldm": True} if encoder.window_log else {}
        parameters = zstandard.ZstdCompressionParameters.from_level(
            encoder.level, threads=threads, write_content_size=False, write_checksum=True, **long
        )
        self._chunker = zstandard.ZstdCompressor(compression_params=parameters).chunker(chunk_size=BUFFER_BYTES)

    def compress(self, data: memoryview) -> Iterator[bytes]:
        return iter(self._chunker.compress(data))

    def flush(self) -> Iterator[bytes]:
        return iter(self._chunker.finish())  # type: ignore[no-untyped-call]  # a gap in its stubs


class _GzipCompressor:
    def __init__(self, encoder: Encoder) -> None:
        self._compressor = zlib.compressobj(encoder.level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def compress(self, data: memoryview) -> Iterator[bytes]:
        yield self._compressor.compress(data)

    def flush(self) -> Iterator[bytes]:
        yield self._compressor.flush()


def recognise_compression(start: bytes) -> str:
    """Tell from the first ``MAGIC_BYTES`` of a file how it is compressed; ``none`` if it is not."""
    return next((name for name, magic in _MAGICS.items() if magic.match(start)), "none")


#: A short stream has some credit: its header alone may be most of it. No zstd frame exceeds the usual ratio, what
#: bzip2 makes of zeros exceeds it thirty times; that ends after 640 MiB.
CREDIT_BYTES = 16 << 10


class DecompressedStream:
    """The bytes inside a compressed stream, in bounded memory whatever the stream claims."""

    def __init__(
        self,
        stream: ByteStream,
        compression: str,
        limits: Limits = DEFAULT_LIMITS,
        most_bytes: int | None = None,
    ) -> None:
        """Read a stream; several members or frames are one stream.

        Args:
            stream: The compressed bytes.
            compression: ``gzip``, ``zstd``, ``xz``, ``bzip2`` or ``none``.
            limits: Bounds the memory that a decoder takes, and how much comes out of how little.
            most_bytes: Bounds what comes out; ``Limits.layer_bytes`` where it is not given.
        """
        self._below = _Counted(stream)
        self._limits = limits
        self._most_bytes = limits.layer_bytes if most_bytes is None else most_bytes
        self._count = 0
        self._frames = FrameTracker()
        self._file = cast(BinaryIO, self._open(self._below, compression, limits))

    def _open(self, stream: ByteStream, compression: str, limits: Limits) -> object:
        if compression == "gzip":
            return open_gzip(cast(BinaryIO, StreamFile(stream)))
        if compression == "zstd":
            decompressor = zstandard.ZstdDecompressor(max_window_size=1 << limits.window_log)
            source = cast(BinaryIO, _TrackedFile(stream, self._frames))
            return decompressor.stream_reader(source, read_across_frames=True)
        if compression == "bzip2":
            return _Members(stream, bz2.BZ2Decompressor)
        if compression == "xz":
            # Beside the window a decoder of xz holds tables of its own, well below 1 MiB.
            most_memory = (1 << limits.window_log) + (1 << 20)
            return _Members(stream, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, most_memory), _XZ_PADDING)
        return stream

    def readinto(self, buffer: memoryview) -> int:
        """Read on.

        Raises:
            DamagedContent: the compressed form is broken.
            LimitExceeded: it holds more than is allowed, or needs more memory.
        """
        try:
            count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        except (zstandard.ZstdError, zlib.error, EOFError, gzip.BadGzipFile) as error:
            if any(sign in str(error).lower() for sign in _TOO_MUCH_MEMORY):
                raise beyond(self._limits.window_log, "compressed data needs too large a window") from error
            raise DamagedContent(f"compressed data is damaged: {error}") from error
        if not count and len(buffer) and not self._frames.at_end:
            raise DamagedContent("compressed data is damaged: it ends inside a zstd frame")
        self._count += count
        if self._count > self._most_bytes:
            raise beyond(self._most_bytes, "compressed data unpacks to too many bytes")
        if self._count > self._limits.layer_ratio * (self._below.count + CREDIT_BYTES):
            raise beyond(self._limits.layer_ratio, "compressed data unpacks to far too many times its size")
        return count

    def close(self) -> None:
        """Close the stream below."""
        self._below.close()


class _Counted:
    """Counts the compressed bytes that were read."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.count = 0

    def readinto(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        self.count += count
        return count

    def close(self) -> None:
        self._stream.close()


class _TrackedFile(StreamFile):
    def __init__(self, stream: ByteStream, frames: FrameTracker) -> None:
        super().__init__(stream)
        self._frames = frames

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self._frames.feed(data)
        return data


class _Decompressor(Protocol):
    """What the decompressors of the standard library have in common; each reads one member."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class _Members:
    """Members of xz or bzip2 one after the other, as their parallel programs write them.

    The file objects of the standard library have no bound on memory, and one of them takes junk for the end.
    """

    def __init__(self, stream: ByteStream, start: Callable[[], _Decompressor], padding: int = 1) -> None:
        """Start a decompressor for each member; zeros may stand behind one, in groups of ``padding``."""
        self._file = StreamFile(stream)
        self._start = start
        self._padding = padding
        self._pending = b""
        self._member: _Decompressor | None = start()

    def readinto(self, buffer: memoryview) -> int:
        while self._member is not None and len(buffer):
            data = self._decompress(self._member, len(buffer))
            if self._member.eof:
                self._member = self._next(self._member.unused_data)
            if data:
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _decompress(self, member: _Decompressor, most: int) -> bytes:
        if member.needs_input and not self._pending:
            self._pending = self._file.read(BUFFER_BYTES)
            if not self._pending:
                raise EOFError("it ends too early")
        piece, self._pending = self._pending, b""
        try:
            return member.decompress(piece, most)
        except (OSError, ValueError, lzma.LZMAError) as error:
            raise EOFError(str(error).lower()) from error

    def _next(self, rest: bytes) -> _Decompressor | None:
        """Begin the member behind the padding; ``None`` at the end of the stream."""
        zeros = 0
        while rest := rest or self._file.read(BUFFER_BYTES):
            member = rest.lstrip(b"\0")
            zeros += len(rest) - len(member)
            rest = member
            if member:
                break
        if zeros % self._padding:
            raise EOFError("there is junk behind it")
        self._pending = rest
        return self._start() if rest else None
