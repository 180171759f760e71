"""A containerd that a test run starts for itself, with its own socket, root and state."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from tests.servers.processes import ServerProcess

_CONFIG = """
version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{directory}/socket"
"""


def why_no_containerd() -> str | None:
    """Say what a containerd of one's own needs and this machine lacks; ``None`` if it can be started."""
    if os.geteuid() != 0:
        return "a containerd of one's own needs root"
    absent = [name for name in ("containerd", "ctr") if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


class RealContainerd:
    """An empty containerd that runs while the context is entered.

    Attributes:
        socket: what ``CONTAINERD_ADDRESS`` must say to reach it.
    """

    def __enter__(self) -> RealContainerd:
        """Start it and wait until it listens.

        Raises:
            ServerFailed: it does not come up.
        """
        # Socket paths have about 100 bytes, and scripts/test removes what is named so.
        self._directory = Path(tempfile.mkdtemp(prefix="abe", dir="/tmp"))
        self.socket = self._directory / "socket"
        config = self._directory / "config.toml"
        config.write_text(_CONFIG.format(directory=self._directory))
        try:
            self._server = ServerProcess(["containerd", "--config", str(config)], self._directory)
            self._server.wait_until(self._listens, seconds=60)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove all that it stored."""
        self._server.stop()
        self._remove()

    def images(self, namespace: str) -> dict[str, str]:
        """Return the digest of each image of a namespace by its name."""
        lines = self._ctr(namespace, "image", "ls").splitlines()[1:]
        return {fields[0]: fields[2] for fields in map(str.split, lines)}

    def complete(self, namespace: str) -> set[str]:
        """Return the names of the images that are there with all their content, for this platform."""
        lines = self._ctr(namespace, "image", "check").splitlines()[1:]
        return {line.split()[0] for line in lines if " complete " in line}

    def _ctr(self, namespace: str, *arguments: str) -> str:
        command = ["ctr", "--address", str(self.socket), "--namespace", namespace, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def _remove(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
