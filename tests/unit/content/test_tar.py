"""Tars: our headers read by others, those of others read by us, and everything that can be wrong with one."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest

from bundler.content.streams import MemoryStream
from bundler.content.tar import END_OF_ARCHIVE, TarEntry, TarReader, file_header, padding
from bundler.errors import AirbundleError, DamagedContent, MalformedDocument
from bundler.model.limits import Limits
from tests.fakes.streams import SlowStream, drain

GIB = 1 << 30
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
NAME = "blobs/sha256/" + "0" * 64


def make(build: Callable[[tarfile.TarFile], None], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        build(tar)
    return out.getvalue()


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", **more: object) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    for key, value in more.items():
        setattr(entry, key, value)
    tar.addfile(entry, io.BytesIO(data))


def entries(data: bytes, limits: Limits | None = None) -> list[tuple[TarEntry, bytes]]:
    reader = TarReader(MemoryStream(data), limits=limits or Limits())
    found = []
    while (entry := reader.next()) is not None:
        found.append((entry, drain(reader)))
    return found


def resum(header: bytearray) -> bytes:
    """Give a changed header its right checksum."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header)


def header_with(start: int, field: bytes, size: int = 0, kind: bytes = b"0") -> bytes:
    header = bytearray(file_header("a", size))
    header[156:157] = kind
    header[start : start + len(field)] = field
    return resum(header)


def record(kind: bytes, data: bytes) -> bytes:
    return header_with(0, b"x", len(data), kind) + data + bytes(padding(len(data)))


# -- what we write --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 511, 512, 8 * GIB - 1, 8 * GIB, 8 * GIB + 1, 1 << 40, 1 << 62])
@pytest.mark.parametrize("name", ["a", NAME, "n" * 100])
def test_our_headers_are_read_by_the_standard_library_and_by_us(name: str, size: int) -> None:
    header = file_header(name, size)
    assert len(header) == 512
    info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    assert (info.name, info.size, info.mode, info.mtime, info.uid) == (name, size, 0o644, 0, 0)
    assert info.isreg()
    entry = TarReader(MemoryStream(header)).next()
    assert entry == TarEntry(name, size, 512, None, True)


def test_small_sizes_are_octal_because_every_reader_takes_that() -> None:
    assert file_header("a", 8 * GIB - 1)[124:136] == b"77777777777\0"
    assert file_header("a", 8 * GIB)[124:136] == b"\x80" + (8 * GIB).to_bytes(11, "big")


@pytest.mark.parametrize("name", ["", "n" * 101])
def test_names_that_no_header_holds(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        file_header(name, 1)


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
def test_padding(size: int, expected: int) -> None:
    assert padding(size) == expected


# -- what others write ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("step", [1, 100, 1 << 16])
def test_every_form_of_the_standard_library(form: int, step: int) -> None:
    files = {"manifest.json": b"[]", NAME: b"x" * 1000, "empty": b"", "d/" + "n" * 98: b"12", "last": b"y" * 512}

    def build(tar: tarfile.TarFile) -> None:
        for name, content in files.items():
            add(tar, name, content)

    data = make(build, form)
    reader, found = TarReader(SlowStream(data, step)), {}
    while (entry := reader.next()) is not None:
        assert entry.is_file
        assert entry.link is None
        found[entry.name] = drain(reader)
        assert data[entry.offset : entry.offset + entry.size] == files[entry.name]
    assert found == files


@pytest.mark.parametrize("form", ["gnu", "pax"])
@pytest.mark.parametrize("length", [101, 155, 256, 300, 4000])
def test_long_names_and_links(form: str, length: int) -> None:
    name = "d/" + "n" * (length - 2)

    def build(tar: tarfile.TarFile) -> None:
        add(tar, name, b"data")
        add(tar, "hard", type=tarfile.LNKTYPE, linkname=name)
        add(tar, "d/soft", type=tarfile.SYMTYPE, linkname="n" * (length - 2))
        add(tar, "short", b"end")

    found = entries(make(build, FORMATS[form]))
    assert [(entry.name, entry.link, content) for entry, content in found] == [
        (name, None, b"data"),
        ("hard", name, b""),
        ("d/soft", name, b""),
        ("short", None, b"end"),
    ]


@pytest.mark.parametrize("form", ["gnu", "pax"])
@pytest.mark.parametrize("size", [8 * GIB - 1, 8 * GIB, 8 * GIB + 1, 1 << 45])
def test_large_sizes(form: str, size: int) -> None:
    info = tarfile.TarInfo("a")
    info.size = size
    data = info.tobuf(tarfile.GNU_FORMAT if form == "gnu" else tarfile.PAX_FORMAT)
    stream = MemoryStream(data + file_header("b", 0))
    skipped: list[int] = []

    def skip(count: int) -> None:
        if count < 512:  # behind a PAX record
            stream.readinto(memoryview(bytearray(count)))
        else:
            skipped.append(count)  # the payload, which is not really there

    reader = TarReader(stream, skip)
    entry = reader.next()
    assert entry is not None
    assert entry.size == size
    second = reader.next()
    assert skipped == [size + padding(size)]
    assert second is not None
    assert second.name == "b"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("./a", "a"), ("a/", "a"), ("./a/./b", "a/b"), ("/etc/passwd", "etc/passwd"), ("a//b", "a/b"),
     ("a/../b", "b"), ("../a", "../a"), (".", "."), ("é", "é")],
)  # fmt: skip
def test_names_are_brought_to_one_form(name: str, expected: str) -> None:
    ((entry, _),) = entries(make(lambda tar: add(tar, name)))
    assert entry.name == expected


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [("a/layer.tar", "../b/layer.tar", "b/layer.tar"), ("layer.tar", "b/layer.tar", "b/layer.tar"),
     ("a/l", "l2", "a/l2"), ("a/l", "/x/y", "x/y"), ("a/l", "../../../etc/passwd", "../../etc/passwd")],
)  # fmt: skip
def test_symbolic_links_lead_from_their_own_place(name: str, target: str, expected: str) -> None:
    ((entry, _),) = entries(make(lambda tar: add(tar, name, type=tarfile.SYMTYPE, linkname=target)))
    assert entry.link == expected
    assert not entry.is_file
    ((hard, _),) = entries(make(lambda tar: add(tar, "a/l", type=tarfile.LNKTYPE, linkname="b/l")))
    assert hard.link == "b/l"


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_other_kinds_are_no_files(kind: bytes) -> None:
    found = entries(make(lambda tar: add(tar, "x", type=kind)))
    assert [(entry.name, entry.is_file, entry.link) for entry, _ in found] == [("x", False, None)]


@pytest.mark.parametrize("kind", [b"1", b"2", b"5"])
def test_links_and_directories_have_no_payload_whatever_they_say(kind: bytes) -> None:
    data = header_with(157, b"t", 512, kind) + file_header("b", 0)
    assert [entry.name for entry, _ in entries(data)] == ["a", "b"]


def test_pax_sizes_count_before_the_header() -> None:
    data = record(b"x", b"10 size=5\n") + file_header("a", 0) + b"12345" + bytes(507) + file_header("b", 0)
    assert [(entry.name, content) for entry, content in entries(data)] == [("a", b"12345"), ("b", b"")]


def test_pax_records_count_for_one_entry_only() -> None:
    data = record(b"x", b"12 path=new\n") + file_header("a", 0) + file_header("b", 0)
    assert [entry.name for entry, _ in entries(data)] == ["new", "b"]


def test_global_records_and_comments_do_no_harm() -> None:
    data = record(b"g", b"16 comment=abcd\n") + record(b"x", b"20 mtime=1234567890\n"[:20]) + file_header("a", 0)
    assert [entry.name for entry, _ in entries(data)] == ["a"]


def test_ustar_prefixes_count_only_in_ustar() -> None:
    header = bytearray(file_header("name", 0))
    header[345:351] = b"prefix"
    assert entries(resum(header))[0][0].name == "prefix/name"
    header[257:265] = b"ustar  \0"  # GNU keeps times there
    assert entries(resum(header))[0][0].name == "name"


def test_old_headers_without_magic() -> None:
    header = bytearray(file_header("a", 3))
    header[156:157] = b"\0"
    header[257:265] = bytes(8)
    assert entries(resum(header) + b"abc" + bytes(509)) == [(TarEntry("a", 3, 512, None, True), b"abc")]


@pytest.mark.parametrize(
    ("field", "size"),
    [(b"00000000003\0", 3), (b"          3 ", 3), (b"3\0\0\0\0\0\0\0\0\0\0\0", 3), (b"000000000003", 3),
     (bytes(12), 0), (b"\x80" + bytes(10) + b"\x03", 3)],
)  # fmt: skip
def test_sizes_as_people_have_written_them(field: bytes, size: int) -> None:
    entry = TarReader(MemoryStream(header_with(124, field))).next()
    assert entry is not None
    assert entry.size == size


# -- the end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"", bytes(512), END_OF_ARCHIVE, bytes(10_240), END_OF_ARCHIVE + b"junk" * 200])
def test_an_archive_may_end_in_many_ways(end: bytes) -> None:
    reader = TarReader(MemoryStream(file_header("a", 0) + end))
    assert reader.next() is not None
    for _ in range(3):  # and it stays at its end
        assert reader.next() is None


def test_an_empty_stream_is_an_empty_archive() -> None:
    assert entries(b"") == []


def small_tar() -> bytes:
    def build(tar: tarfile.TarFile) -> None:
        add(tar, "a", b"1" * 700)
        add(tar, "n" * 200, b"2" * 512)
        add(tar, "link", type=tarfile.SYMTYPE, linkname="a")
        add(tar, "z", b"3")

    return make(build)


@pytest.mark.parametrize("length", range(0, 8 * 512 + 1, 512))
def test_truncated_between_blocks(length: int) -> None:
    data = small_tar()
    whole = [(entry.name, content) for entry, content in entries(data)]
    starts = [0, 3 * 512, 7 * 512, 8 * 512]  # where an archive without end marker may end
    if length in starts:
        found = [(entry.name, content) for entry, content in entries(data[:length])]
        assert found == whole[: starts.index(length)]
    else:
        with pytest.raises(DamagedContent, match="truncated"):
            entries(data[:length])


@pytest.mark.parametrize("length", [1, 100, 511, 513, 600, 512 + 700, 4 * 512 + 3])
def test_truncated_anywhere_else(length: int) -> None:
    with pytest.raises(DamagedContent, match="truncated"):
        entries(small_tar()[:length])


def test_truncated_in_what_is_passed_over() -> None:
    reader = TarReader(MemoryStream(file_header("a", 2000) + b"x" * 600))
    assert reader.next() is not None
    with pytest.raises(DamagedContent, match="truncated"):
        reader.next()


def test_what_is_not_read_is_passed_over() -> None:
    reader, names = TarReader(SlowStream(small_tar(), 50)), []
    while (entry := reader.next()) is not None:
        names.append(entry.name)
        reader.readinto(memoryview(bytearray(10)))
    assert names == ["a", "n" * 200, "link", "z"]


# -- what is wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x" * 512, "checksum"),
        (b"<!DOCTYPE html>" + b" " * 512, "not a tar"),
        (b"\x1f\x8b" + bytes(510), "checksum"),
        (bytes(511) + b"x", "checksum"),
        (file_header("a", 0)[:100] + b"x" + file_header("a", 0)[101:], "checksum"),
        (header_with(124, b"\xff" * 12), "negative"),
        (header_with(124, b"\xc0" + bytes(11)), "negative"),
        (header_with(124, b"-0000000001\0"), "octal"),
        (header_with(124, b"00000000009\0"), "octal"),
        (header_with(124, b"\x80" + b"\xff" * 11), "impossible"),
        (header_with(124, b"0x000000010\0"), "octal"),
        (record(b"x", b"11 size=-5\n") + file_header("a", 0), "not a number"),
        (record(b"x", b"8 size=\n") + file_header("a", 0), "not a number"),
        (record(b"x", b"30 size=%s\n" % (b"9" * 21)) + file_header("a", 0), "number|impossible"),
        (record(b"x", b"28 size=%s\n" % (b"9" * 19)) + file_header("a", 0), "impossible"),
        (record(b"x", b"size=5\n") + file_header("a", 0), "no length"),
        (record(b"x", b"0 size=5\n") + file_header("a", 0), "broken"),
        (record(b"x", b"99 size=5\n") + file_header("a", 0), "broken"),
        (record(b"x", b"8 size=5\n") + file_header("a", 0), "broken"),
        (record(b"x", b"7 size\n") + file_header("a", 0), "broken"),
        (record(b"x", b"12345678 a=b\n") + file_header("a", 0), "no length"),
        (header_with(0, b"a", 0, b"S"), "sparse"),
        (record(b"x", b"22 GNU.sparse.major=1\n") + file_header("a", 0), "sparse"),
        (record(b"L", b"n" * 5000) + file_header("a", 0), "the limit name_chars is 4096"),
        (record(b"x", b"5009 path=" + b"n" * 4998 + b"\n") + file_header("a", 0), "the limit name_chars is 4096"),
        (header_with(0, b"a", 2 << 20, b"x"), "the limit header_record_bytes is"),
        (header_with(0, b"a", 1 << 61, b"L"), "the limit header_record_bytes is"),
    ],
)
def test_broken_archives(data: bytes, message: str) -> None:
    with pytest.raises(MalformedDocument, match=message):
        entries(data)


def test_the_number_of_entries_is_bounded() -> None:
    data = file_header("a", 0) * 3
    assert len(entries(data, Limits(archive_entries=3))) == 3
    with pytest.raises(MalformedDocument, match="the limit archive_entries is 2"):
        entries(data, Limits(archive_entries=2))


def test_records_before_one_file_are_bounded_together() -> None:
    one = record(b"x", b"1000 a=" + b"b" * 992 + b"\n")
    assert len(entries(one + file_header("a", 0), Limits(header_record_bytes=1000))) == 1
    assert len(entries((one + file_header("a", 0)) * 3, Limits(header_record_bytes=1000))) == 3
    with pytest.raises(MalformedDocument, match="the limit header_record_bytes is"):
        entries(one + one + file_header("a", 0), Limits(header_record_bytes=1999))


@pytest.mark.parametrize("end", [b"", END_OF_ARCHIVE])
def test_a_record_without_a_file_is_a_truncated_archive(end: bytes) -> None:
    for data in (record(b"L", b"name"), record(b"x", b"10 path=a\n")):
        with pytest.raises(DamagedContent, match="before a file"):
            entries(data + end)
        with pytest.raises(DamagedContent, match="truncated"):
            entries(data[:520])
    assert entries(record(b"g", b"10 path=a\n") + end) == []


def test_many_small_records_take_no_time() -> None:
    data = record(b"x", b"5 a=\n" * 200_000) + file_header("a", 0)
    assert len(entries(data)) == 1


@pytest.mark.parametrize("position", range(512))
def test_any_changed_byte_of_a_header_is_noticed(position: int) -> None:
    header = bytearray(file_header(NAME, 0))
    header[position] ^= 0x40
    # Only the space behind the checksum itself is covered by nothing.
    if 154 <= position < 156:
        return
    with pytest.raises(AirbundleError):
        entries(bytes(header))
