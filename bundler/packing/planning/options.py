"""How a bundle is made: part size, blocks, compression."""

from __future__ import annotations

from dataclasses import dataclass, field

from bundler.bundle.manifest import LARGEST_BLOCK, SMALLEST_BLOCK
from bundler.bundle.parity.wish import ParityWish
from bundler.content.compression import Encoder
from bundler.errors import UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.naming.rules import RenameRule
from bundler.model.sizes import format_size, parse_size
from bundler.packing.planning.platforms import PlatformWishes

SMALLEST_PART = 64 << 10
LARGEST_PART = 1 << 62
#: Instead of a size of blocks: the one that suits the parts.
SUITED = -1
#: Blocks of large parts. Smaller ones would make the table of contents longer than it need be.
_USUAL_BLOCK = 4 << 20
#: A smaller part has so many blocks at least, as far as the smallest block allows: a bad byte costs a whole one.
_BLOCKS_OF_A_PART = 64
DEFAULT_PART_SIZE = "3900MiB"
#: A FAT32 file has less than 4 GiB; a DVD holds 4.7 and a Blu-ray disc 25 decimal gigabytes, less what the
#: file system takes.
PRESETS = {"fat32": 3900 << 20, "dvd": 4_400_000_000, "bd": 24_800_000_000, "none": 0}


@dataclass(frozen=True)
class PackOptions:
    """How a bundle is made; all but ``workers`` and ``parity`` decides, with the images, its bytes.

    Attributes:
        name: of the bundle; ``None`` means the names of its applications, joined by dashes.
        version: of the bundle, any text.
        part_bytes: largest size of a part, from 64 KiB; 0 means that nothing is cut.
        block_bytes: size of a block, from 64 KiB to 64 MiB; ``SUITED`` becomes what suits the part size, see
            :func:`suited_block_bytes`.
        encoder: how layers that have no registry form yet are compressed.
        workers: zstd's threads, 1 to 8; ``None`` means one per processor.
        limits: bounds on what is read.
        parity: what to make beside the bundle when it is whole; ``None``: nothing.
        rename: what images are to be called in the registries of the far side; travels in bundle.json.
        platforms: what is taken of images that have an index; as part of the images it decides the bytes.
    """

    name: str | None = None
    version: str = "0"
    part_bytes: int = PRESETS["fat32"]
    block_bytes: int = SUITED
    encoder: Encoder = field(default_factory=Encoder.choose)
    workers: int | None = None
    limits: Limits = DEFAULT_LIMITS
    parity: ParityWish | None = None
    rename: tuple[RenameRule, ...] = ()
    platforms: PlatformWishes = field(default_factory=PlatformWishes)

    def __post_init__(self) -> None:
        if self.part_bytes > LARGEST_PART:
            raise UsageError(f"a part has at most {LARGEST_PART} bytes", advice="To cut nothing, write none.")
        if self.part_bytes and self.part_bytes < SMALLEST_PART:
            raise UsageError(f"a part has at least {format_size(SMALLEST_PART)}, not {self.part_bytes} bytes")
        if self.block_bytes == SUITED:
            # The only way to give a frozen value its final form.
            object.__setattr__(self, "block_bytes", suited_block_bytes(self.part_bytes))
        if not SMALLEST_BLOCK <= self.block_bytes <= LARGEST_BLOCK:
            bounds = f"{format_size(SMALLEST_BLOCK)} to {format_size(LARGEST_BLOCK)}"
            raise UsageError(f"a block has {bounds}, not {self.block_bytes} bytes")
        for label, text in (("name", self.name or ""), ("version", self.version)):
            if len(text) > 200 or not text.isprintable():
                raise UsageError(f"the {label} of a bundle is one line of at most 200 characters")


def suited_block_bytes(part_bytes: int) -> int:
    """Return the size of blocks that suits parts of at most ``part_bytes``, 0 if they are not cut.

    It is 4 MiB for parts of 256 MiB and more, else the largest power of two that is at most a 64th of the part,
    and 64 KiB at least.
    """
    if not part_bytes or part_bytes >= _USUAL_BLOCK * _BLOCKS_OF_A_PART:
        return _USUAL_BLOCK
    return max(1 << (part_bytes // _BLOCKS_OF_A_PART).bit_length() - 1, SMALLEST_BLOCK)


def parse_part_size(text: str) -> int:
    """Read a part size: a preset or a size; the result is bytes, 0 for ``none``.

    Raises:
        UsageError: neither, or smaller than 64 KiB.
    """
    preset = PRESETS.get(text.strip().lower())
    size = parse_size(text) if preset is None else preset
    if preset is None and size < SMALLEST_PART:
        raise UsageError(f"{text!r} is too small for a part", advice="The smallest part is 64KiB.")
    return size
