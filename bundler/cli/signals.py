"""Makes Ctrl-C and SIGTERM reach the main thread, whatever it waits for.

Python runs a handler between two instructions. A signal that comes after the last of them and before the system
call that blocks is only remembered: nobody sees it until that call returns, which for a silent peer may be never.
A thread that hears of every signal at once repeats it until the handler has run.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

from bundler.errors import ExitStatus

_PATIENCE_SECONDS = 0.2
#: A second signal after this time is a user who does not want to wait for the clean end.
_HURRY_SECONDS = 1.0


def interrupt_on_signals() -> None:
    """Raise ``KeyboardInterrupt`` in the main thread, which must call this, on Ctrl-C and on SIGTERM."""
    heard = threading.Event()
    heard_at = 0.0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal heard_at
        if not heard.is_set():
            heard_at = time.monotonic()
            heard.set()
            raise KeyboardInterrupt
        if time.monotonic() - heard_at > _HURRY_SECONDS:
            os._exit(ExitStatus.INTERRUPTED)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    if not hasattr(signal, "pthread_kill"):
        return  # not POSIX: there the system wakes a thread that waits
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_repeat, args=(reading, heard), name="signals", daemon=True).start()


def ignore_signals() -> None:
    """Let no signal change the exit status any more, once it is decided and only the interpreter has to end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _repeat(reading: int, heard: threading.Event) -> None:
    (number,) = os.read(reading, 1)
    main = threading.main_thread().ident
    while main is not None and not heard.wait(_PATIENCE_SECONDS):
        signal.pthread_kill(main, number)
