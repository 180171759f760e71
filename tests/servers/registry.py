"""The real distribution registry, on loopback, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.servers.processes import ServerFailed, ServerProcess
from tests.servers.token_service import ISSUER, SERVICE, TokenService

PROGRAM = "docker-registry"
_STARTS = 5
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for ``127.0.0.1`` and ``localhost``, and its key."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, directory: Path) -> Certificate:
        """Make one with openssl in a directory that exists."""
        made = cls(directory / "registry.crt", directory / "registry.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
             "-keyout", str(made.key), "-out", str(made.certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
        return made


class RealRegistry:
    """A registry of one's own: a context manager that starts ``docker-registry`` and stops it by its pid.

    The same directory may be served again later: what was pushed is still there.

    Attributes:
        address: ``127.0.0.1:PORT``, known once it runs.
        plain_http: what clients must be told.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        htpasswd: tuple[str, str] | None = None,
        tokens: TokenService | None = None,
        tls: Certificate | None = None,
        delete: bool = False,
        secret: str | None = None,
        read_only: bool = False,
    ) -> None:
        """Prepare a registry.

        Args:
            directory: For storage, config and log; made if it is not there. Default: one of its own, removed
                at the end.
            htpasswd: User and password that every request must give.
            tokens: Want tokens of this service, which runs.
            tls: Serve HTTPS with this certificate.
            delete: Allow clients to delete.
            secret: ``http.secret``: with one, uploads can be resumed after a restart.
            read_only: Take no pushes, as during maintenance.
        """
        self._given = directory
        self._directory = Path()
        self._htpasswd = htpasswd
        self._tokens = tokens
        self._tls = tls
        self._delete = delete
        self._secret = secret
        self._read_only = read_only
        self._process: ServerProcess | None = None
        self.address = ""
        self.plain_http = tls is None

    @property
    def log(self) -> str:
        """What the registry wrote so far."""
        return (self._directory / "log").read_text(errors="replace")

    @property
    def storage(self) -> Path:
        """Where the registry keeps its files."""
        return self._directory / "storage"

    def __enter__(self) -> RealRegistry:
        self._directory = self._given or Path(tempfile.mkdtemp(prefix="airbundle-registry-"))
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it, and remove a directory of its own; more than once does no harm."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()
        if self._given is None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does; what it stored stays."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()

    def again(self) -> None:
        """Start it again under the same address."""
        (self._directory / "log").rename(self._directory / f"log.{time.monotonic_ns()}")
        self._start(self.address)

    def _start(self, address: str = "") -> None:
        for attempt in range(1, _STARTS + 1):
            self.address = address or f"127.0.0.1:{free_port()}"
            config = self._directory / "config.yml"
            config.write_text(self._config())
            # Variables such as REGISTRY_HTTP_ADDR would override the file.
            environment = {k: v for k, v in os.environ.items() if not k.startswith(("REGISTRY_", "OTEL_"))}
            process = ServerProcess([PROGRAM, "serve", str(config)], self._directory, environment)
            try:
                process.wait_until(self._listens, _START_SECONDS)
            except ServerFailed:
                # Between choosing a free port and the registry taking it, somebody else may have taken it.
                if attempt == _STARTS:
                    raise
            else:
                self._process = process
                return

    def _listens(self) -> bool:
        # Its own word: a connection would also succeed with whoever was faster to take the port.
        return f"listening on {self.address}" in self.log

    def _config(self) -> str:
        lines = [
            "version: 0.1",
            "log: {level: info, accesslog: {disabled: false}}",
            "storage:",
            f"  filesystem: {{rootdirectory: '{self.storage}'}}",
            f"  delete: {{enabled: {str(self._delete).lower()}}}",
            f"  maintenance: {{readonly: {{enabled: {str(self._read_only).lower()}}}}}",
            "http:",
            f"  addr: {self.address}",
        ]
        if self._secret:
            lines.append(f"  secret: '{self._secret}'")
        if self._tls:
            lines.append(f"  tls: {{certificate: '{self._tls.certificate}', key: '{self._tls.key}'}}")
        if self._htpasswd:
            lines.append(f"auth: {{htpasswd: {{realm: test, path: '{self._write_htpasswd()}'}}}}")
        if self._tokens:
            lines.append(
                f"auth: {{token: {{realm: '{self._tokens.realm}', service: {SERVICE}, issuer: {ISSUER}, "
                f"rootcertbundle: '{self._tokens.certificate}'}}}}"
            )
        return "\n".join(lines) + "\n"

    def _write_htpasswd(self) -> Path:
        assert self._htpasswd is not None
        user, password = self._htpasswd
        path = self._directory / "htpasswd"
        # The registry reads bcrypt entries only.
        line = subprocess.run(
            ["htpasswd", "-Bbn", user, password], check=True, capture_output=True, text=True
        ).stdout
        path.write_text(line)
        return path


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
