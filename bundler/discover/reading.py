"""Files of the user, read whole: regular ones only, of a bounded size, in UTF-8."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bundler.errors import DiskError, NotFound, NotReadable, ProjectError
from bundler.model.limits import Limits, beyond


def read_bytes(path: Path, limits: Limits) -> bytes:
    """Read a file; a link to one is followed.

    Raises:
        NotFound: it is not there.
        ProjectError: it is a directory, device or pipe, or too large.
        NotReadable, DiskError: the disk refused.
    """
    # NONBLOCK: opening a pipe that nobody writes to would wait for ever; Windows has neither flag.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # Looked at before it is opened: opening a device may do something.
            raise ProjectError(f"{path} is not a regular file", advice="Name a file, a directory, or -.")
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ProjectError(f"{path} is not a regular file", advice="Name a file, a directory, or -.")
            raw = file.read(limits.discovered_bytes + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"{path}: {os.strerror(error.errno or 2)}") from error
    except PermissionError as error:
        raise NotReadable(f"{path}: {os.strerror(error.errno or 13)}") from error
    except (OSError, ValueError) as error:
        # ValueError: a path with a NUL, as a hostile file may name one.
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a file name"
        raise (DiskError if isinstance(error, OSError) else ProjectError)(
            f"{str(path)!r:.300}: {reason}"
        ) from error
    return check_size(raw, str(path), limits)


def check_size(raw: bytes, name: str, limits: Limits) -> bytes:
    """Return the bytes of a file if they are not too many.

    Raises:
        ProjectError: there are more than the limit.
    """
    if len(raw) > limits.discovered_bytes:
        raise too_much(limits.discovered_bytes, f"{name} is too large")
    return raw


def too_much(limit: int, what: str) -> ProjectError:
    """Make the error of a file that passes a limit; see :func:`bundler.model.limits.beyond`."""
    error = beyond(limit, what)
    return ProjectError(error.message, advice=error.advice)


def decode(raw: bytes, name: str) -> str:
    """Return a file's text without its byte-order mark.

    Raises:
        ProjectError: it is not UTF-8.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectError(f"{name} is not UTF-8 text: byte {error.start}") from None
