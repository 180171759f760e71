"""Whatever bytes come as a tar: entries or a declared error, however they arrive."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from bundler.content.compression import DecompressedStream
from bundler.content.streams import ByteStream, MemoryStream
from bundler.content.tar import END_OF_ARCHIVE, TarEntry, TarReader, file_header, padding
from bundler.errors import AirbundleError
from bundler.model.limits import Limits
from tests.fakes.memory import compress
from tests.fakes.streams import SlowStream, drain
from tests.property.hostile import nearly

LIMITS = Limits(archive_entries=50, header_record_bytes=4096, layer_bytes=1 << 20)
PORTABLE = st.text("abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=30)
NAMES = st.lists(PORTABLE, min_size=1, max_size=3).map("/".join)


def archive(form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, data in (("manifest.json", b"[]"), ("n" * 60, b"x" * 700)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("d/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../manifest.json"
        tar.addfile(link)
        if form != tarfile.USTAR_FORMAT:
            tar.addfile(tarfile.TarInfo("long/" + "n" * 200))
    return out.getvalue()[:6144]


ARCHIVES = [archive(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]


def read(stream: ByteStream) -> list[tuple[TarEntry, bytes]] | str:
    """Return all entries with their bytes, or the code of the error."""
    reader, found = TarReader(stream, limits=LIMITS), []
    try:
        while (entry := reader.next()) is not None:
            found.append((entry, drain(reader)))
    except AirbundleError as error:
        return error.code
    return found


@given(nearly(ARCHIVES, random_bytes=3000), st.integers(1, 700))
def test_any_bytes_are_a_tar_or_refused(data: bytes, step: int) -> None:
    whole = read(MemoryStream(data))
    assert read(SlowStream(data, step)) == whole
    assert read(SlowStream(data, 1)) == whole
    if isinstance(whole, list):
        for entry, content in whole:
            assert entry.size == len(content)
            assert content == data[entry.offset : entry.offset + entry.size]


@given(st.sampled_from(ARCHIVES), st.binary(max_size=600))
def test_what_stands_behind_the_end_is_not_looked_at(data: bytes, junk: bytes) -> None:
    entries = read(MemoryStream(data.rstrip(b"\0") + bytes(2048)))
    assert isinstance(entries, list)
    end = max(entry.offset + entry.size + padding(entry.size) for entry, _ in entries)
    assert read(MemoryStream(data[:end] + END_OF_ARCHIVE + junk)) == entries


@given(st.lists(st.tuples(NAMES, st.binary(max_size=1500)), max_size=6), st.booleans())
def test_what_we_write_is_read_by_us_and_by_others(files: list[tuple[str, bytes]], ended: bool) -> None:
    out = bytearray()
    for name, data in files:
        out += file_header(name, len(data)) + data + bytes(padding(len(data)))
    out += END_OF_ARCHIVE if ended else b""
    ours = read(MemoryStream(bytes(out)))
    assert isinstance(ours, list)
    assert [content for _, content in ours] == [data for _, data in files]
    if not files and not ended:
        return  # the standard library wants at least an end
    with tarfile.open(fileobj=io.BytesIO(out)) as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar]
        assert [(name, file.read()) for name, file in members if file] == files


@given(st.integers(0, 1 << 62), NAMES)
def test_every_size_survives_its_header(size: int, name: str) -> None:
    header = file_header(name, size)
    assert tarfile.TarInfo.frombuf(header, "ascii", "strict").size == size
    entry = TarReader(MemoryStream(header)).next()
    assert entry is not None
    assert entry.size == size


BLOBS = {kind: [compress(data, kind) for data in (b"", b"layer " * 50, bytes(3000))] for kind in ("gzip", "zstd")}


@given(st.data(), st.sampled_from(["gzip", "zstd"]), st.integers(1, 100))
def test_any_bytes_are_compressed_data_or_refused(data: st.DataObject, kind: str, step: int) -> None:
    blob = data.draw(nearly(BLOBS[kind], random_bytes=300))

    def outcome(stream: ByteStream) -> bytes | None:
        try:
            return drain(DecompressedStream(stream, kind, LIMITS))
        except AirbundleError:
            return None

    assert outcome(SlowStream(blob, step)) == outcome(MemoryStream(blob))
