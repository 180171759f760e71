"""The engines and registries of the tests, started for the benchmark, with their processor time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.measuring import BrokenRun
from tests.servers import pidfiles
from tests.servers.engine import RealEngine
from tests.servers.registry import RealRegistry

_TICKS = os.sysconf("SC_CLK_TCK")


class Engine(RealEngine):
    """An engine that can say how long it and its containerd have worked."""

    def __enter__(self) -> Engine:
        """Start it, see :class:`RealEngine`."""
        super().__enter__()
        return self

    @property
    def directory(self) -> Path:
        """Where all of its state lies."""
        return Path(self.host.removeprefix("unix://")).parent

    @property
    def layers_directory(self) -> Path:
        """What its exports read."""
        return self.directory / "data"

    def cpu_seconds(self) -> float:
        """Return the time of dockerd, of containerd, and of all that they ran and waited for."""
        total = 0.0
        for pid_file in (self.directory / "pid", self.directory / "exec/containerd/containerd.pid"):
            with contextlib.suppress(OSError, ValueError):
                total += process_seconds(int(pid_file.read_text()))
        return total

    def ids(self, names: Sequence[str]) -> list[str]:
        """Return the IDs of images.

        Raises:
            BrokenRun: one is not there.
        """
        absent = [name for name in names if not self.holds(name)]
        if absent:
            raise BrokenRun(f"not in the engine: {', '.join(absent)}")
        return [str(self.facts(name)["Id"]) for name in names]

    def docker(self, *arguments: str) -> str:
        """Run the docker command against it; return what it prints.

        Raises:
            BrokenRun: it failed.
        """
        environment = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0"}
        run = subprocess.run(["docker", *arguments], capture_output=True, text=True, env=environment, check=False)
        if run.returncode:
            raise BrokenRun(f"docker {' '.join(arguments)}: {(run.stdout + run.stderr)[-2000:]}")
        return run.stdout


class Registry(RealRegistry):
    """A registry that can say how long it has worked, and what it holds."""

    def __enter__(self) -> Registry:
        super().__enter__()
        return self

    def cpu_seconds(self) -> float:
        """Return the time of the registry."""
        directory = self.storage.parent
        listed = Path(os.environ[pidfiles.VARIABLE])
        pids = [
            int(file.stem) for file in listed.glob("*.server") if file.read_text().split()[1] == str(directory)
        ]
        return sum(process_seconds(pid) for pid in pids)

    def images(self) -> int:
        """Return how many tags it holds in all."""
        repositories = self._get("_catalog?n=1000")["repositories"]
        return sum(len(self._get(f"{name}/tags/list")["tags"] or ()) for name in repositories)

    def expect(self, count: int) -> None:
        """Check the number of images.

        Raises:
            BrokenRun: it is another one.
        """
        if (found := self.images()) != count:
            raise BrokenRun(f"the registry holds {found} images, not {count}")

    def _get(self, path: str) -> Mapping[str, list[str]]:
        with urllib.request.urlopen(f"http://{self.address}/v2/{path}", timeout=30) as answer:
            return dict(json.load(answer))


class EachTimeEmpty:
    """A registry that is replaced by an empty one before each run.

    Attributes:
        registry: the one that runs; none before the first :meth:`renew`.
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self.registry: Registry | None = None

    @property
    def address(self) -> str:
        """Where the present one listens."""
        assert self.registry is not None
        return self.registry.address

    def renew(self) -> None:
        """Remove the present one with all it holds, and start an empty one."""
        self.stop()
        directory = Path(tempfile.mkdtemp(prefix="registry-", dir=self._work))
        self.registry = Registry(directory)
        self.registry.__enter__()

    def stop(self) -> None:
        """Stop the present one and remove its files."""
        registry, self.registry = self.registry, None
        if registry is not None:
            registry.stop()
            shutil.rmtree(registry.storage.parent, ignore_errors=True)

    def cpu_seconds(self) -> float:
        """Return the time of the present one."""
        return self.registry.cpu_seconds() if self.registry else 0.0

    def expect(self, count: int) -> None:
        """Check the number of images in the present one.

        Raises:
            BrokenRun: it is another one.
        """
        assert self.registry is not None
        self.registry.expect(count)


def process_seconds(pid: int) -> float:
    """Return user and system seconds of a process and of its children that ended (proc(5), stat)."""
    # The name in the second field may hold anything; after its bracket come the fields from the third on.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS
