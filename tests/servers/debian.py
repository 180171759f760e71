"""Trees of Debian releases, made by debootstrap once and kept in the cache of the tests."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path


class BootstrapFailed(Exception):
    """debootstrap did not make a tree, as without a mirror; the text has the end of its output."""


def cache_directory() -> Path:
    """Return where tests keep what is slow to make; it may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "airbundle-tests")


def why_no_tree() -> str | None:
    """Say what making a tree needs and this machine lacks; ``None`` for nothing."""
    if os.geteuid() != 0:
        return "debootstrap needs root"
    return None if shutil.which("debootstrap") else "debootstrap is not installed"


def debian_tree(suite: str, packages: Sequence[str]) -> Path:
    """Return the directory of a minimal Debian with some packages; the first time this takes a minute.

    Nobody may write there: runs share it.

    Raises:
        BootstrapFailed: there is none in the cache and none can be made.
    """
    kept = cache_directory() / f"{suite}-{'-'.join(sorted(packages))}-{platform.machine()}"
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="making-") as work:
        made = Path(work, "tree")
        include = f"--include={','.join(sorted(packages))}"
        command = ["debootstrap", "--variant=minbase", include, suite, str(made), *_mirror_of_debian()]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise BootstrapFailed(f"debootstrap {suite}: {(run.stdout + run.stderr)[-500:]}")
        for path in [*made.glob("var/cache/apt/archives/*.deb"), *made.glob("var/lib/apt/lists/*_*")]:
            path.unlink()
        try:
            made.rename(kept)
        except OSError:
            # Another run was faster.
            if not kept.is_dir():
                raise
    return kept


def apt_mirror() -> list[str]:
    """Return the mirror that this machine's apt uses, so that a site with a mirror of its own works too."""
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    sites = [line.rstrip("/") for line in output.splitlines() if line.startswith("http")]
    general = [site for site in sites if "security" not in site]
    return general[:1]


def _mirror_of_debian() -> list[str]:
    # Another distribution's mirror has other releases.
    return apt_mirror() if platform.freedesktop_os_release().get("ID") == "debian" else []
