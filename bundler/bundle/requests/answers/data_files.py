"""The data files of an answer as one sequence of bytes: its blocks, read from whichever file holds them."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.requests.answers.layout import AnswerLayout
from bundler.content.files import partial
from bundler.content.read_back import MediumReader
from bundler.errors import NotFound


class DataFiles:
    """Reads ranges; one file at a time is open. For one thread."""

    def __init__(self, directory: Path, layout: AnswerLayout, *, unfinished: bool, around_cache: bool) -> None:
        """Read from a directory.

        Args:
            directory: Where the files lie.
            layout: Which they are.
            unfinished: Whether a file that has not its final name yet counts where no other is.
            around_cache: Whether the medium is asked, and not what the system remembers of it.
        """
        self._directory = directory
        self._layout = layout
        self._unfinished = unfinished
        self._reader = MediumReader(layout.block_bytes, around_cache=around_cache)
        self._open: int | None = None

    def path(self, file: int) -> Path:
        """Return where a file lies under its final name."""
        return self._directory / self._layout.files[file]

    def read(self, offset: int, buffer: memoryview) -> int:
        """Fill the buffer from an offset in the joined data; return how far that came.

        Raises:
            NotFound: a file is not there. NotRegular: it is no regular file. DiskError: the disk refused.
        """
        filled = 0
        for piece in self._layout.pieces(offset, len(buffer)):
            self._turn_to(piece.file)
            found = self._reader.read(piece.offset, piece.length)
            buffer[filled : filled + len(found)] = found
            filled += len(found)
            if len(found) < piece.length:
                break
        return filled

    def close(self) -> None:
        """Close the file that is open; may be called more than once."""
        self._reader.close()
        self._open = None

    def _turn_to(self, file: int) -> None:
        if self._open == file:
            return
        self._open = None
        path = self.path(file)
        try:
            self._reader.open(path)
        except NotFound:
            if not self._unfinished:
                raise
            self._reader.open(partial(path))
        self._open = file
