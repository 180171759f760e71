"""How a bundle is made: part size, blocks, compression."""

from __future__ import annotations

from dataclasses import dataclass, field

from bundler.bundle.manifest import LARGEST_BLOCK, SMALLEST_BLOCK
from bundler.content.compression import Encoder
from bundler.errors import UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.sizes import format_size, parse_size

SMALLEST_PART = 64 << 10
LARGEST_PART = 1 << 62
DEFAULT_PART_SIZE = "3900MiB"
#: A FAT32 file has less than 4 GiB; a DVD holds 4.7 and a Blu-ray disc 25 decimal gigabytes, less what the
#: file system takes.
PRESETS = {"fat32": 3900 << 20, "dvd": 4_400_000_000, "bd": 24_800_000_000, "none": 0}


@dataclass(frozen=True)
class PackOptions:
    """Everything but the images that decides the bytes of a bundle, except ``workers``.

    Attributes:
        name: of the bundle; ``None`` means the names of its applications, joined by dashes.
        version: of the bundle, any text.
        part_bytes: largest size of a part, from 64 KiB; 0 means that nothing is cut.
        block_bytes: size of a block, from 64 KiB to 64 MiB.
        encoder: how layers that have no registry form yet are compressed.
        workers: zstd's threads, 1 to 8; ``None`` means one per processor.
        limits: bounds on what is read.
    """

    name: str | None = None
    version: str = "0"
    part_bytes: int = PRESETS["fat32"]
    block_bytes: int = 4 << 20
    encoder: Encoder = field(default_factory=Encoder.choose)
    workers: int | None = None
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if self.part_bytes > LARGEST_PART:
            raise UsageError(f"a part has at most {LARGEST_PART} bytes", advice="To cut nothing, write none.")
        if self.part_bytes and self.part_bytes < SMALLEST_PART:
            raise UsageError(f"a part has at least {format_size(SMALLEST_PART)}, not {self.part_bytes} bytes")
        if not SMALLEST_BLOCK <= self.block_bytes <= LARGEST_BLOCK:
            bounds = f"{format_size(SMALLEST_BLOCK)} to {format_size(LARGEST_BLOCK)}"
            raise UsageError(f"a block has {bounds}, not {self.block_bytes} bytes")
        for label, text in (("name", self.name or ""), ("version", self.version)):
            if len(text) > 200 or not text.isprintable():
                raise UsageError(f"the {label} of a bundle is one line of at most 200 characters")


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
