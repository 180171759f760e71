"""A Docker engine that a test run starts for itself and removes without a trace.

Needs root and ``dockerd``. It has no bridge and no packet filter rules, so that it may run beside the system's
own engine and beside others of its kind: containers have the host's network or none.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from tests.servers.processes import ServerProcess, kill_recorded

_PROBE = "airbundle.test/probe:1"


def why_no_engine() -> str | None:
    """Say what an engine of one's own needs and this machine lacks; ``None`` if it can be started."""
    if os.geteuid() != 0:
        return "a Docker engine of one's own needs root"
    if shutil.which("dockerd") is None:
        return "dockerd is not installed"
    return None


class RealEngine:
    """An engine of its own, empty at first, that runs while the context is entered.

    Attributes:
        host: what ``DOCKER_HOST`` must say to reach it.
        client: an SDK client for it.
    """

    def __init__(self, settings: Mapping[str, object] | None = None) -> None:
        """Prepare an engine.

        Args:
            settings: The content of its ``daemon.json``; the system's own one is not read.
        """
        self._settings = dict(settings or {})

    def __enter__(self) -> RealEngine:
        """Start it and wait until it answers.

        Raises:
            ServerFailed: it does not come up.
        """
        # Socket paths have about 100 bytes; pytest's own temporary directories may be longer than that.
        self._directory = Path(tempfile.mkdtemp(prefix="abe", dir="/tmp"))
        self.host = f"unix://{self._directory}/docker.sock"
        self.client = docker.DockerClient(base_url=self.host, version="1.40", timeout=600)
        (self._directory / "daemon.json").write_text(json.dumps(self._settings))
        try:
            self._server = ServerProcess(self._command(), self._directory)
            self._server.wait_until(self._answers, seconds=60)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, whatever it is doing, and remove all that it stored."""
        self._server.stop()
        self._remove()

    def kill(self) -> None:
        """End it in the middle of whatever it does; what it stored stays for :meth:`restart`."""
        self._server.kill()
        self._kill_containerd()

    def restart(self) -> None:
        """Start it again after :meth:`kill`, and wait until it answers.

        Raises:
            ServerFailed: it does not come up.
        """
        self._server = ServerProcess(self._command(), self._directory)
        self._server.wait_until(self._answers, seconds=60)

    @property
    def unpacking(self) -> int:
        """How many bytes of an archive that is being loaded it has put aside so far."""
        total = 0
        # Passes over what is removed meanwhile.
        for directory, _, files in os.walk(self._directory / "data" / "tmp"):
            for file in files:
                with contextlib.suppress(FileNotFoundError):
                    total += Path(directory, file).stat().st_size
        return total

    @cached_property
    def can_run(self) -> bool:
        """Whether containers can be started here; tried once, with an image that is removed again."""
        import_busybox(self.client, _PROBE)
        try:
            output = self.client.containers.run(_PROBE, ["echo", "it runs"], network_mode="none", remove=True)
        except DockerException:
            return False
        finally:
            self.client.images.remove(_PROBE, force=True)
        return bool(output.strip() == b"it runs")

    @property
    def version(self) -> tuple[int, ...]:
        """Major and minor release, such as ``(20, 10)``."""
        return tuple(int(field) for field in self.client.version()["Version"].split(".")[:2])

    @property
    def keeps_digests(self) -> bool:
        """Whether its store is containerd's, which keeps manifests and compressed layers."""
        return "io.containerd.snapshotter.v1" in str(self.client.info().get("DriverStatus"))

    def facts(self, name: str) -> dict[str, Any]:
        """Return what the engine's inspect says of an image.

        Raises:
            docker.errors.ImageNotFound: there is none of this name.
        """
        return dict(self.client.images.get(name).attrs)

    def layers(self, name: str) -> list[str]:
        """Return the DiffIDs of an image, bottom first."""
        return list(self.facts(name)["RootFS"]["Layers"])

    def holds(self, name: str) -> bool:
        """Tell whether the engine knows an image by this name."""
        try:
            self.facts(name)
        except ImageNotFound:
            return False
        return True

    def run(self, image: str, command: list[str] | None) -> str:
        """Run a container (its own command for ``None``) without network; return its standard output.

        Raises:
            docker.errors.DockerException: it cannot be started, or ends with another status than 0.
        """
        output: bytes = self.client.containers.run(image, command, network_mode="none", remove=True)
        return output.decode()

    def empty(self) -> None:
        """Remove all images.

        One that another was built on cannot go before that one, and images of one second come in any order: what
        is refused is asked for again, as long as something goes.
        """
        before = -1
        while images := self.client.images.list(all=True):
            assert len(images) != before, f"these images cannot be removed: {images}"
            before = len(images)
            for image in images:
                try:
                    self.client.images.remove(str(image.id), force=True)
                except (ImageNotFound, APIError) as error:
                    if error.status_code not in (404, 409):
                        raise

    def _command(self) -> list[str]:
        state = self._directory
        # A namespace must not end with an underscore, or have two in a row; a temporary name may.
        space = state.name.replace("_", "0")
        return [
            "dockerd",
            *("--data-root", f"{state}/data", "--exec-root", f"{state}/exec", "--pidfile", f"{state}/pid"),
            *("--config-file", f"{state}/daemon.json"),
            *("--host", self.host, "--bridge=none", "--iptables=false", "--shutdown-timeout", "5"),
            # Where the system's containerd runs, dockerd uses that one: engines must not meet in one namespace.
            *("--containerd-namespace", space, "--containerd-plugins-namespace", f"{space}-plugins"),
        ]

    def _answers(self) -> bool:
        # A bare connection first: the SDK leaves a socket behind for each that fails.
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(f"{self._directory}/docker.sock"):
                return False
        try:
            return bool(self.client.ping())
        except (DockerException, RequestException):
            return False

    def _kill_containerd(self) -> None:
        recorded = self._directory / "exec/containerd/containerd.pid"
        kill_recorded(recorded, self._directory)
        # Where nobody buries it, the next dockerd would wait for the dead.
        recorded.unlink(missing_ok=True)

    def _remove(self) -> None:
        self.client.close()
        self._kill_containerd()
        for mounted in reversed(_mounts_below(self._directory)):
            subprocess.run(["umount", "--lazy", mounted], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self._directory, ignore_errors=True)


def import_busybox(client: docker.DockerClient, name: str) -> None:
    """Make an image of one layer that holds the machine's static busybox, and runs its shell."""
    repository, _, tag = name.rpartition(":")
    client.api.import_image_from_data(
        busybox_layer(), repository=repository, tag=tag, changes=['CMD ["sh"]', "ENV PATH=/bin"]
    )


def busybox_layer() -> bytes:
    """Return a layer with the machine's static busybox and a few of its names."""
    busybox = Path(shutil.which("busybox", path="/bin:/usr/bin") or "/bin/busybox").read_bytes()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo("bin/busybox")
        member.size, member.mode = len(busybox), 0o755
        tar.addfile(member, io.BytesIO(busybox))
        for applet in ("sh", "echo", "cat", "true"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return archive.getvalue()


def _mounts_below(directory: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{directory}/")]
