"""Targets: everything that is written as a short text."""

from __future__ import annotations

from bundler.api.image_names import FILE_TRANSPORTS, ImageName
from bundler.bundle.checksums import sum_of_bundle_json
from bundler.bundle.names import check_application_name, check_part_name, is_part_name, part_file, part_files
from bundler.errors import ConfigError, InvalidReference, MalformedDocument, UsageError
from bundler.model.digest import Digest
from bundler.model.naming.naming import Naming
from bundler.model.naming.patterns import MOST_WAYS, Substitution
from bundler.model.naming.table import parse_table
from bundler.model.platform_choice import PlatformChoice
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.model.referrers import cosign_tags, parse_cosign_tag, parse_schema_tag, schema_tag
from bundler.model.sizes import parse_size
from bundler.model.versions import Version, VersionRange
from bundler.packing.planning.options import parse_part_size
from tests.fuzz.target import LIMITS, SAMPLES, Target, attempt, text_of

_HEX = b"0123456789abcdef" * 4


def _reference(data: bytes) -> None:
    found = attempt(lambda: Reference.parse(text_of(data)), InvalidReference)
    if isinstance(found, Reference):
        assert Reference.parse(str(found)) == found == Reference.parse(found.familiar)
        assert str(found).isascii()
        assert str(found).isprintable()
        assert len(str(found)) <= 255 + 1 + 128 + 1 + 71


def _pattern(data: bytes) -> None:
    """What is taken says how many ways it has, and answers at once."""
    text = text_of(data)
    found = attempt(lambda: Substitution.compile(text, r"<\g<0>>"), UsageError)
    if isinstance(found, Substitution):
        assert 1 <= found.ways <= MOST_WAYS
        for name in ("a" * 384, "reg.test/shop/web:1", text[:384]):
            assert found.apply(name) in (None, f"<{name}>")


def _name_table(data: bytes) -> None:
    rules = attempt(lambda: parse_table(data, "names", LIMITS), ConfigError)
    if isinstance(rules, tuple):
        old = Reference.parse("nginx:1.25")
        target = attempt(lambda: Naming(rules).target("far.test", old), UsageError, InvalidReference)
        assert isinstance(target, str) or target.name.startswith("far.test/")


def _digest(data: bytes) -> None:
    found = attempt(lambda: Digest(text_of(data)), MalformedDocument)
    if isinstance(found, Digest):
        assert found == text_of(data) == Digest.from_hex(found.hex)


def _platform_choice(data: bytes) -> None:
    found = attempt(lambda: PlatformChoice.parse([text_of(data)]), UsageError)
    if isinstance(found, PlatformChoice) and not found.is_all:
        assert found.wanted
        again = PlatformChoice.parse([",".join(map(str, found.wanted))])
        assert again.wanted == found.wanted


def _platform(data: bytes) -> None:
    found = attempt(lambda: Platform.parse(text_of(data)), UsageError)
    if isinstance(found, Platform):
        assert Platform.parse(str(found)) == found


def _size(data: bytes) -> None:
    for parse in (parse_size, parse_part_size):
        found = attempt(lambda parse=parse: parse(text_of(data)), UsageError)  # type: ignore[misc]
        assert isinstance(found, str) or found >= 0


def _image_name(data: bytes) -> None:
    found = attempt(lambda: ImageName.parse(text_of(data)), InvalidReference)
    if isinstance(found, ImageName):
        assert found.image or found.location
        assert bool(found.location) == (found.transport in FILE_TRANSPORTS)


def _file_name(data: bytes) -> None:
    name = text_of(data)
    archive = name.partition(".oci.tar")[0]
    if attempt(lambda: check_application_name(name), ConfigError) is None:
        for file in (*part_files(name, 1), part_file(name, 1, 2), part_file(name, 1000, 1001)):
            check_part_name(file, name)
            assert is_part_name(file)
    if attempt(lambda: check_part_name(name, archive), MalformedDocument) is None:
        assert is_part_name(name)
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789._-")


def _version_range(data: bytes) -> None:
    text = text_of(data)
    found = attempt(lambda: VersionRange.parse(text), UsageError)
    for one in ("0.0.0", "1.4.2", "1.4.2-rc.1", "9.0.0"):
        version = Version.find(one)
        assert version is not None
        assert isinstance(found, str) or found.holds(version) in (True, False)
    version = Version.find(text)
    assert version is None or Version.find(str(version)) == version


def _sums(data: bytes) -> None:
    found = sum_of_bundle_json(data)
    assert found is None or found.encode() in data


def _cosign_tag(data: bytes) -> None:
    text = text_of(data)
    subject = parse_cosign_tag(text)
    assert (subject is not None) == (subject is not None and text in cosign_tags(subject))
    listed = parse_schema_tag(text)
    assert listed is None or schema_tag(listed) == text


TARGETS = (
    Target("cosign-tag", _cosign_tag, (b"sha256-" + _HEX + b".sig", b"sha256-" + _HEX, b"1.0")),
    Target(
        "reference",
        _reference,
        (
            b"busybox", b"busybox:1", b"docker.io/library/busybox:1.36", b"localhost:5000/a/b-c__d:T_1",
            b"[::1]:5000/x@sha256:" + _HEX, b"reg.test/shop/web:1@sha256:" + _HEX,
        ),
    ),
    Target(
        "rename-pattern",
        _pattern,
        (
            rb"docker\.io/library/(.*)", rb"([^/]+)/([^/]+)/(?P<rest>.*):(.+)", rb"(a+)+b", rb"(?:a|b)?c{2,3}",
            rb"[]a-c]*\d{,3}", rb"(.*)(.*)x", rb"^(?:a|(b|c)?)?$",
        ),
    ),
    Target(
        "rename-table",
        _name_table,
        (b"nginx:1.25\tweb/nginx:stable\nnginx x # y\n", b"a@sha256:" + _HEX + b" b:1"),
    ),
    Target("digest", _digest, (b"sha256:" + _HEX, b"sha512:" + 2 * _HEX, b"sha256:" + _HEX.upper())),
    Target("platform-choice", _platform_choice, (b"linux/amd64,linux/arm64/v8", b"all", b" ALL ", b",")),
    Target(
        "platform",
        _platform,
        (b"linux/amd64", b"linux/arm/v7", b"Windows/X86_64", b"linux/arm64/v8", b"a/" + b"b" * 5000 + b"/c/d"),
    ),
    Target("size", _size, (b"3900MiB", b"4GB", b"1.5 GiB", b"65536", b"fat32", b"none", b"0.1KB")),
    Target(
        "image-name",
        _image_name,
        (
            b"busybox", b"docker://reg.test/a:1", b"docker-daemon:a:1", b"docker-archive:a.tar:a:1",
            b"docker-archive:a.tar:@0", b"oci:dir", b"oci-archive:a.tar:1", b"bundle:dir:a:1", b"docker-archive:-",
        ),
    ),
    Target(
        "version-range",
        _version_range,
        (b">=1.4 <2", b"^1.2.3-rc.1 || ~0.3", b"1.2 - 3.x", b"!=1.4.*, >0", b"v1.2.3-a.0+b", b"*"),
    ),
    Target(
        "file-name",
        _file_name,
        (b"shop", b"shop.oci.tar", b"shop.oci.tar.001", b"a.b-c_1.oci.tar.1000", b"con.oci.tar", b"nul"),
    ),
    Target(
        "sums",
        _sums,
        tuple(path.read_bytes() for path in sorted(SAMPLES.glob("bundles/v1/*/SHA256SUMS"))),
    ),
)  # fmt: skip
