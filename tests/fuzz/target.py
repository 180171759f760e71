"""What a fuzz target is: a parser, valid input to begin with, and what must hold whatever bytes come."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from bundler.content.streams import ByteStream, MemoryStream
from bundler.errors import AirbundleError
from bundler.model.limits import Limits
from tests.fakes.streams import SlowStream

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
#: Small, so that input of a few KiB reaches every bound.
LIMITS = Limits(
    document_bytes=16 << 10,
    table_bytes=16 << 10,
    bundle_manifest_bytes=64 << 10,
    json_depth=12,
    documents=40,
    document_nesting=3,
    tree_bytes=64 << 10,
    archive_entries=60,
    archive_bytes=1 << 20,
    archive_document_bytes=64 << 10,
    header_record_bytes=4 << 10,
    annotation_count=8,
    name_chars=300,
    layer_bytes=1 << 20,
    layer_ratio=200,
    window_log=20,
    referrers=4,
)
#: No message repeats what it complains about at any length.
_LONGEST_MESSAGE = 4_000


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes:
        name: on the command line of ``scripts/fuzz``.
        check: takes any bytes; raises nothing as long as the parser keeps its promises.
        seeds: valid input, and input that was trouble once.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def attempt(parse: Callable[[], T], *declared: type[AirbundleError]) -> T | str:
    """Return what the parser returns, or the code of an error that it may raise; let every other one through."""
    try:
        return parse()
    except declared as error:
        refusal: AirbundleError = error
    assert type(refusal) is not AirbundleError
    assert refusal.message
    assert refusal.advice
    assert len(refusal.message) < _LONGEST_MESSAGE, f"a message of {len(refusal.message)} characters"
    return refusal.code


def text_of(data: bytes) -> str:
    """Return bytes as text as the command line gives it: what is not UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def in_every_step(data: bytes, read: Callable[[ByteStream], T]) -> T:
    """Read a stream whole, byte by byte and in uneven pieces; return what all three agree on."""
    whole = read(MemoryStream(data))
    for step in (1, 7, 513):
        assert read(SlowStream(data, step)) == whole, f"in steps of {step} it gives something else"
    return whole


@cache
def scratch() -> Path:
    """Return a directory in memory where there is one, for parsers that want a file; it goes with the process."""
    shared = Path("/dev/shm")
    where = shared if os.access(shared, os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="airbundle-fuzz-", dir=where))
    import atexit

    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
