"""Keeps images that share a blob from sending it at the same time, and lets the first of them send it."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from bundler.content.stopping import Stopping
from bundler.model.digest import Digest

_LOOK_SECONDS = 0.2


class Underway:
    """Who wants which blob, in order. Safe to use from several threads.

    Whoever puts an image is known by what stops that. The order matters after a push that was cut: the blob that
    was half sent for the first image goes on there, and is not begun anew for another one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queues: defaultdict[Digest, deque[Stopping]] = defaultdict(deque)
        self._wanted: defaultdict[Stopping, set[Digest]] = defaultdict(set)

    def announce(self, who: Stopping, digests: Iterable[Digest]) -> None:
        """Take a place behind those who wanted these blobs before."""
        with self._changed:
            for digest in set(digests) - self._wanted[who]:
                self._wanted[who].add(digest)
                self._queues[digest].append(who)

    def leave(self, who: Stopping) -> None:
        """Give up all places."""
        with self._changed:
            for digest in self._wanted.pop(who, ()):
                self._remove(who, digest)
            self._changed.notify_all()

    @contextmanager
    def alone(self, digest: Digest, who: Stopping) -> Iterator[None]:
        """Wait until all who come before have had a blob, and be the only one who is at it.

        Raises:
            Interrupted: an end was asked for while waiting.
        """
        self.announce(who, (digest,))
        with self._changed:
            while self._queues[digest][0] is not who:
                self._changed.wait(_LOOK_SECONDS)
                who.before_beginning()
        try:
            yield
        finally:
            with self._changed:
                self._wanted[who].discard(digest)
                self._remove(who, digest)
                self._changed.notify_all()

    def _remove(self, who: Stopping, digest: Digest) -> None:
        queue = self._queues[digest]
        queue.remove(who)
        if not queue:
            del self._queues[digest]
