"""Bundles whose README.txt is taken at its word: what is in them, and how a line of the text is run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import bundles, layouts
from tests.e2e.command import Airbundle
from tests.readme_text import REGISTRY, SH, commands_in, lines_of
from tests.servers.engine import busybox_layer

ZSTD, GZIP, KEPT = "zstd", "gzip", "kept"
_SHOP, _TOOLS, _ERP = "shop.test:5000/web:1", "shop.test:5000/tools:2", "docker.io/library/erp:1"
MULTI, SBOM, LONE = "kept.test/multi:1", "kept.test/sbom:1", "kept.test/lone:1"


@dataclass(frozen=True)
class Bundle:
    """A bundle, and the home of whoever reads it."""

    path: Path
    home: Path

    @property
    def readme(self) -> str:
        return (self.path / "README.txt").read_text()

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def applications(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The images of each application, as bundle.json describes them."""
        return {
            application["name"]: {image["reference"]: image for image in application["images"]}
            for application in bundles.table(self.path)["applications"]
        }

    def layers(self, image: dict[str, Any]) -> list[str]:
        """Return the DiffIDs of an image that was packed as an engine has it."""
        blobs = bundles.blobs_by_digest(self.path)
        return [blobs[digest]["diff_id"] for digest in image["blobs"] if "diff_id" in blobs[digest]]

    def lines(self, application: str, tool: str) -> list[str]:
        return [line for line in lines_of(self.readme, SH, application) if tool_of(line) == tool]

    def promised(self, what: str) -> list[str]:
        """Return the applications that a line of the text names."""
        found = [line for line in self.readme.splitlines() if line.strip().startswith(what)]
        return found[0].rpartition(": ")[2].rstrip(".").split(", ") if found else []

    @contextmanager
    def joined(self, application: str) -> Iterator[Path]:
        """Join an application's files as the text says, and clean up as it says."""
        archives = set(self.path.glob("*.oci.tar*"))
        if joining := self.lines(application, "join"):
            self.run(*joining)
            (archive,) = self.work.iterdir()
        else:
            (archive,) = (path for path in archives if path.name == f"{application}.oci.tar")
        yield archive
        for line in self.lines(application, "clean"):
            self.run(line)
        assert list(self.work.iterdir()) == []
        assert set(self.path.glob("*.oci.tar*")) == archives

    def run(self, line: str, registry: str = REGISTRY, **environment: str) -> str:
        """Run one command in the bundle's directory, after the one that sets the variables."""
        (first,) = (one.line for one in commands_in(self.readme) if one.section == SH and "WORK=" in one.line)
        script = f"{first.replace(REGISTRY, registry)}\n{line}\n"
        own = {"HOME": str(self.home), "WORK": str(self.work), "TMPDIR": str(self.work)}
        variables = {"PATH": os.environ["PATH"], **own, **environment}
        run = subprocess.run(
            ["sh", "-ec", script], cwd=self.path, env=variables, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
        return run.stdout


def tool_of(line: str) -> str:
    """Say whose line it is."""
    for tool, mark in {
        "convert": "docker-archive:/dev/stdout",
        "skopeo": "skopeo --tmpdir",
        "docker": "docker load",
        "podman": "podman load",
        "ctr": "ctr -n k8s.io",
        "join": ' > "$WORK/',
        "clean": "rm ",
    }.items():
        if mark in line:
            return tool
    raise AssertionError(f"nobody's command: {line}")


def pack_bundles(airbundle: Airbundle, directory: Path) -> dict[str, Bundle]:
    """Pack three bundles: compressed here in either way, and cut; and one that keeps what layouts had, not cut."""
    base = busybox_layer()
    archives: list[str] = []
    for application, name in (("shop", _SHOP), ("shop", _TOOLS), ("erp", _ERP)):
        path = directory / f"{len(archives)}.tar"
        layouts.write_docker_archive(path, name, [base, layouts.layer(name, 50_000)])
        archives.append(f"{application}=docker-archive:{path}")
    cut = ("--part-size", "256KiB")
    for kind in (ZSTD, GZIP):
        airbundle("pack", *archives, "-o", directory / kind, "--compression", kind, *cut)
    kept = [
        f"{name}=oci:{layouts.write_layout(directory / name, images)}"
        for name, images in _kept_images(base).items()
    ]
    airbundle("pack", *kept, "--platform", "all", "-o", directory / KEPT)
    home = _home(directory / "home")
    return {kind: Bundle(directory / kind, home) for kind in (ZSTD, GZIP, KEPT)}


def _kept_images(base: bytes) -> dict[str, dict[str, layouts.Image]]:
    """Return the images of three applications: one alone, several platforms with a referrer, and pinned ones.

    What is signed comes with its signature, which is no image of its own.
    """
    both = ("amd64", "arm64")
    multi = layouts.index_of(
        {name: layouts.Image.of(base, layouts.layer(name, 9_000), architecture=name) for name in both}
    )
    pins = [layouts.Image.of(base, layouts.layer(name, 7_000)) for name in ("x", "y")]
    lone = layouts.Image.of(layouts.layer("lone", 5_000))
    # Of each application its own: what two share would lie in the archive of both.
    signatures = [layouts.signature(payload, "c2lnbmVk") for payload in (b'{"lone": 1}', b'{"x": 1}')]
    return {
        "lone": {LONE: lone, f"kept.test/lone:{layouts.cosign_tag(lone)}": signatures[0]},
        "mixed": {MULTI: multi, SBOM: layouts.artifact(b'{"sbom": 1}', multi.manifest)},
        "pins": {
            f"kept.test/x@{pins[0].manifest['digest']}": pins[0],
            f"kept.test/y:7@{pins[1].manifest['digest']}": pins[1],
            f"kept.test/x:{layouts.cosign_tag(pins[0])}": signatures[1],
        },
    }


def _home(home: Path) -> Path:
    """Make a home whose skopeo and podman trust everybody, as a fresh system's may not, and store all below it."""
    config = home / ".config/containers"
    config.mkdir(parents=True)
    (home / "work").mkdir()
    (config / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (home / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{home}/storage"\nrunroot = "{home}/run"\n'
    )
    (home / "containers.conf").write_text(
        f'[engine]\ntmp_dir = "{home}/tmp"\nstatic_dir = "{home}/static"\nvolume_path = "{home}/volumes"\n'
        'events_logger = "none"\nlock_type = "file"\n'
    )
    return home
