"""Runs one command and writes what it used to a file: ``run_measured.py REPORT COMMAND [ARGUMENT…]``.

A process of its own, started as ``python -S -E``, because a child's peak memory counts from its fork on: forked
from the benchmark itself, each would start with the peak of that. What is seen is never below this process's
own 10 MB.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """Run the command, write the report, and end with status 0 whatever the command's was."""
    report, *command = sys.argv[1:]
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    # Of the command and all that it waited for: times are sums, ru_maxrss (KiB) is that of the largest process.
    _, status, usage = os.wait4(child, 0)
    wall = time.monotonic() - start
    with open(report, "w", encoding="utf-8") as file:  # noqa: PTH123  (pathlib would be more memory)
        json.dump(
            {
                "status": os.waitstatus_to_exitcode(status),
                "wall": wall,
                "user": usage.ru_utime,
                "system": usage.ru_stime,
                "peak_bytes": usage.ru_maxrss * 1024,
            },
            file,
        )


if __name__ == "__main__":
    main()
