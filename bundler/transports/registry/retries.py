"""Trying again: which failures may pass, how long to wait between tries, and when to give up.

Waits grow exponentially and are cut to a random part of themselves ("full jitter"), so that many clients of a
registry that was restarted do not all come back at the same moment. A registry that says when to come back
(``Retry-After``, RFC 9110 §10.2.3) is obeyed, within bounds.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

from bundler.errors import AirbundleError, ServerFault, Unreachable
from bundler.transports.registry.rate_limits import duration

T = TypeVar("T")

#: Tells a person that something is tried again.
Tell = Callable[[str], None]
_LONGEST_DATE = 64
#: What a try must bring so that it counts as progress: a peer that gives a byte each time is given up.
_ENOUGH_BYTES = 64 << 10
#: Waits for the end of a rate limit where the registry does not say when that is, and at most where it does.
_FIRST_GUESS_SECONDS, _LONGEST_GUESS_SECONDS, _LONGEST_LIMIT_SECONDS = 60.0, 900.0, 86_400.0


class ConnectionLost(Unreachable):
    """No connection came about, it broke, or nothing came in time: another try may do better."""


class Busy(ServerFault):
    """An answer that says: not now. ``retry_after`` are the seconds that the registry asked for, if it did."""

    def __init__(self, message: str, *, advice: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, advice=advice)
        self.retry_after = retry_after


class RateLimited(Busy):
    """The registry counts what this user or address pulls, and the count is reached."""


#: Failures after which another try makes sense. Others stay what they are however often one asks.
PASSING = (ConnectionLost, Busy)


@dataclass(frozen=True)
class RetryPolicy:
    """The numbers. A pure value.

    Attributes:
        tries: requests at most, the first one included, as long as none of them gets any further.
        first_tries: the same while no registry has answered yet: the address may be wrong.
        first_seconds: longest wait after the first failure; it doubles with each further one.
        longest_seconds: longest wait of our own choice.
        longest_asked_seconds: longest wait that a registry may ask for; if it wants more, it is tried earlier.
        total_seconds: bound on all waits of one request together, and on the time that its failed tries took.
    """

    tries: int = 8
    first_tries: int = 3
    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    longest_asked_seconds: float = 120.0
    total_seconds: float = 900.0

    def pause(self, failures: int, asked: float | None, dice: float) -> float:
        """Return the seconds to wait.

        Args:
            failures: How many tries failed, at least 1.
            asked: What the registry asked for, in seconds.
            dice: A random number from 0 to 1.
        """
        # The exponent is bounded: a policy may allow any number of tries.
        own = dice * min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 32))
        if asked is None:
            return own
        return min(max(asked, 0.0), self.longest_asked_seconds) + dice * self.first_seconds


NO_RETRIES = RetryPolicy(tries=1)


def _random() -> float:
    return random.random()  # noqa: S311  # nothing depends on nobody guessing it


def _tell_nobody(text: str) -> None:
    pass


@dataclass(frozen=True)
class Retries:
    """A policy, and how this run waits, tells and measures.

    Attributes:
        policy: the numbers.
        wait: waits so many seconds; may raise to end everything.
        tell: is told of every further try.
        reached: whether a registry has answered yet, and not only a proxy that reaches none.
        wait_for_rate_limit: wait as long as it takes where a rate limit is reached; no such wait counts.
    """

    policy: RetryPolicy = RetryPolicy()
    wait: Callable[[float], None] = time.sleep
    tell: Tell = _tell_nobody
    reached: Callable[[], bool] = lambda: True
    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = _random
    wait_for_rate_limit: bool = False

    def with_manners(self, wait: Callable[[float], None] | None = None, tell: Tell | None = None) -> Retries:
        """Return the same with another way to wait, to tell, or both."""
        return replace(self, wait=wait or self.wait, tell=tell or self.tell)

    def run(self, operation: Callable[[], T]) -> T:
        """Return what the operation returns; it is called again as long as it fails in a way that may pass.

        Raises:
            ConnectionLost, Busy: also the last try failed.
        """
        attempts = Attempts(self)
        while True:
            attempts.begin()
            try:
                return operation()
            except PASSING as error:
                attempts.failed(error)


class Attempts:
    """The tries of one thing that shall be done. Used by one thread."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._failures = 0
        self._tries = 0
        self._spent = 0.0
        self._gained = 0
        self._limited = 0
        self._began = retries.clock()

    def begin(self) -> None:
        """A try begins now."""
        self._began = self._retries.clock()

    def failed(self, error: AirbundleError) -> None:
        """The try failed: wait until the next one.

        Raises:
            AirbundleError: ``error`` itself, if there shall be no other try.
        """
        if isinstance(error, RateLimited) and self._sat_out(error):
            return
        policy = self._retries.policy
        self._gained = 0
        self._failures += 1
        self._tries += 1
        self._spent += self._retries.clock() - self._began
        asked = error.retry_after if isinstance(error, Busy) else None
        pause = policy.pause(self._failures, asked, self._retries.dice())
        most = policy.tries if self._retries.reached() else min(policy.tries, policy.first_tries)
        if self._tries >= most or self._spent + pause > policy.total_seconds:
            raise error
        self._retries.tell(f"{error}; trying again in {pause:.1f} s")
        self._retries.wait(pause)
        self._spent += pause

    def _sat_out(self, error: RateLimited) -> bool:
        """Wait for the end of a rate limit, if that is wished; return whether it was.

        Raises:
            RateLimited: ``error`` itself, if it is not wished, and tries until then would be in vain.
        """
        asked, policy = error.retry_after, self._retries.policy
        if not self._retries.wait_for_rate_limit:
            if asked is not None and asked > policy.longest_asked_seconds:
                raise error
            return False
        self._limited += 1
        guess = min(_LONGEST_GUESS_SECONDS, _FIRST_GUESS_SECONDS * 2.0 ** min(self._limited - 1, 8))
        pause = guess if asked is None else min(asked, _LONGEST_LIMIT_SECONDS)
        # A moment later: else the last of many clients would come too early.
        pause += self._retries.dice()
        self._retries.tell(f"{error}; waiting {duration(pause)} for that")
        self._retries.wait(pause)
        return True

    def gained(self, count: int) -> None:
        """Bytes came across that need not come again: after enough of them, earlier failures do not count."""
        self._gained += count
        if self._gained >= _ENOUGH_BYTES:
            self.begin_anew()

    def begin_anew(self) -> None:
        """What comes is another thing than what failed: earlier failures do not count."""
        self._failures = 0
        self.go_on()

    def go_on(self) -> None:
        """The whole got further, if not this: the tries are counted anew, but the waits do not become shorter."""
        self._tries, self._spent = 0, 0.0


def parse_retry_after(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header names, as a number or as a date; ``None`` if it is neither.

    A date that has passed gives 0.
    """
    text = text.strip()
    if not text.isascii() or len(text) > _LONGEST_DATE:
        return None
    if text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return max(0.0, (date - (now or datetime.now(timezone.utc))).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
