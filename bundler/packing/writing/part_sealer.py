"""Follows a writer: hashes the bytes that are final, and seals each part that is whole."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import msgspec

from bundler.bundle.manifest import Part
from bundler.bundle.names import archive_file, part_file
from bundler.content.channel import ChannelClosed
from bundler.content.files import disk_errors, sync_directory, sync_file
from bundler.content.hashing import PartSums
from bundler.content.read_back import drop_cache
from bundler.content.streams import BUFFER_BYTES
from bundler.errors import DiskError
from bundler.packing.writing.archive_start import ArchiveStart
from bundler.packing.writing.cut_file import CutFile
from bundler.packing.writing.recorder import Recorder

_WRITTEN_BEHIND = 16 * 1024 * 1024


class PartSealer:
    """Reads one archive's parts again behind the writer, from the page cache, in a thread of its own.

    A part's sha256 goes from its first byte to its last, but the header of a blob is known only when the blob
    is compressed. So hashing waits at the header until it has been written, and a part gets its final name
    only when all its bytes are final, hashed and durable.
    """

    def __init__(
        self,
        directory: Path,
        archive: str,
        part_bytes: int,
        block_bytes: int,
        cut: CutFile,
        start: ArchiveStart,
        recorder: Recorder,
    ) -> None:
        self._directory = directory
        self._archive = archive
        self._part_bytes = part_bytes
        self._block_bytes = block_bytes
        self._cut = cut
        self._recorder = recorder
        self._parts = list(start.sealed)
        self._final_to = start.position
        self._complete = False
        self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"seal-{archive}", daemon=True)
        self._thread.start()

    def settle(self, offset: int) -> None:
        """Say that no byte before ``offset`` will change any more.

        Raises:
            DiskError: an earlier part could not be read or sealed.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            self._final_to = offset
            self._changed.notify_all()

    def finish(self) -> tuple[Part, ...]:
        """Say that the archive is complete; wait for the last part, and return all of them.

        Raises:
            DiskError: a part could not be read, synced or renamed.
        """
        with self._changed:
            self._complete = True
            self._changed.notify_all()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return tuple(self._parts)

    def abandon(self, proven: int) -> None:
        """Stop, and take the final names back from parts that hold bytes behind offset ``proven``.

        They are of a blob that did not end, and whose digest nobody has seen. The others stay: the next run goes
        on behind them.
        """
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()
        end = sum(part.size for part in self._parts)
        for number in range(len(self._parts), 0, -1):
            part = self._parts[number - 1]
            if end <= proven:
                return
            end -= part.size
            # A disk that refuses this too harms nothing: the next run looks at every byte.
            with contextlib.suppress(OSError):
                (self._directory / part.file).replace(self._cut.partial_path(number))

    def _run(self) -> None:
        try:
            while self._seal_next():
                pass
        except ChannelClosed:
            return
        except Exception as error:  # noqa: BLE001  # raised by settle or finish, in the thread that asked
            with self._changed:
                self._error = error

    def _seal_next(self) -> bool:
        """Hash and seal one part; return whether another one may follow."""
        start = sum(part.size for part in self._parts)
        number = len(self._parts) + 1
        path = self._cut.partial_path(number)
        end = self._wait_beyond(start)
        if end <= start:
            return False
        sums, pushed_to = PartSums(self._block_bytes), 0
        buffer = memoryview(bytearray(BUFFER_BYTES))
        with disk_errors(path), path.open("rb", buffering=0) as file:
            while sums.size < self._room(end - start):
                self._check_stopped()
                wanted = min(self._room(end - start) - sums.size, len(buffer))
                count = file.readinto(buffer[:wanted])
                if not count:
                    raise DiskError(f"{path} became shorter while it was written")
                sums.update(buffer[:count])
                if sums.size - pushed_to >= _WRITTEN_BEHIND:
                    # Else the system may leave a whole part to be written by the sync at its end.
                    drop_cache(file.fileno(), pushed_to, sums.size - pushed_to)
                    pushed_to = sums.size
                if start + sums.size == end and sums.size != self._part_bytes:
                    end = self._wait_beyond(end)
        with disk_errors(path):
            sync_file(path)
        # Whether this is the only part decides its name, and only a further byte or the end tells.
        more = self._wait_beyond(start + sums.size) > start + sums.size
        self._seal(path, number, sums, only=not more and number == 1)
        return more

    def _room(self, available: int) -> int:
        return min(available, self._part_bytes) if self._part_bytes else available

    def _wait_beyond(self, offset: int) -> int:
        """Wait until bytes from ``offset`` on are final, or none will come; return up to where all are."""
        with self._changed:
            while self._final_to <= offset and not self._complete and not self._stopped:
                self._changed.wait()
            self._check_stopped()
            return self._final_to

    def _check_stopped(self) -> None:
        if self._stopped:
            raise ChannelClosed

    def _seal(self, path: Path, number: int, sums: PartSums, *, only: bool) -> None:
        name = archive_file(self._archive) if only else part_file(self._archive, number, number)
        self._rename(path, name)
        part = Part(file=name, size=sums.size, sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)
        self._parts.append(part)
        self._recorder.part(self._archive, number, part)
        if len(part_file(self._archive, 1, number)) > len(part_file(self._archive, 1, max(number - 1, 1))):
            self._widen(number)
        with disk_errors(self._directory):
            sync_directory(self._directory)

    def _widen(self, count: int) -> None:
        """Give all earlier parts a digit more, so that a shell's ``*`` still sorts them."""
        for index, part in enumerate(self._parts[:-1]):
            name = part_file(self._archive, index + 1, count)
            self._rename(self._directory / part.file, name)
            self._parts[index] = msgspec.structs.replace(part, file=name)
            self._recorder.part(self._archive, index + 1, self._parts[index])

    def _rename(self, path: Path, name: str) -> None:
        with disk_errors(path):
            path.replace(self._directory / name)
