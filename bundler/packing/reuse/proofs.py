"""Proves blobs of stores before they are counted on: an archive that is written takes nothing back.

Each is read to its end and compared with its digest; one that stands for a layer is decompressed too and compared
with its DiffID. Reading it again into the archive then costs little: it comes from memory, and nothing is
decompressed. Several are proven at once, in threads of their own, while an engine prepares what must be read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from types import TracebackType

from bundler.content.images import Content, Place
from bundler.content.probe import LayerProbe
from bundler.content.streams import BUFFER_BYTES, ByteStream
from bundler.errors import DamagedContent
from bundler.model.digest import Digest
from bundler.model.limits import Limits
from bundler.packing.reuse.stores import UNUSABLE, Held

_MOST_THREADS = 4


@dataclass(frozen=True)
class Offer:
    """What stores have for one content.

    Attributes:
        digest: what the content is known by: its own digest, or a DiffID.
        place: of the content among those that come from sources.
        held: what stores have, the first choice first.
        compression: how it is compressed; ``None`` if ``digest`` is not a DiffID, so that only the blob counts.
    """

    digest: Digest
    place: Place
    held: tuple[Held, ...]
    compression: str | None


@dataclass(frozen=True)
class ReusedContent(Content):
    """A content that comes from a store, proven; its stream is that of the blob ``held``.

    Attributes:
        held: the blob.
        uncompressed_size: bytes of the layer that was found inside; ``None`` if nobody looked.
    """

    held: Held | None = None
    uncompressed_size: int | None = None


class Proofs:
    """Proofs that run in the background; a context manager that stops them."""

    def __init__(self, offers: Collection[Offer], limits: Limits) -> None:
        """Begin to prove."""
        self._limits = limits
        self._stopped = Event()
        self._pool = ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, _MOST_THREADS, len(offers))), "proof")
        self._futures: dict[Digest, Future[ReusedContent | None]] = {
            offer.digest: self._pool.submit(self._first_right, offer) for offer in offers
        }

    def wait(self) -> Mapping[Digest, ReusedContent]:
        """Wait for all; return those that are right, ready to be read, by what they are known by."""
        found = {digest: future.result() for digest, future in self._futures.items()}
        return {digest: content for digest, content in found.items() if content is not None}

    def __enter__(self) -> Proofs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _first_right(self, offer: Offer) -> ReusedContent | None:
        for held in offer.held:
            try:
                size = self._prove(held, offer)
            except UNUSABLE:
                if not self._stopped.is_set():
                    held.store.reject(held)
                continue
            return ReusedContent(offer.digest, held.size, _Reopened(held), offer.place, held, size)
        return None

    def _prove(self, held: Held, offer: Offer) -> int | None:
        """Read a blob to its end; return the size of the layer inside, if that is looked at."""
        probe = LayerProbe(offer.compression, self._limits) if offer.compression is not None else None
        try:
            stream = held.store.open(held)
            try:
                self._feed(stream, probe)
            finally:
                stream.close()
            if probe is None:
                return None
            diff_id, size = probe.finish()
        finally:
            if probe is not None:
                probe.abandon()
        if diff_id != offer.digest:
            raise DamagedContent(f"{held.store.name}: {held.digest} holds {diff_id}, not {offer.digest}")
        return size

    def _feed(self, stream: ByteStream, probe: LayerProbe | None) -> None:
        buffer = memoryview(bytearray(BUFFER_BYTES))
        while count := stream.readinto(buffer):
            if self._stopped.is_set():
                raise DamagedContent("stopped")
            if probe is not None:
                probe.feed(buffer[:count])


class _Reopened:
    """The stream of a proven blob, opened when it is read; says which store it was if it is right no more."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._stream: ByteStream | None = None

    def readinto(self, buffer: memoryview) -> int:
        """Read on.

        Raises:
            DamagedContent: the store does not give any more what it gave a moment ago.
        """
        try:
            if self._stream is None:
                self._stream = self._held.store.open(self._held)
            return self._stream.readinto(buffer)
        except UNUSABLE as error:
            raise DamagedContent(
                f"{self._held.store.name} changed while it was read: {error}",
                advice="Leave it out and run the same command again: it goes on where it was.",
            ) from error

    def close(self) -> None:
        """Close the blob."""
        if self._stream is not None:
            self._stream.close()
