"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: Programs, and what they answer with a version in it.
_PROGRAMS = {
    "docker": ["dockerd", "--version"],
    "registry": ["docker-registry", "--version"],
    "skopeo": ["skopeo", "--version"],
    "zstd": ["zstd", "--version"],
    "gzip": ["gzip", "--version"],
    "par2": ["par2", "--version"],
    "rsync": ["rsync", "--version"],
    "coreutils": ["sha256sum", "--version"],
    "crane": ["crane", "version"],
    "regctl": ["regctl", "version", "--format", "{{.VCSTag}}"],
    "hauler": ["hauler", "version"],
    "zarf": ["zarf", "version"],
    "oras": ["oras", "version"],
}
_LIBRARIES = ("zstandard", "xxhash", "numpy", "docker", "urllib3")
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")


def description() -> dict[str, str]:
    """Return what matters of this machine, by name, for a reader."""
    libraries = {name: _library(name) for name in _LIBRARIES}
    programs = {name: _program(command) for name, command in _PROGRAMS.items()}
    return {
        "processor": f"{_field('/proc/cpuinfo', 'model name')}, {_cores()} cores, SHA instructions: {_has_sha()}",
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / (1 << 20):.0f} GiB",
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {found}" for name, found in libraries.items() if found),
        "programs": ", ".join(f"{name} {found}" for name, found in programs.items() if found),
    }


def load_average() -> str:
    """Return how many processes wanted to run in the last minute, and the last quarter of an hour."""
    minute, _, quarter = os.getloadavg()
    return f"{minute:.1f} (1 min), {quarter:.1f} (15 min)"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _has_sha() -> str:
    return "yes" if {"sha_ni", "sha2"} & set(_field("/proc/cpuinfo", "(?:flags|Features)").split()) else "no"


def _field(file: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.*)$", Path(file).read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def _library(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _program(command: list[str]) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _VERSION.search(said.stdout + said.stderr)
    return found[0] if found else ""
