"""How an engine writes the beginning of Unix time: in its own time zone, which it does not tell.

Before 25.0 that text is part of what the names of saved layers are made of.
"""

from __future__ import annotations

import re
import socket
import sys
from datetime import datetime, timedelta, timezone

#: The offset of the engine's clock, at the end of its time (RFC 3339, "time-offset").
_OFFSET = re.compile(r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))\Z", re.ASCII)


def epoch_text(system_time: str, host: str) -> str | None:
    """Return Unix time 0 as an engine writes it into documents; ``None`` where that is not certain.

    The offset of today does not tell that of 1970: London had another one all year. So the answer is this
    machine's own, if the engine runs on this machine, by its name, and its clock has the same offset today.

    Args:
        system_time: The engine's time, in RFC 3339.
        host: The name of the engine's machine.
    """
    offset = _offset(system_time)
    if sys.platform != "linux" or offset is None or host != socket.gethostname():
        return None
    if _local_offset(datetime.now(timezone.utc)) != offset:
        return None
    minutes, seconds = divmod(int(_local_offset(datetime.fromtimestamp(0, timezone.utc)).total_seconds()), 60)
    if seconds:
        return None  # what a format without seconds makes of it is not worth knowing
    if minutes == 0:
        return "1970-01-01T00:00:00Z"
    local = datetime(1970, 1, 1) + timedelta(minutes=minutes)  # it is written with its offset
    sign, minutes = ("-" if minutes < 0 else "+"), abs(minutes)
    return f"{local:%Y-%m-%dT%H:%M:%S}{sign}{minutes // 60:02}:{minutes % 60:02}"


def _offset(text: str) -> timedelta | None:
    match = _OFFSET.search(text)
    if match is None:
        return None
    offset = timedelta(hours=int(match[2] or 0), minutes=int(match[3] or 0))
    return -offset if match[1] == "-" else offset


def _local_offset(moment: datetime) -> timedelta:
    return moment.astimezone().utcoffset() or timedelta()
