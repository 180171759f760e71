"""All works by name: each takes the stage and yields rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from benchmark.stage import Stage
from benchmark.table import Row, Skipped
from benchmark.works import copying, from_registry, loading, packing, parity, pushing, starting, verifying

Work = Callable[[Stage], Iterator[Row | Skipped]]

WORKS: Mapping[str, Work] = {
    "pack": packing.from_engine,
    "pack-little-shared": packing.little_shared,
    "pack-archive": packing.from_archive,
    "pack-again": packing.again,
    "pack-registry": from_registry.from_registry,
    "pack-small": packing.small,
    "verify": verifying.verify,
    "verify-slow-medium": verifying.slow_medium,
    "copy": copying.copy,
    "push": pushing.push,
    "load": loading.load,
    "parity": parity.parity,
    "start": starting.start,
}
