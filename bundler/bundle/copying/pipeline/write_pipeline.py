"""Writes blocks and proves them in two threads, while the caller reads the next ones."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from bundler.bundle.copying.pipeline.medium_check import MediumCheck, Run
from bundler.bundle.copying.pipeline.part_file import PartFile
from bundler.content.channel import Channel, ChannelClosed

#: Bytes that wait to be written; what a copy needs of memory is this and a block or two.
_WAITING_BYTES = 32 << 20
_FEWEST_BUFFERS, _MOST_BUFFERS = 2, 64
#: A sync cannot be interrupted: runs are made so long that it takes about a second, between these bounds.
_SHORTEST_RUN, _FIRST_RUN, _LONGEST_RUN = 4 << 20, 16 << 20, 128 << 20
_QUICK_SECONDS, _SLOW_SECONDS = 0.5, 2.0


class WritePipeline:
    """Takes blocks in order; they are written, synced in runs and read back behind the caller.

    At any time one run is being written and one proven, one more may wait.
    """

    def __init__(self, block_bytes: int, check: MediumCheck) -> None:
        """Start the threads; ``close`` ends them."""
        count = min(max(_WAITING_BYTES // block_bytes, _FEWEST_BUFFERS), _MOST_BUFFERS)
        self._block_bytes = block_bytes
        self._check = check
        self._buffers: Channel[memoryview] = Channel(count)
        for _ in range(count):
            self._buffers.put(memoryview(bytearray(block_bytes)))
        # ``None`` for a block says that the file is complete, an empty one that it is written already.
        self._blocks: Channel[tuple[PartFile, int, memoryview | None]] = Channel(count + 1)
        self._runs: Channel[Run] = Channel(1)
        self._run_bytes = _FIRST_RUN
        self._files: list[PartFile] = []
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(work,), name=name, daemon=True)
            for name, work in (("copy-write", self._write), ("copy-check", self._prove))
        ]
        for thread in self._threads:
            thread.start()

    def buffer(self) -> memoryview:
        """Return a buffer for one block, to be given to ``put`` or ``give_back``; wait until one is free.

        Raises:
            AirbundleError: what went wrong in writing or proving.
        """
        buffer = self._passed(self._buffers.get)
        assert buffer is not None, "the buffers never end"
        return buffer

    def give_back(self, buffer: memoryview) -> None:
        """Return a buffer without a block in it."""
        self._passed(lambda: self._buffers.put(buffer))

    def begin(self, file: PartFile) -> None:
        """Open a file for blocks, if it is not open yet; it is closed at its end, or by ``close``.

        Raises:
            FileTooLarge, DiskError: it cannot be opened.
        """
        if not file.is_open:
            self._files.append(file)
            file.open()

    def put(self, file: PartFile, number: int, buffer: memoryview) -> None:
        """Write a block, the beginning of the buffer, to a file that is open.

        Raises:
            AirbundleError: what went wrong in writing or proving, of this or an earlier block.
        """
        self._passed(lambda: self._blocks.put((file, number, buffer)))

    def add_written(self, file: PartFile, number: int) -> None:
        """Have a block that lies in an open file already made durable and proven with the others.

        Raises:
            AirbundleError: as ``put``.
        """
        self._passed(lambda: self._blocks.put((file, number, memoryview(b""))))

    def end(self, file: PartFile) -> None:
        """Say that an open file gets no more blocks; it is closed, and renamed if it is whole.

        Raises:
            AirbundleError: as ``put``.
        """
        self._passed(lambda: self._blocks.put((file, 0, None)))

    def finish(self) -> None:
        """Return when everything is written and proven.

        Raises:
            AirbundleError: as ``put``.
        """
        self._blocks.end()
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop, finished or not; close all files. May be called more than once."""
        self._break_off()
        for thread in self._threads:
            thread.join()
        for file in self._files:
            with contextlib.suppress(OSError):
                file.close()
        self._check.close()

    def _passed(self, step: Callable[[], memoryview | None]) -> memoryview | None:
        try:
            return step()
        except ChannelClosed:
            for thread in self._threads:
                thread.join()
            assert self._error is not None, "broken off without a reason"
            raise self._error from None

    def _break_off(self) -> None:
        for channel in (self._buffers, self._blocks, self._runs):
            channel.break_off()

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ChannelClosed:
            return
        except Exception as error:  # noqa: BLE001  # raised again in the thread that called
            self._error = self._error or error
            self._break_off()

    def _write(self) -> None:
        run: Run | None = None
        while item := self._blocks.get():
            file, number, buffer = item
            if run is None:
                run = Run(file)
            if buffer is None:
                run.is_last = True
            else:
                if len(buffer):
                    file.write(number * self._block_bytes, buffer[: self._check.length(file, number)])
                    self._buffers.put(buffer)
                run.blocks.append(number)
            if run.is_last or len(run.blocks) * self._block_bytes >= self._run_bytes:
                self._runs.put(run)
                run = None
        self._runs.end()

    def _prove(self) -> None:
        while run := self._runs.get():
            begun = time.monotonic()
            self._check.settle(run)
            seconds = time.monotonic() - begun
            if seconds > _SLOW_SECONDS:
                self._run_bytes = max(self._run_bytes // 2, _SHORTEST_RUN)
            elif seconds < _QUICK_SECONDS and len(run.blocks) * self._block_bytes >= self._run_bytes:
                self._run_bytes = min(self._run_bytes * 2, _LONGEST_RUN)
