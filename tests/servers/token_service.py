"""A token service as distribution's specification has it: real JWTs, signed by a key that a registry trusts."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.fakes import http_peers

ISSUER, SERVICE = "tokens.test", "registry.test"


class TokenService:
    """Signs what it is asked for: pulls for everybody, pushes for one user.

    Attributes:
        certificate: of the key, which the registry must trust as ``rootcertbundle``.
        realm: where tokens are fetched.
        expires_in: how long they live, in seconds.
        given: how many were given.
    """

    def __init__(self, directory: Path, password: tuple[str, str]) -> None:
        """Make a key and its certificate in a directory that exists."""
        self.certificate, key = directory / "tokens.crt", directory / "tokens.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", f"/CN={ISSUER}", "-keyout", str(key), "-out", str(self.certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
        loaded = load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded
        self._authorization = "Basic " + base64.b64encode(":".join(password).encode()).decode()
        self.realm = ""
        self.expires_in = 60
        self.given = 0

    @contextmanager
    def serve(self) -> Iterator[TokenService]:
        """Listen on the loopback."""
        with http_peers.serve(lambda peer: self._answer) as peer:
            self.realm = f"http://{peer.address}/token"
            yield self

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        scopes = parse_qs(urlsplit(request.path).query).get("scope", [])
        said = request.headers.get("Authorization", "")
        if said and said != self._authorization:
            http_peers.reply(request, 401, b'{"details": "unknown"}', "application/json")
            return
        access: list[dict[str, object]] = []
        for kind, name, actions in (scope.split(":") for scope in scopes):
            allowed = [action for action in actions.split(",") if said or action == "pull"]
            access.append({"type": kind, "name": name, "actions": allowed})
        self.given += 1
        answer = {"token": self._sign(access), "expires_in": self.expires_in}
        http_peers.reply(request, 200, json.dumps(answer).encode(), "application/json")

    def _sign(self, access: list[dict[str, object]]) -> str:
        now = int(time.time())
        chain = "".join(self.certificate.read_text().splitlines()[1:-1])
        head = {"typ": "JWT", "alg": "ES256", "x5c": [chain]}
        times = {"exp": now + self.expires_in, "nbf": now - 5, "iat": now}
        claims = {"iss": ISSUER, "sub": "", "aud": SERVICE, "jti": secrets.token_hex(8), "access": access, **times}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(SHA256())))
        return f"{text}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
