"""Opens an archive, plain or compressed: which of the two is told by its first bytes, never by its name."""

from __future__ import annotations

import stat
from pathlib import Path

from bundler.content.compression import MAGIC_BYTES, recognise_compression
from bundler.content.files import disk_errors
from bundler.errors import DamagedContent, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.progress import SILENT, Progress
from bundler.transports.compressed_tar import CompressedTarFile
from bundler.transports.tar_file import TarFile
from bundler.transports.tar_files import TarFiles


def open_archive(path: Path, limits: Limits = DEFAULT_LIMITS, progress: Progress = SILENT) -> TarFiles:
    """Find out what an archive holds; ``progress`` is told of one that must be decompressed for that.

    Raises:
        NotFound: there is no such file.
        UsageError: it is no regular file: a directory, or a pipe, which cannot be read in any order.
        DamagedContent: it is empty, damaged or truncated, or unpacks to more than is allowed.
        MalformedDocument: it is no tar, or exceeds a bound.
        DiskError: the disk refused.
    """
    compression = recognise_compression(_first_bytes(path))
    if compression == "none":
        return TarFile(path, limits)
    return CompressedTarFile(path, compression, limits, progress)


def _first_bytes(path: Path) -> bytes:
    with disk_errors(path):
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{path} is a directory, not an archive", advice="Name a file, or use oci:DIR.")
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(
                f"{path} is a pipe or device: archives are read in any order, which it cannot do",
                advice="Write it to a file first, or give it to `pack` as standard input, docker-archive:-.",
            )
        with path.open("rb") as file:
            start = file.read(MAGIC_BYTES)
    if not start:
        raise DamagedContent(f"{path} is empty")
    return start
