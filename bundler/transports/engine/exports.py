"""Images that an engine is asked to save before they are read: it prepares one while another one is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from bundler.content.streams import ByteStream
from bundler.errors import AirbundleError

Save = Callable[..., ByteStream]


class Exports:
    """Requests to save images, some of them under way. Used by one thread."""

    def __init__(self, save: Save) -> None:
        """Ask by ``save``, which waits until the engine is ready to send; it must be usable in several threads."""
        self._save = save
        self._begun: dict[tuple[str, ...], Future[ByteStream]] = {}

    def begin(self, names: Sequence[str]) -> None:
        """Ask for images in a thread of its own, unless that was done; :meth:`open` takes what comes of it."""
        key = tuple(names)
        if key in self._begun:
            return
        future: Future[ByteStream] = Future()
        self._begun[key] = future
        # A daemon: an engine that prepares for minutes must not keep an interrupted process alive.
        threading.Thread(target=self._run, args=(key, future), name="engine-export", daemon=True).start()

    def open(self, names: Sequence[str]) -> ByteStream:
        """Return the tar of images, waiting for the engine.

        An early request that failed counts as not made: the engine may have had no room for two.

        Raises:
            NotFound, Unreachable, Refused: the engine.
        """
        future = self._begun.pop(tuple(names), None)
        if future is not None:
            try:
                return future.result()
            except AirbundleError:
                pass
        return self._save(*names)

    @property
    def is_idle(self) -> bool:
        """Whether nothing was begun that nobody took yet."""
        return not self._begun

    def open_beside(self, requests: Sequence[Sequence[str]]) -> list[ByteStream]:
        """Return the tars of several requests, which the engine prepares beside one another; all or none.

        Returns:
            Streams in the order of ``requests``, or none if one of them failed: an engine may have had no room.
        """
        for names in requests:
            self.begin(names)
        streams: list[ByteStream] = []
        try:
            for names in requests:
                streams.append(self._begun.pop(tuple(names)).result())
        except AirbundleError:
            self.close()
            for stream in streams:
                stream.close()
            return []
        return streams

    def close(self) -> None:
        """Drop what nobody took; the engine stops to send it."""
        while self._begun:
            _, future = self._begun.popitem()
            future.add_done_callback(_drop)

    def _run(self, names: tuple[str, ...], future: Future[ByteStream]) -> None:
        try:
            future.set_result(self._save(*names))
        except BaseException as error:  # noqa: BLE001  # raised by open, in the thread that asks
            future.set_exception(error)


def _drop(future: Future[ByteStream]) -> None:
    if future.exception() is None:
        future.result().close()
