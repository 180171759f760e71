"""ChainIDs: what a stack of layers is known by (OCI image-spec config.md, "Layer ChainID")."""

from __future__ import annotations

from collections.abc import Sequence

from bundler.content.hashing import sha256
from bundler.model.digest import Digest


def chain_ids(diff_ids: Sequence[Digest]) -> tuple[Digest, ...]:
    """Return the ChainID of every layer on top of all that lie below it, bottom first.

    The first is the DiffID of the bottom layer itself. Law: the result for a prefix is a prefix of the result.
    """
    result: list[Digest] = []
    for diff_id in diff_ids:
        result.append(sha256(f"{result[-1]} {diff_id}".encode()) if result else diff_id)
    return tuple(result)
