"""Reading from a slow medium: a control group that bounds the reads of one block device."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/blkio")
_V2 = Path("/sys/fs/cgroup")


class NoThrottle(Exception):
    """Reads cannot be bounded here; the text says why."""


@dataclass(frozen=True)
class Throttle:
    """A control group whose processes read the device at a bounded rate.

    Attributes:
        group: Its directory.
    """

    group: Path

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command, run in the group."""
        return ["sh", "-c", f'echo $$ >{self.group}/cgroup.procs && exec "$@"', "throttled", *command]


@contextlib.contextmanager
def slow_reads(directory: Path, bytes_per_second: int) -> Iterator[Throttle]:
    """Bound the reads of the device that a directory lies on, for processes of the group that is yielded.

    Raises:
        NoThrottle: this system has no control group for it, or refuses.
    """
    number = directory.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    way = _way(device, bytes_per_second)
    if way is None:
        raise NoThrottle("no control group here bounds reads (blkio of version 1, io of version 2)")
    parent, file, value = way
    group = parent / f"airbundle-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        raise NoThrottle(f"no control group can be made: {error}") from error
    try:
        try:
            (group / file).write_text(value)
        except OSError as error:
            raise NoThrottle(f"the control group refuses device {device}: {error}") from error
        yield Throttle(group)
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


def _way(device: str, bytes_per_second: int) -> tuple[Path, str, str] | None:
    """Return where to make a group, and what to write where in it."""
    if (_V1 / "blkio.throttle.read_bps_device").exists():
        return _V1, "blkio.throttle.read_bps_device", f"{device} {bytes_per_second}"
    with contextlib.suppress(OSError):
        if "io" in (_V2 / "cgroup.subtree_control").read_text().split():
            return _V2, "io.max", f"{device} rbps={bytes_per_second}"
    return None
