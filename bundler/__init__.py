"""airbundle: container images, packed by application, carried into isolated networks and proven there.

The names below are the library; everything else may change. They are loaded when they are first used, so that
importing the package, as the command does at every start, costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bundler.api.checks import verify as verify
    from bundler.api.packing import pack as pack
    from bundler.api.transfers import Selection as Selection
    from bundler.api.transfers import extract as extract
    from bundler.api.transfers import load as load
    from bundler.api.transfers import push as push
    from bundler.bundle.reader import Bundle as Bundle
    from bundler.bundle.reader import open_bundle as open_bundle
    from bundler.errors import AirbundleError as AirbundleError
    from bundler.packing.planning.options import PackOptions as PackOptions

__version__ = "0.1.0"

_HOMES = {
    "AirbundleError": "bundler.errors",
    "Bundle": "bundler.bundle.reader",
    "PackOptions": "bundler.packing.planning.options",
    "Selection": "bundler.api.transfers",
    "extract": "bundler.api.transfers",
    "load": "bundler.api.transfers",
    "open_bundle": "bundler.bundle.reader",
    "pack": "bundler.api.packing",
    "push": "bundler.api.transfers",
    "verify": "bundler.api.checks",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bundler' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
