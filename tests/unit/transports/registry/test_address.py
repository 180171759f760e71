from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import InvalidReference, ProtocolError
from bundler.transports.registry.address import RegistryAddress

HTTPS = RegistryAddress.parse("reg.test:5000")
PLAIN = RegistryAddress.parse("reg.test:5000", plain_http=True)
ASKED = "https://reg.test:5000/v2/a/blobs/uploads/"


def test_docker_hub_answers_elsewhere_and_never_in_plain_http() -> None:
    hub = RegistryAddress.parse("docker.io", plain_http=True)
    assert hub.origin == "https://registry-1.docker.io"


@pytest.mark.parametrize("text", ["localhost", "reg.test", "reg:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_registries_are_recognised_by_dockers_rule(text: str) -> None:
    assert RegistryAddress.parse(text).origin == f"https://{text}"
    assert RegistryAddress.parse(text, plain_http=True).origin == f"http://{text}"


@pytest.mark.parametrize("text", ["registry", "", "a/b", "http://reg.test", "reg test", "reg.test:99999999"])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        RegistryAddress.parse(text)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/v2/a/blobs/uploads/1?s=x", "https://reg.test:5000/v2/a/blobs/uploads/1?s=x"),
        ("1?s=x", "https://reg.test:5000/v2/a/blobs/uploads/1?s=x"),
        ("http://reg.test:5000/v2/a/blobs/uploads/1", "https://reg.test:5000/v2/a/blobs/uploads/1"),
        ("http://inner:80/v2/a/blobs/uploads/1?s=x", "https://reg.test:5000/v2/a/blobs/uploads/1?s=x"),
        ("http://reg.test:5000/other/1", "https://reg.test:5000/other/1"),
        ("https://uploads.test/1", "https://uploads.test/1"),
    ],
)
def test_an_upload_goes_on_at_our_own_scheme_and_host(location: str, expected: str) -> None:
    assert HTTPS.upload_location(ASKED, location) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/storage/1", "https://reg.test:5000/storage/1"),
        ("http://reg.test:5000/storage/1", "https://reg.test:5000/storage/1"),
        ("https://s3.test/v2/1", "https://s3.test/v2/1"),
    ],
)
def test_a_redirect_to_our_own_host_keeps_https(location: str, expected: str) -> None:
    assert HTTPS.redirected(ASKED, location) == expected


@pytest.mark.parametrize("location", ["http://s3.test/1", "file:///etc/passwd", "ftp://s3.test/1", "//[broken"])
def test_nothing_leads_out_of_https(location: str) -> None:
    for follow in (HTTPS.redirected, HTTPS.upload_location):
        with pytest.raises(ProtocolError):
            follow(ASKED, location)


def test_a_plain_registry_that_leads_to_https_is_explained() -> None:
    with pytest.raises(ProtocolError) as caught:
        PLAIN.redirected("http://reg.test:5000/v2/", "https://reg.test:5000/v2/")
    assert "--plain-http" in caught.value.advice


@pytest.mark.parametrize(
    ("url", "owned"),
    [
        ("https://reg.test:5000/v2/", True),
        ("https://REG.test:5000/v2/", True),
        ("http://reg.test:5000/v2/", False),
        ("https://reg.test/v2/", False),
        ("https://reg.test:5001/v2/", False),
        ("https://reg.test.evil:5000/", False),
        ("https://user@reg.test:5000/", False),
    ],
)
def test_credentials_belong_to_one_origin(url: str, owned: bool) -> None:
    assert HTTPS.owns(url) is owned


def test_a_default_port_is_the_same_origin_written_or_not() -> None:
    assert RegistryAddress.parse("reg.test").owns("https://reg.test:443/")
    assert RegistryAddress.parse("reg.test:443").owns("https://reg.test/")


@given(st.text(max_size=60))
def test_a_location_is_our_host_or_https_or_refused(location: str) -> None:
    try:
        url = HTTPS.upload_location(ASKED, location)
    except ProtocolError:
        return
    assert url.startswith("https://")
