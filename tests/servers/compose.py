"""`docker compose`, to compare with: the machine's own, or Debian's package unpacked in the cache of the tests."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.servers.debian import apt_mirror, cache_directory

_SUITE = "trixie"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"


@cache
def compose_command() -> list[str] | None:
    """Return how `docker compose` is called here; ``None`` if there is none and none can be had."""
    for program, *more in (["docker", "compose"], ["docker-compose"]):
        found = shutil.which(program)
        if found and _version([found, *more]) is not None:
            return [found, *more]
    unpacked = _unpacked()
    return [str(unpacked)] if unpacked is not None and _version([str(unpacked)]) is not None else None


@cache
def compose_version() -> tuple[int, ...]:
    """Return the version, such as ``(2, 26, 1)``."""
    command = compose_command()
    return (command and _version(command)) or ()


def _version(command: list[str]) -> tuple[int, ...] | None:
    try:
        run = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", run.stdout.strip())
    version = tuple(int(number) for number in match.groups()) if match and not run.returncode else None
    # The first program of this name, in Python, knew another language.
    return version if version and version >= (2, 20) else None


def _unpacked() -> Path | None:
    """Unpack Debian's package beside the other things that tests keep; it is not installed."""
    kept = cache_directory() / f"docker-compose-{_SUITE}"
    if (kept / _PLUGIN).is_file():
        return kept / _PLUGIN
    mirror = apt_mirror()
    if not mirror or not shutil.which("apt-get") or not _KEYRING.is_file():
        return None
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="making-") as work:
        tree = _fetched(Path(work), mirror[0])
        if tree is not None and not kept.is_dir():
            # Another run may be faster still; then its tree is as good.
            with contextlib.suppress(OSError):
                tree.rename(kept)
    return kept / _PLUGIN if (kept / _PLUGIN).is_file() else None


def _fetched(work: Path, mirror: str) -> Path | None:
    """Return a directory in which the package is unpacked; ``None`` if the mirror does not give it."""
    for name in ("lists/partial", "archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirror} {_SUITE} main\n")
    options = [
        f"Dir::Etc::sourcelist={work}/sources.list", "Dir::Etc::sourceparts=-", f"Dir::State::lists={work}/lists",
        f"Dir::Cache={work}", f"Dir::Cache::archives={work}/archives", "APT::Sandbox::User=root",
    ]  # fmt: skip
    apt = ["apt-get", *(word for option in options for word in ("-o", option)), "-qq"]
    for command in ([*apt, "update"], [*apt, "download", "docker-compose"]):
        if subprocess.run(command, cwd=work, capture_output=True, check=False).returncode:
            return None
    (package,) = work.glob("docker-compose_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, work / "tree"], check=True)
    return work / "tree"
