"""Digests, descriptors, platforms, media types and sizes."""

from __future__ import annotations

import pytest

from bundler.errors import MalformedDocument, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.platforms import Platform
from bundler.model.sizes import format_size, parse_size

HEX = "0123456789abcdef" * 4


def test_a_digest_is_its_text() -> None:
    digest = Digest(f"sha256:{HEX}")
    assert digest == f"sha256:{HEX}"
    assert (digest.hex, digest.short) == (HEX, HEX[:12])
    assert Digest.from_hex(HEX) == digest
    assert Digest(digest) == digest


@pytest.mark.parametrize(
    "text",
    ["", HEX, "sha256:", f"sha256:{HEX[1:]}", f"sha256:{HEX}0", f"sha256:{HEX.upper()}", f"SHA256:{HEX}",
     f"sha512:{HEX}{HEX}", f"sha256:{HEX}\n", f" sha256:{HEX}", f"sha256:../{HEX[3:]}", "sha256:" + "٣" * 64,
     None, 7, HEX.encode()],
)  # fmt: skip
def test_other_texts_are_no_digests(text: object) -> None:
    with pytest.raises(MalformedDocument, match="not a sha256 digest"):
        Digest(text)


@pytest.mark.parametrize("size", [0, 1, 2**63 - 1])
def test_sizes_of_descriptors(size: int) -> None:
    value = {"mediaType": "a/b", "digest": f"sha256:{HEX}", "size": size}
    descriptor = convert(value, Descriptor, "it")
    assert descriptor.size == size
    assert parse_json(canonical_json(descriptor), "it", limit=1000) == value


@pytest.mark.parametrize("size", [-1, 2**63, 10**400, "1", 1.5, True, None])
def test_impossible_sizes_of_descriptors(size: object) -> None:
    with pytest.raises(MalformedDocument):
        convert({"mediaType": "a/b", "digest": f"sha256:{HEX}", "size": size}, Descriptor, "it")


@pytest.mark.parametrize(
    "change",
    [{"digest": "sha256:00"}, {"digest": 1}, {"mediaType": None}, {"urls": "http://x"}, {"annotations": []},
     {"annotations": {"a": 1}}, {"platform": "linux/amd64"}, {"platform": {"os": 1}}],
)  # fmt: skip
def test_descriptors_of_wrong_types(change: dict[str, object]) -> None:
    value = {"mediaType": "a/b", "digest": f"sha256:{HEX}", "size": 1, **change}
    with pytest.raises(MalformedDocument, match="the thing"):
        convert(value, Descriptor, "the thing")


def test_descriptors_keep_what_their_owner_says_and_write_nothing_empty() -> None:
    value = {
        "mediaType": "a/b", "digest": f"sha256:{HEX}", "size": 1, "urls": ["https://x"], "annotations": {"k": "v"},
        "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}, "artifactType": "c/d",
    }  # fmt: skip
    assert parse_json(canonical_json(convert(value, Descriptor, "it")), "it", limit=1000) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform("amd64", "linux")),
        ("linux/x86_64", Platform("amd64", "linux")),
        ("Linux/AMD64", Platform("amd64", "linux")),
        ("linux/aarch64", Platform("arm64", "linux")),
        ("linux/arm64/v8", Platform("arm64", "linux")),
        ("linux/arm/v7", Platform("arm", "linux", "v7")),
        ("linux/i686", Platform("386", "linux")),
        ("windows/amd64", Platform("amd64", "windows")),
    ],
)
def test_platforms_in_their_normal_form(text: str, expected: Platform) -> None:
    platform = Platform.parse(text)
    assert platform == expected
    assert Platform.parse(str(platform)) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux/arm/", "a/b/c/d", "//"])
def test_other_texts_are_no_platforms(text: str) -> None:
    with pytest.raises(UsageError, match="not a platform"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("image", "host", "fits"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm64", "linux/amd64", False),
        ("windows/amd64", "linux/amd64", False),
        ("linux/arm/v6", "linux/arm/v7", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm", "linux/arm/v6", True),
        ("linux/arm/v7", "linux/arm", True),
        ("linux/arm64/v8", "linux/arm64", True),
    ],
)
def test_what_runs_where(image: str, host: str, fits: bool) -> None:
    assert Platform.parse(image).runs_on(Platform.parse(host)) is fits


def test_what_an_engine_calls_its_processor_is_understood() -> None:
    assert Platform("amd64", "linux").runs_on(Platform(architecture="x86_64", os="linux"))
    assert Platform("arm64", "linux", "v8").runs_on(Platform(architecture="aarch64", os="linux"))


@pytest.mark.parametrize(
    ("platform", "known"),
    [(Platform("amd64", "linux"), True), (Platform("unknown", "unknown"), False), (Platform(), False),
     (Platform("amd64"), False), (Platform(os="linux"), False)],
)  # fmt: skip
def test_attestations_have_no_known_platform(platform: Platform, known: bool) -> None:
    assert platform.is_known is known


@pytest.mark.parametrize(
    ("media_type", "layer", "foreign", "compression"),
    [
        (media_types.OCI_LAYER, True, False, "none"),
        (media_types.OCI_LAYER_GZIP, True, False, "gzip"),
        (media_types.OCI_LAYER_ZSTD, True, False, "zstd"),
        (media_types.DOCKER_LAYER_GZIP, True, False, "gzip"),
        ("application/vnd.docker.image.rootfs.diff.tar", True, False, "none"),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", True, False, "zstd"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True, True, "gzip"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", True, True, "zstd"),
        (media_types.OCI_LAYER_GZIP + "+encrypted", True, False, None),
        ("application/vnd.oci.image.layer.v1.tar+xz", True, False, None),
        (media_types.OCI_CONFIG, False, False, None),
        ("application/vnd.in-toto+json", False, False, None),
        ("", False, False, None),
    ],
)
def test_what_media_types_say(media_type: str, layer: bool, foreign: bool, compression: str | None) -> None:
    assert media_types.is_layer(media_type) is layer
    assert media_types.is_foreign_layer(media_type) is foreign
    assert media_types.layer_compression(media_type) == compression
    assert media_types.is_readable_layer(media_type) is (compression is not None)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("65536", 65536), ("1b", 1), ("4GB", 4 * 10**9), ("4GiB", 4 << 30), ("3900MiB", 3900 << 20),
     ("64KiB", 65536), ("64 kib", 65536), (" 1.5 GiB ", 3 << 29), ("0.5KB", 500), ("2TB", 2 * 10**12),
     ("2TiB", 2 << 40), ("1.25kib", 1280), ("00012MB", 12 * 10**6)],
)  # fmt: skip
def test_sizes_mean_what_they_say(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", " ", "GiB", "1G", "1M", "1K", "-1", "+1", "1e3", "0x10", "1,5GB", "1 2", "1.GB", ".5GB", "1 XiB",
     "0.5", "0.0001KB", "٣MiB", "1" * 5000, "0." + "1" * 5000 + "GB", "nan", "inf"],
)  # fmt: skip
def test_other_texts_are_no_sizes(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (1 << 20, "1.0 MiB"),
     (3900 << 20, "3.8 GiB"), (1 << 40, "1.0 TiB"), (5000 << 40, "5000.0 TiB")],
)  # fmt: skip
def test_sizes_for_people(count: int, text: str) -> None:
    assert format_size(count) == text
