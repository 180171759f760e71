"""airbundle: container images, packed by application, carried into isolated networks and proven there.

The names below are the library; everything else may change. They are loaded when they are first used, so that
importing the package, as the command does at every start, costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bundler.api.after_import import check as check
    from bundler.api.checks import verify as verify
    from bundler.api.copying import copy as copy
    from bundler.api.discovering import discover_images as discover_images
    from bundler.api.locking import make_lock as make_lock
    from bundler.api.locking import read_lock as read_lock
    from bundler.api.packing import pack as pack
    from bundler.api.parity import parity as parity
    from bundler.api.registry_access import AccessOptions as AccessOptions
    from bundler.api.repairing import repair as repair
    from bundler.api.requests import answer as answer
    from bundler.api.requests import answer_from_images as answer_from_images
    from bundler.api.requests import request as request
    from bundler.api.transfers import Selection as Selection
    from bundler.api.transfers import extract as extract
    from bundler.api.transfers import load as load
    from bundler.api.transfers import push as push
    from bundler.bundle.parity.wish import ParityWish as ParityWish
    from bundler.bundle.reader import Bundle as Bundle
    from bundler.bundle.reader import open_bundle as open_bundle
    from bundler.errors import AirbundleError as AirbundleError
    from bundler.model.naming.naming import Naming as Naming
    from bundler.model.naming.rules import RenameRule as RenameRule
    from bundler.packing.planning.options import PackOptions as PackOptions

__version__ = "0.1.0"

_HOMES = {
    "AccessOptions": "bundler.api.registry_access",
    "AirbundleError": "bundler.errors",
    "Bundle": "bundler.bundle.reader",
    "Naming": "bundler.model.naming.naming",
    "ParityWish": "bundler.bundle.parity.wish",
    "PackOptions": "bundler.packing.planning.options",
    "RenameRule": "bundler.model.naming.rules",
    "Selection": "bundler.api.transfers",
    "answer": "bundler.api.requests",
    "answer_from_images": "bundler.api.requests",
    "check": "bundler.api.after_import",
    "copy": "bundler.api.copying",
    "discover_images": "bundler.api.discovering",
    "extract": "bundler.api.transfers",
    "load": "bundler.api.transfers",
    "make_lock": "bundler.api.locking",
    "open_bundle": "bundler.bundle.reader",
    "pack": "bundler.api.packing",
    "parity": "bundler.api.parity",
    "push": "bundler.api.transfers",
    "read_lock": "bundler.api.locking",
    "repair": "bundler.api.repairing",
    "request": "bundler.api.requests",
    "verify": "bundler.api.checks",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bundler' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
