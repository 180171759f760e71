"""Keeps two images that share a blob from sending it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bundler.content.stopping import Stopping
from bundler.model.digest import Digest

_LOOK_SECONDS = 0.2


class Underway:
    """The blobs that are on their way. Safe to use from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._digests: set[Digest] = set()

    @contextmanager
    def alone(self, digest: Digest, stopping: Stopping) -> Iterator[None]:
        """Wait until nobody else is at a blob, and be the one who is.

        Raises:
            Interrupted: an end was asked for while waiting.
        """
        with self._changed:
            while digest in self._digests:
                self._changed.wait(_LOOK_SECONDS)
                stopping.before_beginning()
            self._digests.add(digest)
        try:
            yield
        finally:
            with self._changed:
                self._digests.discard(digest)
                self._changed.notify_all()
