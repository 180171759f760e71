"""From ``--reuse``, ``--cache`` and ``--cache-size`` to what a pack may reuse."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bundler.errors import UsageError
from bundler.model.limits import Limits
from bundler.model.sizes import parse_size
from bundler.packing.reuse.opening import open_reuse
from bundler.packing.reuse.reuse import Reuse
from bundler.progress import Progress


@dataclass(frozen=True)
class Stores:
    """What the command line says of them."""

    bundles: Sequence[Path] | None
    cache: Path | None
    cache_size: str | None = None

    @property
    def are_named(self) -> bool:
        """Whether there is any."""
        return bool(self.bundles) or self.cache is not None

    def open(self, limits: Limits, progress: Progress, *, read_only: bool) -> AbstractContextManager[Reuse]:
        """Open them for one pack.

        Raises:
            UsageError: a size without a cache, or none that is one.
        """
        if self.cache_size is not None and self.cache is None:
            raise UsageError("--cache-size needs a cache", advice="Name its directory with --cache DIR.")
        size = None if self.cache_size is None else parse_size(self.cache_size)
        return open_reuse(
            self.bundles or (), self.cache, size, read_only=read_only, limits=limits, progress=progress
        )
