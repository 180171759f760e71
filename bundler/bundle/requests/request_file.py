"""A request: which blocks of a bundle are wanted (docs/format.md, "Requests and answers").

It passes gates outwards. So it names the bundle by its id and parts by their index: names of parts are made of
names of applications.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.opening import read_small
from bundler.bundle.requests.block_ranges import BlockRanges, PartBlocks
from bundler.bundle.requests.sealed import seal, unseal
from bundler.errors import MalformedDocument, UsageError
from bundler.model.digest import Digest
from bundler.model.json_documents import convert
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.media_types import BLOCK_REQUEST

_WHAT = "the request"


class _Fields(msgspec.Struct, frozen=True, kw_only=True):
    media_type: str = msgspec.field(name="mediaType")
    bundle: Digest
    parts: tuple[PartBlocks, ...]


@dataclass(frozen=True)
class BlockRequest:
    """What is asked for: at least one block.

    Attributes:
        bundle: the id of the bundle.
        blocks: of its parts.
    """

    bundle: Digest
    blocks: BlockRanges

    def check_against(self, manifest: BundleManifest) -> None:
        """Refuse a request that this bundle cannot be meant by.

        Raises:
            UsageError: it is for another bundle, or for blocks that this one does not have.
        """
        if self.bundle != manifest.id:
            raise UsageError(
                f"{_WHAT} is for the bundle {self.bundle}, this one is {manifest.id}",
                advice="Name the bundle that the request was made for, or pack it again with --config.",
            )
        self.blocks.check_within(manifest.parts, _WHAT)


def write_request(request: BlockRequest) -> bytes:
    """Return the file of a request: canonical JSON with a sum over itself."""
    return seal(_Fields(media_type=BLOCK_REQUEST, bundle=request.bundle, parts=request.blocks.rows))


def parse_request(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> BlockRequest:
    """Read the file of a request.

    Raises:
        UnsupportedVersion: it says of itself that it is of another major version.
        MalformedDocument: it is damaged or no request, asks for nothing, or contradicts itself.
    """
    fields = convert(unseal(raw, _WHAT, BLOCK_REQUEST, limits), _Fields, _WHAT)
    blocks = BlockRanges(fields.parts)
    blocks.check_form(_WHAT, limits)
    if not blocks:
        raise MalformedDocument(f"{_WHAT} asks for nothing")
    return BlockRequest(fields.bundle, blocks)


def read_request(path: Path, limits: Limits = DEFAULT_LIMITS) -> BlockRequest:
    """Read a request from a file.

    Raises:
        NotFound, NotRegular, DiskError: it cannot be read.
        UnsupportedVersion, MalformedDocument: as :func:`parse_request` says.
    """
    return parse_request(read_small(path, limits.bundle_manifest_bytes), limits)
