"""Standard input as a file that can be read in any order, as archives must be."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from bundler.content.files import disk_errors, partial, write_all
from bundler.content.streams import BUFFER_BYTES
from bundler.errors import DamagedContent, FileTooLarge, NoSpace, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.packing.writing.output import STANDARD_INPUT, OutputDirectory
from bundler.progress import SILENT, Progress, Task

_STDIN = 0
#: Opens what standard input was redirected from once more, with a position of its own; Linux has it.
_REOPENED = Path("/proc/self/fd/0")
_ELSEWHERE = "Write it to a file on another disk, then name that file."


class StandardInput:
    """Standard input, for the time of one pack.

    A file that was redirected is read where it lies. A pipe is written once, as it comes, into the directory of
    the bundle, and removed at the end: the layers in it come before the table that says whose they are.
    """

    def __init__(
        self, output: OutputDirectory | None, limits: Limits = DEFAULT_LIMITS, progress: Progress = SILENT
    ) -> None:
        """Read nothing yet.

        Args:
            output: Where a pipe may be written to; ``None`` where nothing may be written.
            limits: Bounds how much comes through a pipe.
            progress: Is told that a pipe is being kept, and where.
        """
        self._output = output
        self._limits = limits
        self._progress = progress
        self._kept: Path | None = None
        self._path: Path | None = None

    def path(self) -> Path:
        """Return the file to read.

        Raises:
            UsageError: there is no standard input, it is a terminal or nothing, or it is a pipe and nothing may be
                written.
            DamagedContent: more comes than is allowed.
            OutputExists, DiskError: the directory of the bundle.
        """
        if self._path is None:
            self._path = self._redirected() or self._keep()
        return self._path

    def close(self) -> None:
        """Remove what was kept of a pipe; may be called more than once."""
        if self._kept is None:
            return
        try:
            self._kept.unlink(missing_ok=True)
        except OSError as error:
            # The pack is done, or has an error of its own that matters more.
            self._progress.message(f"{self._kept} could not be removed: {error.strerror}")

    def _redirected(self) -> Path | None:
        """Return the file that standard input is, if it is one that can be opened again from its start."""
        # Where it was closed from the start, its number belongs to some other file by now.
        if sys.__stdin__ is None:
            raise UsageError("there is no standard input", advice="Name a file instead of -.")
        try:
            status = os.fstat(_STDIN)
            if os.isatty(_STDIN) or stat.S_ISDIR(status.st_mode):
                raise UsageError(
                    "standard input is no archive", advice="Send one: docker save … | airbundle pack …"
                )
            if not stat.S_ISREG(status.st_mode) or os.lseek(_STDIN, 0, os.SEEK_CUR) != 0:
                return None
            return _REOPENED if os.path.samestat(_REOPENED.stat(), status) else None
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                return None
            raise UsageError("there is no standard input", advice="Name a file instead of -.") from error

    def _keep(self) -> Path:
        if self._output is None:
            raise UsageError(
                "standard input is a pipe: to look into it would use it up",
                advice="Pack it at once, or write it to a file and name that.",
            )
        self._output.prepare()
        path = partial(self._output.path / STANDARD_INPUT)
        self._kept = path
        self._progress.message(f"standard input is kept in {path} until the pack ends")
        try:
            with (
                self._progress.task("standard input") as task,
                disk_errors(path),
                path.open("wb", buffering=0) as file,
            ):
                self._copy(file.fileno(), task)
                if not file.tell():
                    raise DamagedContent("standard input is empty", advice="Did the command before it fail?")
        except NoSpace as error:
            raise NoSpace(f"{error}; standard input must be kept there as well", advice=_ELSEWHERE) from error
        except FileTooLarge as error:
            raise FileTooLarge(f"{error}; standard input is kept in one file", advice=_ELSEWHERE) from error
        return path

    def _copy(self, target: int, task: Task) -> None:
        left = self._limits.archive_bytes
        while data := os.read(_STDIN, BUFFER_BYTES):
            left -= len(data)
            if left < 0:
                raise beyond(self._limits.archive_bytes, "standard input has too many bytes")
            write_all(target, data)
            task.advance(len(data))
