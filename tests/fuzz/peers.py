"""Targets: what registries and engines answer, and what lies on the disk of whoever talks to them."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bundler.errors import (
    AirbundleError,
    ConfigError,
    DamagedContent,
    MalformedDocument,
    NoSpace,
    PolicyRefused,
    ProtocolError,
    Refused,
    SignatureRefused,
    UsageError,
)
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, parse_json
from bundler.sources.index_referrers import IndexReferrers
from bundler.transports.engine.containers import tail_of_output
from bundler.transports.engine.facts import parse_available, parse_engine_image, parse_engine_info, parse_image_ids
from bundler.transports.engine.load_answer import read_load_answer
from bundler.transports.registry.access.auth_files import HelperEntry, parse_auth_file
from bundler.transports.registry.access.mirrors import parse_docker_mirrors
from bundler.transports.registry.access.registries_conf import joined, parse_registries_conf
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.answered import Signs, answer_behind
from bundler.transports.registry.answers import failure
from bundler.transports.registry.blobs import range_start
from bundler.transports.registry.challenges import parse_challenges
from bundler.transports.registry.credentials import Credentials
from bundler.transports.registry.products.explaining import EXPLANATIONS
from bundler.transports.registry.products.forms import explain_form
from bundler.transports.registry.products.recognise import product_of
from bundler.transports.registry.products.refusals import Refusal
from bundler.transports.registry.rate_limits import parse_rate_limit
from bundler.transports.registry.referrers import SchemaIndex, extended_index, parse_next_link, parse_referrers
from bundler.transports.registry.retries import parse_retry_after
from bundler.transports.registry.upload.protocol import received_bytes
from bundler.transports.registry.upload.saved import SavedState, parse_saved_state
from bundler.transports.registry.wire import Answer
from bundler.transports.saved_index import index_entries
from bundler.trust.signatures import verify_signature
from tests.fakes.memory import MemorySource
from tests.fuzz.target import LIMITS, Target, attempt, scratch

_ID = "sha256:" + "0" * 64
_HOME = "https://reg.test:5000/v2/a/blobs/uploads/1"
_STATUSES = (200, 301, 400, 401, 403, 404, 413, 416, 418, 429, 500, 503)


def _header_text(data: bytes) -> str:
    # As http.client hands headers on.
    return data.decode("latin-1")


def _challenges(data: bytes) -> None:
    for challenge in parse_challenges(_header_text(line) for line in data.split(b"\n")):
        assert challenge.scheme == challenge.scheme.lower()
        assert all(name == name.lower() for name in challenge.parameters)
        product_of(Signs(_header_text(data), (challenge,)))


def _location(data: bytes) -> None:
    for plain_http in (False, True):
        address = RegistryAddress("reg.test:5000", plain_http)
        for lead in (address.redirected, address.upload_location):
            url = attempt(lambda lead=lead: lead(_HOME, _header_text(data)), ProtocolError)  # type: ignore[misc]
            if url == ProtocolError.code:
                continue
            assert url.startswith(("http://", "https://"))
            assert plain_http or url.startswith("https://")
            # Credentials go where this is true: nowhere but to the registry itself.
            if address.owns(url):
                parsed = attempt(lambda url=url: _parsed(url), ProtocolError)  # type: ignore[misc]
                assert isinstance(parsed, str) or (parsed.host, parsed.port) == ("reg.test", 5000)


def _parsed(url: str) -> urllib3.util.Url:
    try:
        return urllib3.util.parse_url(url)
    except urllib3.exceptions.HTTPError as error:
        raise ProtocolError(str(error)) from error


def _ranges(data: bytes) -> None:
    text = _header_text(data)
    for found in (received_bytes(text), range_start(text)):
        assert found is None or 0 <= found <= 10**19


def _error_body(data: bytes) -> None:
    status = _STATUSES[data[0] % len(_STATUSES)] if data else 500
    response = urllib3.HTTPResponse(io.BytesIO(data[1:]), {}, status, preload_content=False)
    error = failure(
        Answer("PUT", _HOME.replace("blobs/uploads", "manifests"), response, "reg.test:5000"), LIMITS, "asking"
    )
    assert type(error) is not AirbundleError
    assert error.message.isprintable()
    assert len(error.message) < 1000
    answered = answer_behind(error)
    assert answered is not None
    assert all(text.isprintable() for text in (answered.words, *answered.codes))
    refusal = Refusal("shop/web", "1", writing=True, answered=answered)
    for explain in (*EXPLANATIONS.values(), explain_form):
        found = explain(refusal)
        assert found is None or (found.text + found.advice).isprintable()


def _load_answer(data: bytes) -> None:
    def read(step: int) -> tuple[str, ...] | str:
        pieces = [data[start : start + step] for start in range(0, len(data), step)]
        return attempt(lambda: read_load_answer(pieces, "loading"), Refused, NoSpace, ProtocolError)

    whole = read(len(data) or 1)
    assert read(1) == whole == read(13)
    assert isinstance(whole, str) or all(text.isprintable() for text in whole)


def _container_output(data: bytes) -> None:
    limits = replace(LIMITS, smoke_output_bytes=64)

    def read(step: int) -> bytes:
        return tail_of_output([data[start : start + step] for start in range(0, len(data), step)], limits)

    whole = read(len(data) or 1)
    assert read(1) == whole == read(13)
    assert len(whole) <= 64


def _engine(data: bytes) -> None:
    def document(raw: bytes) -> object:
        return parse_json(raw, "the engine's answer", limit=16 << 10, limits=LIMITS)

    first, _, second = data.partition(b"\n")
    some = Digest.from_hex("0" * 64)
    attempt(lambda: parse_engine_info(document(first), document(second or first)), MalformedDocument)
    attempt(lambda: parse_engine_image(document(first)), MalformedDocument)
    attempt(lambda: parse_image_ids(document(first)), MalformedDocument)
    attempt(lambda: parse_available(document(first), some), MalformedDocument)


_LISTED_BY = MemorySource()
_SUBJECT = _LISTED_BY.make_image([b""], "x/a:1")
_SBOM = _LISTED_BY.make_referrer(b"sbom", _SUBJECT.tree.root)
_SIGNED_BY = _LISTED_BY.make_signature(_SUBJECT.tree.root)


def _referrers(data: bytes) -> None:
    """The first line is a header ``Link``, the rest a list: of a registry, and the table of a layout."""
    header, _, raw = data.partition(b"\n")
    link = parse_next_link(_header_text(header))
    assert link is None or link in _header_text(header)
    found = attempt(lambda: parse_referrers(raw, LIMITS), MalformedDocument)
    if isinstance(found, tuple):
        digests = [entry.digest for entry in found]
        assert len(set(digests)) == len(digests) <= LIMITS.referrers
        index = SchemaIndex(raw, _SBOM.digest, found)
        extended = parse_referrers(extended_index(index, [_SBOM.listing()]))
        assert extended is not None
        assert {*digests, _SBOM.digest} == {entry.digest for entry in extended}
    entries = attempt(lambda: index_entries(raw, LIMITS), MalformedDocument)
    if isinstance(entries, tuple):
        held = _LISTED_BY.blobs
        finder = IndexReferrers(
            entries, lambda wanted: held.get(wanted.digest), lambda wanted: wanted.digest in held, LIMITS
        )
        here = attempt(lambda: finder.of(_SUBJECT.tree), DamagedContent)
        assert isinstance(here, str) or all(one.subject == _SUBJECT.tree.root.digest for one in here.found)
        assert all(isinstance(finder.is_no_image(entry), bool) for entry in entries)


_LINK = b'</v2/a/referrers/x?last=b>; rel="next"\n'
_LIST = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
_ENTRIES: tuple[list[Descriptor], ...] = ([_SBOM.listing()], [_SBOM.entry(), _SIGNED_BY.entry()], [])


def _credentials(data: bytes) -> None:
    path = Path("config.json")
    said = attempt(lambda: parse_auth_file(data, path, LIMITS), ConfigError)
    if isinstance(said, str):
        return
    for registry, repository in (("reg.test:5000", "a/b"), ("docker.io", "library/a")):
        found = attempt(lambda r=registry, n=repository: list(said.find(r, n)), ConfigError)  # type: ignore[misc]
        assert isinstance(found, str) or all(isinstance(one, (Credentials, HelperEntry)) for one in found)


def _registries_conf(data: bytes) -> None:
    path = Path("registries.conf")
    conf = attempt(lambda: joined([(path, parse_registries_conf(data, path))]), ConfigError)
    if isinstance(conf, str):
        return
    for name in ("busybox", "reg.test/a/b:1", f"sub.reg.test:5000/a@{_ID}"):
        attempt(lambda name=name: conf.routes(conf.expand(name)), ConfigError, PolicyRefused)  # type: ignore[misc]


def _docker_mirrors(data: bytes) -> None:
    mirrors = attempt(lambda: parse_docker_mirrors(data, Path("daemon.json"), LIMITS), ConfigError)
    for mirror in () if isinstance(mirrors, str) else mirrors:
        assert RegistryAddress.parse(mirror.registry).name == mirror.registry


def _rate_limit(data: bytes) -> None:
    remaining, limit, reset = [*_header_text(data).split("\n"), "", "", ""][:3]
    said = {"RateLimit-Remaining": remaining, "RateLimit-Limit": limit, "X-RateLimit-Reset": reset}
    found = parse_rate_limit(lambda name: said.get(name, remaining), now=1e9)
    if found is not None:
        assert found.remaining >= 0
        assert str(found).isprintable()
        assert found.reset_seconds is None or found.reset_seconds >= 0


_KEY = ec.derive_private_key(0x5EED, ec.SECP256R1())
_PEM = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
_SIGNED = b"bundle.json"
_SIGNATURE = base64.b64encode(_KEY.sign(_SIGNED, ec.ECDSA(SHA256())))


def _signature(data: bytes) -> None:
    right, given = scratch() / "right.pub", scratch() / "given.pub"
    right.write_bytes(_PEM)
    given.write_bytes(data)
    attempt(lambda: verify_signature(_SIGNED, data, right), SignatureRefused)
    attempt(lambda: verify_signature(_SIGNED, _SIGNATURE, given), SignatureRefused, UsageError)


def _retry_after(data: bytes) -> None:
    seconds = parse_retry_after(_header_text(data))
    assert seconds is None or seconds >= 0


def _saved_upload(data: bytes) -> None:
    found = attempt(lambda: parse_saved_state(data), MalformedDocument)
    if isinstance(found, SavedState):
        assert 0 <= found.offset < 1 << 62
        assert found.location.startswith(("http://", "https://"))
        assert found.location.isprintable()


_VERSION = {"Version": "20.10.24+dfsg1", "Os": "linux", "Arch": "amd64", "Components": [{"Name": "Engine"}]}
_INFO = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
_IMAGE = {"Id": _ID, "Os": "linux", "Architecture": "amd64", "Size": 5, "RepoTags": ["a:1"], "RepoDigests": None,
          "RootFS": {"Type": "layers", "Layers": [_ID]}}  # fmt: skip
_LISTED = [{"Id": _ID, "Manifests": [{"Descriptor": {"digest": _ID}, "Available": True}]}]
_AUTHS = {"auths": {"reg.test:5000": {"auth": base64.b64encode(b"user:password").decode()}}}

TARGETS = (
    Target(
        "challenges",
        _challenges,
        (b'Bearer realm="https://auth.test/token",service="reg.test",scope="repository:a/b:pull"',
         b'Basic realm="a \\"b\\""', b'BASIC\nBearer realm=x, a=b'),
    ),
    Target(
        "location",
        _location,
        (b"/v2/a/blobs/uploads/1?_state=x", b"https://reg.test:5000/v2/", b"http://other.test/x", b"?d=1",
         b"//h/x", b"https://user:pw@reg.test:5000/", b"https://[::1]:5000/x", b"ftp://x"),
    ),
    Target("ranges", _ranges, (b"0-1048575", b"bytes=0-9", b"bytes 5-9/10", b"bytes 0-0/*", b"0-0")),
    Target(
        "error-body",
        _error_body,
        (b'\3{"errors":[{"code":"DENIED","message":"no","detail":"x"},{"code":"B"}]}', b"\5<p>no</p>", b"\6"),
    ),
    Target(
        "load-answer",
        _load_answer,
        (b'{"stream":"Loaded image: a:1\\n"}\r\n{"stream":"x"}\n', b'{"errorDetail":{"message":"no"}}\n',
         b'{"status":"x","progressDetail":{}}\n\n'),
    ),
    Target(
        "container-output",
        _container_output,
        (b"\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\2de", b"text without frames", b"\1\0\0"),
    ),
    Target(
        "engine",
        _engine,
        (
            *(json.dumps(value).encode() for value in (_VERSION, _IMAGE, _LISTED)),
            json.dumps(_VERSION).encode() + b"\n" + json.dumps(_INFO).encode(),
        ),
    ),
    Target(
        "credentials",
        _credentials,
        tuple(json.dumps(value).encode() for value in (
            _AUTHS, {**_AUTHS, "credsStore": "none"}, {"credHelpers": {"reg.test:5000": "none"}},
            {"auths": {"docker.io": {"identitytoken": "t", "auth": ""}}},
            {"auths": {"reg.test:5000/a": {"auth": "eDp5"}}},
        )),
    ),
    Target(
        "registries-conf",
        _registries_conf,
        (b'[[registry]]\nprefix = "reg.test/a"\nlocation = "m.test/x"\n[[registry.mirror]]\nlocation = "n.test"\n'
         b'pull-from-mirror = "tag-only"\n', b'[[registry]]\nprefix = "*.reg.test:5000"\nblocked = true\n',
         b'[aliases]\n"busybox" = "docker.io/library/busybox"\n'),
    ),
    Target(
        "docker-mirrors",
        _docker_mirrors,
        (b'{"registry-mirrors": ["https://m.test:5000/", "http://localhost"]}', b'{"registry-mirrors": null}'),
    ),
    Target("rate-limit", _rate_limit, (b"76;w=21600\n100;w=21600", b"0\n100, 100;w=60\n1700000000", b"5")),
    Target(
        "retry-after",
        _retry_after,
        (b"120", b"Fri, 06 Nov 2026 12:00:00 GMT", b"Friday, 06-Nov-26 12:00:00 GMT", b"Fri Nov  6 12:00:00 2026"),
    ),
    Target(
        "saved-upload",
        _saved_upload,
        (json.dumps({"registry": "reg.test:5000", "repository": "a/b", "digest": _ID, "offset": 5,
                     "location": "https://reg.test:5000/v2/a/b/blobs/uploads/1?_state=x"}).encode(),),
    ),
    Target(
        "referrers",
        _referrers,
        (*(_LINK + canonical_json({**_LIST, "manifests": entries}) for entries in _ENTRIES), b"\n[]", b"<a>"),
    ),
    Target("signature", _signature, (_SIGNATURE, _PEM, _SIGNATURE + b"\n")),
)  # fmt: skip
