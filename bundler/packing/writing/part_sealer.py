"""Follows a writer: hashes the bytes that are final, and seals each part that is whole."""

from __future__ import annotations

import threading
from pathlib import Path

from bundler.bundle.manifest import Part
from bundler.bundle.names import archive_file, part_file
from bundler.content.channel import ChannelClosed
from bundler.content.files import disk_errors, partial, sync_directory, sync_file
from bundler.content.hashing import PartSums
from bundler.content.streams import BUFFER_BYTES
from bundler.errors import DiskError
from bundler.packing.writing.cut_file import CutFile


class PartSealer:
    """Reads one archive's parts again behind the writer, from the page cache, in a thread of its own.

    A part's sha256 goes from its first byte to its last, but the header of a blob is known only when the blob
    is compressed. So hashing waits at the header until it has been written, and a part gets its final name
    only when all its bytes are final, hashed and durable.
    """

    def __init__(self, directory: Path, archive: str, part_bytes: int, block_bytes: int, cut: CutFile) -> None:
        self._directory = directory
        self._archive = archive
        self._part_bytes = part_bytes
        self._block_bytes = block_bytes
        self._cut = cut
        self._parts: list[Part] = []
        self._final_to = 0
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

    def abandon(self) -> None:
        """Stop, and take the final names back from the parts that have them: the bundle is not whole."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()
        for part in self._parts:
            path = self._directory / part.file
            try:
                path.replace(partial(path))
            except OSError:
                # The disk that broke the pack may refuse this too; a part under its final name is whole.
                continue

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
        sums = PartSums(self._block_bytes)
        buffer = memoryview(bytearray(BUFFER_BYTES))
        with disk_errors(path), path.open("rb", buffering=0) as file:
            while sums.size < self._room(end - start):
                self._check_stopped()
                wanted = min(self._room(end - start) - sums.size, len(buffer))
                count = file.readinto(buffer[:wanted])
                if not count:
                    raise DiskError(f"{path} became shorter while it was written")
                sums.update(buffer[:count])
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
        # From here on `abandon` knows of the name, whatever fails.
        self._parts.append(
            Part(file=name, size=sums.size, sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)
        )
        if len(part_file(self._archive, 1, number)) > len(part_file(self._archive, 1, max(number - 1, 1))):
            self._widen(number)
        with disk_errors(self._directory):
            sync_directory(self._directory)

    def _widen(self, count: int) -> None:
        """Give all earlier parts a digit more, so that a shell's ``*`` still sorts them."""
        for index, part in enumerate(self._parts[:-1]):
            name = part_file(self._archive, index + 1, count)
            self._rename(self._directory / part.file, name)
            self._parts[index] = Part(
                file=name, size=part.size, sha256=part.sha256, xxh3_128=part.xxh3_128, blocks=part.blocks
            )

    def _rename(self, path: Path, name: str) -> None:
        with disk_errors(path):
            path.replace(self._directory / name)
