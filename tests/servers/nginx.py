"""nginx before a registry, as many sites have it: it takes a request whole before it passes it on."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from tests.servers.processes import ServerFailed, ServerProcess
from tests.servers.registry import free_port

PROGRAM = "nginx"
_STARTS = 5
_START_SECONDS = 20.0


class Nginx:
    """A proxy of one's own: a context manager that starts nginx before a registry, and stops it by its pid.

    Attributes:
        address: ``127.0.0.1:PORT``, known once it runs.
    """

    def __init__(self, backend: str, *, largest: str = "0", buffering: bool = True) -> None:
        """Prepare.

        Args:
            backend: The registry's address.
            largest: ``client_max_body_size``: larger requests get a 413 with a page; ``0`` for no limit.
            buffering: ``proxy_request_buffering``; nginx's own default is on.
        """
        self._backend = backend
        self._largest = largest
        self._buffering = "on" if buffering else "off"
        self._directory = Path()
        self._process: ServerProcess | None = None
        self.address = ""

    def __enter__(self) -> Nginx:
        self._directory = Path(tempfile.mkdtemp(prefix="airbundle-registry-nginx-"))
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self) -> None:
        for attempt in range(1, _STARTS + 1):
            self.address = f"127.0.0.1:{free_port()}"
            config = self._directory / "nginx.conf"
            config.write_text(self._config())
            process = ServerProcess([PROGRAM, "-p", str(self._directory), "-c", str(config)], self._directory)
            try:
                # It writes its pid when it has all its ports.
                process.wait_until((self._directory / "pid").exists, _START_SECONDS)
            except ServerFailed:
                if attempt == _STARTS:
                    raise
            else:
                self._process = process
                return

    def _config(self) -> str:
        directory = self._directory
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n".join(f"    {kind}_temp_path {directory}/{kind};" for kind in kinds)
        return f"""
daemon off;
master_process off;
pid {directory}/pid;
error_log stderr;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_max_body_size {self._largest};
    proxy_request_buffering {self._buffering};
{paths}
    server {{
        listen {self.address};
        location / {{
            proxy_pass http://{self._backend};
            proxy_set_header Host $http_host;
            proxy_read_timeout 60s;
        }}
    }}
}}
"""
