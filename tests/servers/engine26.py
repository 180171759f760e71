"""Engine 26, whose store is either the classic one or containerd's.

Where the machine's own dockerd is new enough, it is that one. Elsewhere it comes from a Debian 13 in the cache of
the tests, and runs in a mount namespace whose root is that tree: the kernel drops all its mounts when the last
process in it ends. Its state lies where that of every other engine of the tests lies, under the same name inside
and outside of the namespace.
"""

from __future__ import annotations

import re
import shutil
import subprocess

from tests.servers.debian import BootstrapFailed, debian_tree, why_no_tree
from tests.servers.engine import RealEngine, why_no_engine

_SUITE, _PACKAGES = "trixie", ("docker.io", "iptables")
#: The first release of which each store can be had by the same setting.
_OLDEST = 25

# A chroot is not enough: loading an image remounts the root, which must be a mount point.
_ENTER = """
set -eu
tree=$1 state=$2
shift 2
mount --make-rprivate /
mount --bind "$tree" "$tree"
mount -o remount,bind,ro "$tree"
cd "$tree"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p "./$state"
mount --bind "$state" "./$state"
pivot_root . mnt
cd /
umount -l /mnt
exec "$@"
"""


class Engine26(RealEngine):
    """An engine of release 26, or of the machine's own one if that is newer than 25."""

    def __init__(self, *, containerd_store: bool) -> None:
        """Prepare it with one of its two stores."""
        super().__init__({"features": {"containerd-snapshotter": containerd_store}})
        self._tree = None if _own_release() >= _OLDEST else debian_tree(_SUITE, _PACKAGES)

    def _command(self) -> list[str]:
        command = super()._command()
        if self._tree is None:
            return command
        return [
            "unshare",
            "--mount",
            "sh",
            "-c",
            _ENTER,
            "engine26",
            str(self._tree),
            str(self._directory),
            *command,
        ]


def why_no_engine26() -> str | None:
    """Say what engine 26 needs and this machine lacks; ``None`` if it can be started."""
    if _own_release() >= _OLDEST:
        return why_no_engine()
    absent = [program for program in ("unshare", "pivot_root") if shutil.which(program) is None]
    lacking = why_no_tree() or (f"not installed: {', '.join(absent)}" if absent else None)
    if lacking is None:
        try:
            debian_tree(_SUITE, _PACKAGES)
        except BootstrapFailed as error:
            lacking = str(error)
    return f"no engine 26: {lacking}" if lacking else None


def _own_release() -> int:
    """Return the major release of the machine's own engine; 0 for none."""
    if shutil.which("dockerd") is None:
        return 0
    said = subprocess.run(["dockerd", "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version (\d+)\.", said)
    return int(match[1]) if match else 0
