"""The journal: what is noted is read again, up to the first line that is torn or wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.bundle.manifest import Blob, Part
from bundler.content.compression import Encoder
from bundler.content.hashing import block_sum, sha256
from bundler.errors import LimitExceeded
from bundler.model.limits import Limits
from bundler.packing.resume.journal import Journal, Records, parse_journal, read_journal

IDENTITY = {"the name": "shop", "the part size": "0"}
BLOB = Blob(
    digest=sha256(b"blob"),
    size=4,
    media_type="application/vnd.oci.image.layer.v1.tar+zstd",
    archive="shop",
    offset=1536,
    diff_id=sha256(b"layer"),
    uncompressed_size=5,
    encoder=Encoder.choose(),
)
PART = Part(file="shop.oci.tar.001", size=9, sha256="0" * 64, xxh3_128="1" * 32, blocks=("2" * 16,))
CONFIG = bytes(range(256))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    journal = Journal.begin(tmp_path / "journal", IDENTITY)
    journal.blob(BLOB)
    journal.config(sha256(CONFIG), CONFIG)
    journal.part("shop", 1, PART)
    journal.archive("shop", 9)
    journal.close()
    return tmp_path / "journal"


def read(path: Path) -> Records:
    records = read_journal(path)
    assert records is not None
    return records


def test_what_is_noted_is_read(path: Path) -> None:
    records = read(path)
    assert records.identity == IDENTITY
    assert records.blobs == {BLOB.digest: BLOB}
    assert records.configs == {sha256(CONFIG): CONFIG}
    assert records.parts == {("shop", 1): PART}
    assert records.archives == {"shop": 9}
    assert records.length == path.stat().st_size


def test_every_torn_end(path: Path) -> None:
    raw = path.read_bytes()
    ends = [number + 1 for number, byte in enumerate(raw) if byte == ord("\n")]
    for length in range(len(raw)):
        records = parse_journal(raw[:length])
        whole = max((end for end in ends if end <= length), default=0)
        assert (records.length if records else 0) == whole


def test_every_wrong_byte_ends_the_reading(path: Path) -> None:
    raw = path.read_bytes()
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        records = parse_journal(bytes(changed))
        assert (records.length if records else 0) <= position


def test_going_on_cuts_the_torn_line(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"torn")
    journal = Journal(path, read(path).length)
    journal.archive("erp", 7)
    journal.close()
    assert read(path).archives == {"shop": 9, "erp": 7}


@pytest.mark.parametrize("body", [b"{}", b"[]", b"nonsense", b'{"archive":"a","size":1}', b'{"blob":{}}'])
def test_a_line_with_a_right_sum_that_says_nothing_of_use(path: Path, body: bytes) -> None:
    first = path.read_bytes().split(b"\n")[0] + b"\n"
    line = block_sum(body).encode() + body + b"\n"
    assert parse_journal(line) is None
    assert parse_journal(first + line + first) is not None


def test_there_is_none(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal") is None
    (tmp_path / "journal").mkdir()
    assert read_journal(tmp_path / "journal") is None


def test_it_is_bounded(path: Path) -> None:
    size = path.stat().st_size
    assert read_journal(path, Limits(bundle_manifest_bytes=size)) is not None
    with pytest.raises(LimitExceeded):
        read_journal(path, Limits(bundle_manifest_bytes=size - 1))


def test_what_comes_after_its_end_is_lost(path: Path) -> None:
    journal = Journal(path, read(path).length)
    journal.close()
    journal.close()
    journal.archive("erp", 7)
    assert read(path).archives == {"shop": 9}
