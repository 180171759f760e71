"""Every form in which a file as a whole may be compressed: for each the ways there and back, without our code."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import zstandard


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()


COMPRESSIONS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (gzip.compress, gzip.decompress),
    "zstd": (zstandard.ZstdCompressor().compress, _unzstd),
    "xz": (lzma.compress, lzma.decompress),
    "bzip2": (bz2.compress, bz2.decompress),
}
