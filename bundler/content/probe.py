"""Finds out what is inside a compressed layer while its bytes pass by on their way elsewhere."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from bundler.content.channel import PushedStream
from bundler.content.compression import DecompressedStream
from bundler.content.hashing import ReadableBuffer, Sha256
from bundler.content.streams import BUFFER_BYTES
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits


class LayerProbe:
    """Decompresses in a thread of its own what it is fed, and hashes it in another, keeping nothing."""

    def __init__(self, compression: str, limits: Limits = DEFAULT_LIMITS, *, ahead: int = 4) -> None:
        """Begin to look into a layer that is compressed as ``gzip``, ``zstd`` or ``none``.

        ``ahead`` is how many pieces may wait that it was fed.
        """
        self._pushed = PushedStream(ahead)
        self._limits = limits
        self._compression = compression
        self._size = 0
        self._hash = Sha256()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="layer-probe", daemon=True)
        self._thread.start()

    def feed(self, data: ReadableBuffer) -> None:
        """Take the next bytes of the compressed layer; they are copied, the buffer may be used again."""
        self._pushed.push(bytes(data))

    def end(self) -> None:
        """Say that the layer is complete, and wait for nothing."""
        self._pushed.end()

    def finish(self) -> tuple[Digest, int]:
        """Wait for the end of the layer; return its DiffID and its uncompressed size in bytes.

        Raises:
            DamagedContent: the compressed form is broken, or (LimitExceeded) unpacks to more than is allowed.
        """
        self.end()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._hash.digest, self._size

    def abandon(self) -> None:
        """Stop without a result; does nothing after ``finish``."""
        self._pushed.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._hash_all(DecompressedStream(self._pushed, self._compression, self._limits))
        except Exception as error:  # noqa: BLE001  # raised by finish, in the thread that asked
            self._error = error
        finally:
            self._pushed.close()

    def _hash_all(self, stream: DecompressedStream) -> None:
        """Fill one buffer while the other one is hashed; what does not fill one needs no thread for that."""
        buffer, other = (memoryview(bytearray(BUFFER_BYTES)) for _ in range(2))
        hashing: Future[None] | None = None
        with ThreadPoolExecutor(1, "layer-hash") as hasher:
            while count := stream.readinto(buffer):
                self._size += count
                if hashing is not None:
                    hashing.result()
                if count < len(buffer):
                    hashing = None
                    self._hash.update(buffer[:count])
                else:
                    hashing = hasher.submit(self._hash.update, buffer)
                buffer, other = other, buffer
            if hashing is not None:
                hashing.result()
