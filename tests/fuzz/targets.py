"""All fuzz targets by name: every parser of what comes from outside has one."""

from __future__ import annotations

from tests.fuzz import archives, discover, documents, parity, peers, requests, texts
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for group in (texts, documents, archives, peers, requests, parity, discover)
    for target in group.TARGETS
}
