"""Real images, built in an engine from what this machine has: a Debian base, Python, text and random bytes.

``shop`` has at least 300 MB in at least five layers; ``erp`` stands on the same base with layers of its own.
The base is made once by debootstrap and kept under ``${XDG_CACHE_HOME:-~/.cache}/airbundle-tests``. Where
debootstrap cannot work (no root, no mirror), a base is made from files of this machine instead.
"""

from __future__ import annotations

import os
import platform
import random
import shutil
import subprocess
import sysconfig
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.servers.debian import apt_mirror, cache_directory
from tests.servers.engine import RealEngine

SHOP = "airbundle.test/shop:1"
ERP = "airbundle.test/erp:1"
SHOP_BYTES = 300_000_000
SHOP_LAYERS = 5

_BASE = "airbundle.test/base:1"
_MIB = 1 << 20
_CHANGES = (
    "rm -rf /opt/many/1 /usr/share/doc && ln /opt/many/2/2.dat /srv/hard && ln -s orders.log /srv/soft"
    " && touch /srv/mine && chown 33:33 /srv/mine && chmod 4750 /srv/mine"
)


def build_applications(engine: RealEngine, work: Path) -> None:
    """Make :data:`SHOP` and :data:`ERP` in an engine; ``work`` needs 250 MB for a while.

    Raises:
        docker.errors.DockerException: the engine refuses.
        AssertionError: the images came out smaller than promised.
    """
    repository, _, tag = _BASE.rpartition(":")
    engine.client.api.import_image_from_file(
        str(base_archive()), repository=repository, tag=tag, changes=['CMD ["sh"]']
    )
    for name, steps in ((SHOP, _shop(engine.can_run)), (ERP, _erp())):
        context = work / "context"
        context.mkdir()
        lines = [f"FROM {_BASE}", *(step(context) for step in steps)]
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        engine.client.images.build(path=str(context), tag=name, network_mode="host", rm=True, forcerm=True)
        shutil.rmtree(context)
    facts = engine.facts(SHOP)
    assert facts["Size"] >= SHOP_BYTES, facts["Size"]
    assert len(engine.layers(SHOP)) >= SHOP_LAYERS
    assert engine.layers(SHOP)[0] == engine.layers(ERP)[0]


_Step = Callable[[Path], str]


def _shop(can_run: bool) -> list[_Step]:
    steps = [_python, _random_file("catalogue.bin", 120 * _MIB), _text_file("orders.log", 60 * _MIB), _many_files]
    if can_run:
        # What only a running container makes: deletions (whiteouts), links, other owners and modes.
        steps.append(lambda context: f"RUN {_CHANGES}")
    steps.append(lambda context: 'ENV SHOP=1\nCMD ["sh", "-c", "echo shop is open"]')
    return steps


def _erp() -> list[_Step]:
    return [
        _text_file("ledger.csv", 20 * _MIB),
        _random_file("scans.bin", 30 * _MIB),
        lambda context: 'CMD ["sh", "-c", "echo erp is open"]',
    ]


def _python(context: Path) -> str:
    """Copy the standard library, without tests and caches: thousands of real, compressible files."""
    unwanted = shutil.ignore_patterns("__pycache__", "test", "tests", "site-packages", "dist-packages", "*.a")
    shutil.copytree(sysconfig.get_path("stdlib"), context / "python", ignore=unwanted, symlinks=True)
    return "COPY python /opt/python"


def _random_file(name: str, size: int) -> _Step:
    def make(context: Path) -> str:
        source = random.Random(name)
        with (context / name).open("wb") as file:
            for _ in range(size // _MIB):
                file.write(source.randbytes(_MIB))
        return f"COPY {name} /srv/{name}"

    return make


def _text_file(name: str, size: int) -> _Step:
    def make(context: Path) -> str:
        source = random.Random(name)
        words = ["order", "shipped", "invoice", "customer", "plant", "returned", "pallet", "error", "retry", "ok"]
        with (context / name).open("w") as file:
            while file.tell() < size:
                lines = [
                    f"2026-11-{source.randrange(1, 31):02} {source.getrandbits(32):08x} "
                    f"{' '.join(source.choices(words, k=6))}\n"
                    for _ in range(10_000)
                ]
                file.write("".join(lines))
        return f"COPY {name} /srv/{name}"

    return make


def _many_files(context: Path) -> str:
    source = random.Random("many")
    for number in range(2_000):
        path = context / "many" / str(number % 20) / f"{number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.randbytes(source.randrange(3_000)) * 2)
    return "COPY many /opt/many"


def base_archive() -> Path:
    """Return a tar of a root file system, from the cache if it was made before."""
    cache = cache_directory()
    codename = _codename()
    archive = cache / f"base-{codename}-{platform.machine()}.tar"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            made = Path(work, "base.tar")
            if not _bootstrap(codename, Path(work, "root"), made):
                return _base_of_this_machine(cache)
            made.replace(archive)
    return archive


def _bootstrap(codename: str, root: Path, archive: Path) -> bool:
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        return False
    command = ["debootstrap", "--variant=minbase", codename, str(root), *apt_mirror()]
    made = subprocess.run(command, capture_output=True, check=False).returncode == 0
    if made:
        for path in [*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*_*")]:
            path.unlink()
        subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    return made


def _base_of_this_machine(cache: Path) -> Path:
    """Make a base of busybox and shared files, which has a shell, but none of Debian's programs."""
    archive = cache / f"base-local-{platform.machine()}.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for applet in ("sh", "rm", "ln", "touch", "chown", "chmod", "echo", "cat", "sha256sum"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for shared in ("/usr/share/doc", "/usr/share/zoneinfo", "/usr/share/perl", "/usr/lib/locale"):
            if Path(shared).is_dir():
                tar.add(shared, shared.lstrip("/"))
    return archive


def _codename() -> str:
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")
