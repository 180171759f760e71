"""How whoever wants an end says so to those who send: first begin nothing more, then drop even what runs."""

from __future__ import annotations

import threading
import weakref

from bundler.errors import Interrupted


class Stopping:
    """Two requests, in this order and never taken back. Safe to use from several threads.

    A piece that is cut costs more than the piece: many registries then lose the whole upload. So what runs may
    end after :meth:`ask`, and is dropped only by :meth:`cut`.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._cut = threading.Event()
        self._lock = threading.Lock()
        # Not kept from being collected: a child is of no use to the parent.
        self._children: weakref.WeakSet[Stopping] = weakref.WeakSet()

    def child(self) -> Stopping:
        """Return one for a part of the work: it may be stopped alone, and is stopped with the whole."""
        child = Stopping()
        with self._lock:
            self._children.add(child)
            if self._cut.is_set():
                child.cut()
            elif self._asked.is_set():
                child.ask()
        return child

    def ask(self) -> None:
        """From now on nothing new is begun, and no wait goes on."""
        with self._lock:
            self._asked.set()
            for child in self._children:
                child.ask()

    def cut(self) -> None:
        """From now on nothing is gone on with."""
        with self._lock:
            self._asked.set()
            self._cut.set()
            for child in self._children:
                child.cut()

    @property
    def asked(self) -> bool:
        """Whether an end is wanted."""
        return self._asked.is_set()

    def before_beginning(self) -> None:
        """Go on if something new may be begun.

        Raises:
            Interrupted: an end is wanted.
        """
        if self._asked.is_set():
            raise Interrupted("stopped before all was sent")

    def before_going_on(self) -> None:
        """Go on if what runs may go on.

        Raises:
            Interrupted: even what runs is to be dropped.
        """
        if self._cut.is_set():
            raise Interrupted("stopped in the middle of sending")

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            Interrupted: an end is wanted, before or while waiting.
        """
        if self._asked.wait(seconds):
            self.before_beginning()
