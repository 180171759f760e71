"""Which proxy a URL goes through: Go's rules, row by row."""

from __future__ import annotations

import pytest

from bundler.errors import ConfigError
from bundler.transports.registry.access.proxies import Proxies

BOTH = {"HTTP_PROXY": "http://plain.test:3128", "HTTPS_PROXY": "secure.test:3129"}


@pytest.mark.parametrize(
    ("no_proxy", "url", "goes_by_proxy"),
    [
        ("", "https://reg.test/v2/", True),
        ("", "https://localhost:5000/", False),
        ("", "https://127.8.0.1:5000/", False),
        ("", "http://[::1]:5000/", False),
        ("*", "https://reg.test/", False),
        ("reg.test", "https://reg.test:5000/", False),
        ("reg.test", "https://a.reg.test/", False),
        ("reg.test", "https://myreg.test/", True),
        ("REG.test , x", "https://reg.TEST/", False),
        (".reg.test", "https://reg.test/", True),
        (".reg.test", "https://a.reg.test/", False),
        ("*.reg.test", "https://a.b.reg.test/", False),
        ("*.reg.test", "https://reg.test/", True),
        ("reg.test:443", "https://reg.test/", False),
        ("reg.test:443", "https://reg.test:5000/", True),
        ("10.0.0.0/8", "https://10.1.2.3/", False),
        ("10.0.0.0/8", "https://11.1.2.3/", True),
        ("10.0.0.0/99", "https://10.1.2.3/", True),
        ("10.1.2.3", "https://10.1.2.3:5000/", False),
        ("10.1.2.3:80", "https://10.1.2.3:5000/", True),
        ("[fd00::1]:5000", "https://[fd00::1]:5000/", False),
        ("fd00::/8", "https://[fd00::1]/", False),
        (":80,,/,", "http://reg.test/", True),
    ],
)
def test_exceptions(no_proxy: str, url: str, goes_by_proxy: bool) -> None:
    proxies = Proxies.from_environment({**BOTH, "NO_PROXY": no_proxy})
    assert (proxies.proxy_for(url) is not None) == goes_by_proxy


def test_each_scheme_has_its_own() -> None:
    proxies = Proxies.from_environment(BOTH)
    assert proxies.proxy_for("http://reg.test/") == "http://plain.test:3128"
    assert proxies.proxy_for("https://reg.test/") == "http://secure.test:3129"
    assert Proxies.from_environment({"http_proxy": "x.test:1"}).proxy_for("http://reg.test/") == "http://x.test:1"
    assert Proxies.from_environment({**BOTH, "REQUEST_METHOD": "GET"}).http == ""


@pytest.mark.parametrize(
    "text", ["socks5://user:word@x.test:1", "http://", "http://user:word@x.test:port", "ftp://x"]
)
def test_one_that_cannot_be_used_is_said_without_its_password(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Proxies.from_environment({"HTTPS_PROXY": text})
    assert "HTTPS_PROXY" in str(caught.value)
    assert "word" not in f"{caught.value}{caught.value.advice}"


def test_passwords_are_not_shown() -> None:
    assert "word" not in repr(Proxies.from_environment({"HTTPS_PROXY": "http://user:word@x.test"}))
