"""The directory that an answer is written to: whose it is, and when it is whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.opening import read_small
from bundler.bundle.requests.answers.holdings import UNFINISHED, requests_answered, right_blocks
from bundler.bundle.requests.answers.layout import ANSWER_JSON, ANSWER_JSON_COPY, AnswerLayout
from bundler.bundle.requests.answers.table import parse_answer_table, write_answer_table
from bundler.bundle.requests.block_ranges import BlockAt, BlockRanges
from bundler.bundle.requests.request_file import BlockRequest, write_request
from bundler.content.file_lock import FileLock
from bundler.content.files import disk_errors, partial, sync_directory, write_all, write_file
from bundler.content.free_space import free_bytes, taken_bytes
from bundler.errors import AirbundleError, DiskError, NoSpace, OutputExists
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.sizes import format_size


class AnswerDestination:
    """A directory that belongs to one answer, from ``prepare`` until ``release`` or the end of the process.

    Until the answer is whole its request lies in ``answer.json.partial`` and its data in ``*.partial``. Files of
    other names are left alone.
    """

    def __init__(self, path: Path, request: BlockRequest, limits: Limits = DEFAULT_LIMITS) -> None:
        """Name the directory; nothing is touched before ``prepare``."""
        self.path = path
        self.request = request
        self._limits = limits
        self._lock: FileLock | None = None
        self._is_new = False
        self._layout: AnswerLayout | None = None
        self._written: set[BlockAt] = set()

    def prepare(self) -> None:
        """Create the directory if need be, and make it this answer's own.

        Raises:
            OutputExists: it holds an answer to another request, or another run is writing there.
            NotWritable, NoSpace, DiskError: it cannot be created or written to.
        """
        with disk_errors(self.path):
            try:
                self._is_new = not self.path.exists()
                self.path.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise OutputExists(f"{self.path} is a file") from error
        self._refuse_others()
        self._lock = FileLock(self.path / UNFINISHED)
        try:
            # Only now is it certain that nobody changes it: look again.
            self._refuse_others()
        except BaseException:
            self.release()
            raise

    def has_table(self) -> bool:
        """Tell whether an answer was finished there once, whatever became of it."""
        return any(os.path.lexists(self.path / name) for name in (ANSWER_JSON, ANSWER_JSON_COPY))

    def finished(self, manifest: BundleManifest | None) -> AnswerLayout | None:
        """Return the layout of the whole answer if it is there and right, which is read for that.

        Nothing is to be done then. Without the bundle's table of contents what counts is what the answer says of
        itself.
        """
        try:
            raw, copy = (
                read_small(self.path / name, self._limits.bundle_manifest_bytes)
                for name in (ANSWER_JSON, ANSWER_JSON_COPY)
            )
            table = parse_answer_table(raw, self._limits)
            if manifest is not None:
                table.check_against(manifest)
        except AirbundleError:
            return None
        if copy != raw or table.missing:
            return None
        right = right_blocks(self.path, table.layout, table.sums, table.sums.__getitem__, unfinished=False)
        return table.layout if len(right) == len(table.sums) else None

    def begin(self, layout: AnswerLayout, manifest: BundleManifest | None) -> set[BlockAt]:
        """Say that data will be written, also after a loss of power; return the blocks that need not be.

        Args:
            layout: Of all blocks of the request.
            manifest: The bundle's table of contents, which knows what is right; ``None`` if that is not known
                yet: then nothing is kept.

        Raises:
            NoSpace: the disk has no room for the answer. DiskError: it refused.
        """
        self._layout = layout
        mark = self.path / UNFINISHED
        with disk_errors(mark):
            file = _open(mark)
            try:
                os.ftruncate(file, 0)
                write_all(file, write_request(self.request))
                os.fsync(file)
            finally:
                os.close(file)
        with disk_errors(self.path):
            for name in (ANSWER_JSON, ANSWER_JSON_COPY):
                (self.path / name).unlink(missing_ok=True)
            for name in layout.files:
                if os.path.lexists(self.path / name):
                    (self.path / name).replace(partial(self.path / name))
            sync_directory(self.path)
        self._check_space(layout)
        return self._right(manifest, layout.blocks) if manifest is not None else set()

    def put(self, block: BlockAt, data: memoryview) -> None:
        """Write one block into its place.

        Raises:
            DiskError: the disk refused.
        """
        assert self._layout is not None, "put before begin"
        place = self._layout.locate(block)
        assert place is not None, "a block that nobody asked for"
        assert place[1] == len(data), "not a whole block"
        done = 0
        for piece in self._layout.pieces(*place):
            path = partial(self.path / self._layout.files[piece.file])
            with disk_errors(path):
                file = _open(path)
                try:
                    os.lseek(file, piece.offset, os.SEEK_SET)
                    write_all(file, data[done : done + piece.length])
                finally:
                    os.close(file)
            done += piece.length
        self._written.add(block)

    def finish(self, manifest: BundleManifest, missing: BlockRanges) -> None:
        """Make all data durable, read back what was written, and give every file its final name.

        Args:
            manifest: The bundle's table of contents.
            missing: Blocks that were not put and were not there.

        Raises:
            DiskError: the disk refused, or does not hold what was written. The answer stays unfinished.
        """
        assert self._layout is not None, "finish before begin"
        paths = [self.path / name for name in self._layout.files]
        for path, size in zip(paths, self._layout.file_sizes, strict=True):
            with disk_errors(path):
                file = _open(partial(path))
                try:
                    # Where the last blocks are missing, and where an earlier run wrote a longer file.
                    os.ftruncate(file, size)
                    os.fsync(file)
                finally:
                    os.close(file)
        wrong = self._written - self._right(manifest, sorted(self._written))
        if wrong:
            raise DiskError(
                f"{self.path} does not hold what was written to it: {len(wrong)} blocks read back wrong",
                advice="Use another medium.",
            )
        with disk_errors(self.path):
            for path in paths:
                partial(path).replace(path)
            sync_directory(self.path)
        raw = write_answer_table(manifest, self._layout, missing)
        write_file(self.path / ANSWER_JSON_COPY, raw)
        # This also replaces the mark of the unfinished answer.
        write_file(self.path / ANSWER_JSON, raw)

    def discard(self) -> None:
        """Remove what there is of an unfinished answer; a disk that refuses keeps it, as unfinished."""
        with contextlib.suppress(OSError):
            for name in self._layout.files if self._layout else ():
                partial(self.path / name).unlink(missing_ok=True)
            (self.path / UNFINISHED).unlink(missing_ok=True)

    def release(self) -> None:
        """Let others have the directory, in which nothing stays of an answer that was not begun.

        May be called more than once.
        """
        lock, self._lock = self._lock, None
        if lock is None:
            return
        mark = self.path / UNFINISHED
        with contextlib.suppress(OSError):
            if mark.stat().st_size == 0:
                mark.unlink()
        lock.release()
        if self._is_new:
            # Only an empty directory goes.
            with contextlib.suppress(OSError):
                self.path.rmdir()

    def _refuse_others(self) -> None:
        if any(one != self.request for one in requests_answered(self.path, self._limits)):
            raise OutputExists(
                f"{self.path} holds an answer to another request",
                advice="Name another directory, or empty this one.",
            )

    def _right(self, manifest: BundleManifest, blocks: BlockRanges | list[BlockAt]) -> set[BlockAt]:
        assert self._layout is not None
        parts = manifest.parts
        return right_blocks(
            self.path, self._layout, blocks, lambda block: parts[block[0]].blocks[block[1]], unfinished=True
        )

    def _check_space(self, layout: AnswerLayout) -> None:
        there = [taken_bytes(partial(self.path / name)) for name in layout.files]
        needed = sum(max(size - held, 0) for size, held in zip(layout.file_sizes, there, strict=True))
        free = free_bytes(self.path)
        if needed > free:
            raise NoSpace(f"{self.path}: {format_size(needed)} are needed, {format_size(free)} are free")


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o644)
