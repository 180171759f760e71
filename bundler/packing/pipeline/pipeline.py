"""The pipeline that blobs go through: read and hash, transform, hash and write, in three threads.

The caller's thread reads and hashes what comes in; the second compresses it, or looks inside what is
compressed already; the third hashes and writes what goes out. Two bounded channels lie between them, and a
fixed pool of buffers, so memory is the same for every size of image.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bundler.bundle.manifest import Blob
from bundler.content.channel import Channel, ChannelClosed
from bundler.content.hashing import Sha256
from bundler.content.images import Content
from bundler.content.probe import LayerProbe
from bundler.content.streams import BUFFER_BYTES
from bundler.errors import DamagedContent
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.packing.pipeline.jobs import Buffer, Job, Mark, Piece
from bundler.packing.pipeline.transform import Transform
from bundler.packing.writing.recorder import NO_RECORDER, Recorder
from bundler.progress import Task

_BUFFERS = 48
_CAPACITY = 6
#: While the writer waits for what looks inside one layer, the next one may be looked at already.
_WAITING_TO_BE_WRITTEN = 36
_NO_BOUND = 1 << 62
#: Ctrl-C must end a pack within 10 seconds, whatever a disk does.
_PATIENCE_SECONDS = 5.0


class Pipeline:
    """Carries one blob after another from a source's stream into an archive.

    ``add`` returns as soon as a blob has been read; what became of it is told by ``collect``.
    """

    def __init__(
        self,
        task: Task,
        workers: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        recorder: Recorder = NO_RECORDER,
    ) -> None:
        """Start the threads; ``workers`` are the compressor's own, which change no byte.

        ``recorder`` is told of each blob as soon as it is written.
        """
        self._task = task
        self._workers = workers
        self._limits = limits
        self._recorder = recorder
        self._free: Channel[Buffer] = Channel(_BUFFERS)
        for _ in range(_BUFFERS):
            self._free.put(Buffer(bytearray(BUFFER_BYTES)))
        self._incoming: Channel[Piece] = Channel(_CAPACITY)
        self._outgoing: Channel[Piece] = Channel(_WAITING_TO_BE_WRITTEN)
        self._written: Channel[Blob] = Channel(_NO_BOUND)
        self._probes: list[LayerProbe] = []
        self._pending = 0
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guard, args=(stage,), name=name, daemon=True)
            for stage, name in ((self._transform_all, "transform"), (self._write_all, "write"))
        ]
        for thread in self._threads:
            thread.start()

    def add(self, job: Job, content: Content) -> None:
        """Read a content to its end and send it through.

        Raises:
            DamagedContent: it has another size than it said, or a layer another DiffID.
            AirbundleError: an earlier blob failed on its way.
        """
        with self._explained():
            self._pending += 1
            self._read(job, content)

    def collect(self) -> list[Blob]:
        """Wait until everything that was added is written; return what was added since the last call.

        Raises:
            AirbundleError: a blob failed on its way.
        """
        blobs: list[Blob] = []
        with self._explained():
            while self._pending and (blob := self._written.get()):
                blobs.append(blob)
                self._pending -= 1
        return blobs

    def finish(self) -> None:
        """End the threads, when everything was collected."""
        self._incoming.end()
        for thread in self._threads:
            thread.join()

    def abort(self) -> None:
        """Stop all threads, but let blobs that were read to their end be written: nobody shall read them again.

        A disk that takes too long for that is not waited for.
        """
        self._incoming.end()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        self._break_off()
        for thread in self._threads:
            thread.join()

    def _read(self, job: Job, content: Content) -> None:
        hash_in = Sha256() if job.is_compressed_here else None
        left = content.size
        self._incoming.put(Piece(job, Mark.BEGIN))
        while buffer := self._free.get():
            count = content.stream.readinto(buffer.view)
            left -= count
            if count == 0 or left < 0:
                self._free.put(buffer)
                break
            if hash_in is not None:
                hash_in.update(buffer.view[:count])
            self._task.advance(count)
            self._incoming.put(Piece(job, Mark.BYTES, buffer.view[:count], buffer))
        if left != 0:
            raise DamagedContent(f"{job.what} has not the {content.size} bytes that the source says")
        if hash_in is not None:
            job.found_inside(hash_in.digest, content.size)
        self._incoming.put(Piece(job, Mark.END))

    def _transform_all(self) -> None:
        transform = Transform()
        try:
            while piece := self._incoming.get():
                if piece.mark is Mark.BEGIN:
                    transform = self._begin(piece.job)
                self._transform(transform, piece)
                if piece.mark is Mark.END:
                    # What looks inside is waited for where the blob is written, while the next one is read.
                    transform = Transform()
            self._outgoing.end()
        finally:
            transform.abandon()

    def _begin(self, job: Job) -> Transform:
        transform = Transform.start(job, self._workers, self._limits)
        if transform.probe is not None:
            job.probe = transform.probe
            self._probes.append(transform.probe)
        return transform

    def _transform(self, transform: Transform, piece: Piece) -> None:
        if piece.mark is Mark.BYTES and transform.compressor is not None:
            self._forward(piece.job, transform.compressor.compress(_bytes_of(piece)))
            self._release(piece)
            return
        if piece.mark is Mark.BYTES and transform.probe is not None:
            transform.probe.feed(_bytes_of(piece))
        elif piece.mark is Mark.END:
            self._forward(piece.job, transform.finish())
        self._outgoing.put(piece)

    def _forward(self, job: Job, pieces: Iterator[bytes]) -> None:
        for data in pieces:
            if data:
                self._outgoing.put(Piece(job, Mark.BYTES, memoryview(data)))

    def _write_all(self) -> None:
        hash_out = Sha256()
        offset = 0
        while piece := self._outgoing.get():
            job = piece.job
            if piece.mark is Mark.BEGIN:
                hash_out = Sha256()
                offset = job.archive.begin_blob(job.digest, job.size)
            elif piece.mark is Mark.BYTES:
                hash_out.update(_bytes_of(piece))
                job.archive.append(_bytes_of(piece))
                self._release(piece)
            else:
                digest = hash_out.digest
                self._finish_probe(job)
                job.check_digest(digest)
                row = job.blob(digest, job.archive.end_blob(digest), offset)
                self._recorder.blob(row)
                self._written.put(row)

    def _finish_probe(self, job: Job) -> None:
        if job.probe is not None:
            job.found_inside(*job.probe.finish())
            self._probes.remove(job.probe)

    def _release(self, piece: Piece) -> None:
        if piece.buffer is not None:
            self._free.put(piece.buffer)

    def _guard(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except ChannelClosed:
            self._break_off()
        except Exception as error:  # noqa: BLE001  # raised again by add and finish, in the caller's thread
            self._error = self._error or error
            self._break_off()

    def _break_off(self) -> None:
        for channel in (self._free, self._incoming, self._outgoing, self._written):
            channel.break_off()
        for probe in list(self._probes):
            probe.abandon()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise, instead of the news that the pipeline broke, what broke it."""
        try:
            yield
        except ChannelClosed:
            raise self._error or RuntimeError("the pipeline was stopped") from None


def _bytes_of(piece: Piece) -> memoryview:
    assert piece.data is not None
    return piece.data
