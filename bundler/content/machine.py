"""What this machine is."""

from __future__ import annotations

import platform

from bundler.model.platforms import Platform


def this_machine() -> Platform:
    """Return the platform of the images that this machine runs: Linux, also under other systems, in a machine."""
    return Platform.of("linux", platform.machine())
