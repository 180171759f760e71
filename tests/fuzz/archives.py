"""Targets: tars, compressed data, and whole archives of images."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
from collections.abc import Callable
from typing import cast

import zstandard

from bundler.content.compression import DecompressedStream, recognise_compression
from bundler.content.images import FoundImage, ImageSource
from bundler.content.streams import ByteStream
from bundler.content.tar import TarReader
from bundler.content.zstd_frames import FrameTracker
from bundler.errors import AirbundleError, DamagedContent
from bundler.model.digest import Digest
from bundler.progress import SILENT
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.oci_layout import OciLayoutSource
from bundler.transports.engine.save_names import SaveNames
from tests.fakes.memory import compress
from tests.fakes.streams import drain
from tests.fuzz.target import LIMITS, SAMPLES, Target, attempt, in_every_step, scratch

_KINDS = ("gzip", "zstd", "xz", "bzip2")


def _tar(data: bytes) -> None:
    def read(stream: ByteStream) -> object:
        reader, found = TarReader(stream, limits=LIMITS), []

        def walk() -> object:
            while (entry := reader.next()) is not None:
                content = drain(reader)
                assert len(content) == entry.size
                assert content == data[entry.offset : entry.offset + entry.size]
                found.append((entry, content))
            return found

        return attempt(walk, DamagedContent)

    in_every_step(data, read)


def _compressed(data: bytes) -> None:
    kind = recognise_compression(data[:10])
    for name in _KINDS if kind == "none" else (kind,):

        def read(stream: ByteStream, name: str = name) -> object:
            return attempt(lambda: drain(DecompressedStream(stream, name, LIMITS)), DamagedContent)

        in_every_step(data, read)


def _zstd_ends(data: bytes) -> None:
    """The tracker agrees with the library itself on where frames end, asked one frame at a time."""
    found = attempt(lambda: drain(DecompressedStream(_memory(data), "zstd", LIMITS)), DamagedContent)
    tracker = FrameTracker()
    for position in range(len(data)):
        tracker.feed(data[position : position + 1])
    whole = FrameTracker()
    whole.feed(data)
    assert tracker.at_end == whole.at_end
    if isinstance(found, bytes):
        assert _frame_by_frame(data) == found


def _frame_by_frame(data: bytes) -> bytes:
    result = b""
    while data:
        if data[1:4] == b"\x2a\x4d\x18" and data[0] >> 4 == 5:
            data = data[8 + int.from_bytes(data[4:8], "little") :]
            continue
        frame = zstandard.ZstdDecompressor(max_window_size=1 << LIMITS.window_log).decompressobj()
        result += frame.decompress(data)
        assert frame.eof, "it was taken for whole, and ends inside a frame"
        data = frame.unused_data
    return result


def _memory(data: bytes) -> ByteStream:
    from bundler.content.streams import MemoryStream

    return MemoryStream(data)


def _save_names(data: bytes) -> None:
    """Any tar as what an engine saves: names are given to contents, never without the right hash."""
    digests = [Digest.from_hex(f"{number:064x}") for number in range(1, 4)]

    def read(stream: ByteStream) -> object:
        names, reader = SaveNames({digests[0]: digests[1:]}, LIMITS), TarReader(stream, limits=LIMITS)

        def walk() -> object:
            found = []
            while (entry := reader.next()) is not None:
                if entry.is_file:
                    found.append((entry.name, names.identify(entry, reader)))
            return found

        return attempt(walk, DamagedContent)

    in_every_step(data, read)


def _source(opened: Callable[[], ImageSource]) -> None:
    """Whatever a file holds: images with their contents, or a declared error."""

    def read() -> None:
        source = opened()
        try:
            for image in source.resolve(""):
                _read_contents(source, image)
        finally:
            source.close()

    attempt(read, AirbundleError)


def _read_contents(source: ImageSource, image: FoundImage) -> None:
    from bundler.content.images import EngineForm

    digests = (
        {image.config_digest, *image.diff_ids}
        if isinstance(image, EngineForm)
        else {blob.digest for blob in image.tree.blobs()}
    )
    with SILENT.task("read") as task:
        for content in source.contents([image], digests, task):
            assert content.digest in digests
            drain(content.stream)


def _docker_archive(data: bytes) -> None:
    path = scratch() / "image.tar"
    path.write_bytes(data)
    _source(lambda: cast(ImageSource, DockerArchiveSource(path, LIMITS)))


def _oci_archive(data: bytes) -> None:
    path = scratch() / "layout.tar"
    path.write_bytes(data)
    _source(lambda: cast(ImageSource, OciLayoutSource(path, archive=True, limits=LIMITS)))


def _small_tar(form: int, files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return out.getvalue().rstrip(b"\0") + bytes(1024)


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def _docker_archives() -> tuple[bytes, ...]:
    from bundler.content.hashing import sha256
    from tests.fakes.memory import make_config, tar_of

    layers = [tar_of({"a": b"1"})[:2048], tar_of({"b": b"2"})[:2048]]
    config = make_config(layers)
    old = {
        f"{sha256(config).hex}.json": config,
        "a/layer.tar": layers[0],
        "b/layer.tar": layers[1],
        "manifest.json": b'[{"Config":"%s.json","RepoTags":["a:1"],"Layers":["a/layer.tar","c/layer.tar"]}]'
        % sha256(config).hex.encode(),
    }
    new = {f"blobs/sha256/{sha256(data).hex}": data for data in (config, *layers)}
    names = list(new)
    new["manifest.json"] = b'[{"Config":"%s","RepoTags":["a:1"],"Layers":["%s","%s"]}]' % tuple(
        name.encode() for name in names
    )
    archives = [
        _aligned(_small_tar(tarfile.GNU_FORMAT, old, {"c/layer.tar": "../b/layer.tar"})),
        _aligned(_small_tar(tarfile.PAX_FORMAT, new)),
    ]
    return (*archives, *(compress(data, kind) for data in archives for kind in ("gzip", "zstd")))


def _layouts() -> tuple[bytes, ...]:
    from tests.fakes.memory import MemorySource, tar_of

    source = MemorySource()
    image = source.make_image([tar_of({"a": b"1"})[:1024]], "a:1", compression="zstd")
    root = image.tree.root
    files = {f"blobs/sha256/{digest.hex}": data for digest, data in source.blobs.items()}
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    files["index.json"] = (
        b'{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"%s","size":%d,'
        b'"annotations":{"org.opencontainers.image.ref.name":"1"}}]}'
        % (root.media_type.encode(), root.digest.encode(), root.size)
    )
    plain = _aligned(_small_tar(tarfile.USTAR_FORMAT, files))
    return plain, compress(plain, "gzip")


_FORMS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
_TARS = tuple(
    _aligned(
        _small_tar(
            form,
            {"manifest.json": b"[]", ("d/" if form == tarfile.USTAR_FORMAT else "d/" * 60) + "n" * 60: b"x" * 700},
            {"d/link": "../manifest.json"},
        )
    )
    for form in _FORMS
)
_PLAIN = (b"", b"layer " * 50, bytes(3000))
_BLOBS = tuple(
    blob
    for data in _PLAIN
    for blob in (compress(data, "gzip"), compress(data, "zstd"), bz2.compress(data), lzma.compress(data))
)
_SKIPPABLE = b"\x52\x2a\x4d\x18\x03\0\0\0abc"
_FRAMES = tuple(
    frame
    for data in _PLAIN
    for frame in (
        compress(data, "zstd"),
        compress(data, "zstd") + _SKIPPABLE,
        zstandard.ZstdCompressor(write_checksum=True).compress(data) * 2,
    )
)

TARGETS = (
    Target("tar", _tar, _TARS),
    Target("compressed", _compressed, (*_BLOBS, _BLOBS[4] + _BLOBS[8], _BLOBS[7] + bytes(4))),
    Target("zstd-frames", _zstd_ends, (*_FRAMES, _SKIPPABLE)),
    Target("save-names", _save_names, (*_TARS, *_docker_archives()[:2])),
    Target("docker-archive", _docker_archive, _docker_archives()),
    Target("oci-archive", _oci_archive, _layouts()),
)
assert SAMPLES.is_dir()
