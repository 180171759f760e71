"""The images that are packed: made once, kept as `docker save` writes them, loaded by later runs.

Three images on one base, a new version of the last one, and three images that have no layer in common. The large
set is Debian with real software in it; where that cannot be had, and for quick runs, the layers are this machine's
own files.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark.measuring import BrokenRun
from benchmark.rootfs import cut_tar, tars_of_own_files
from benchmark.servers import Engine
from tests.servers.debian import BootstrapFailed, debian_tree, why_no_tree

_MIB = 1 << 20
SHARING = ("bench/python:1", "bench/java:1", "bench/web:1")
CHANGED = "bench/web:2"
LITTLE = ("bench/lone-python:1", "bench/lone-java:1", "bench/lone-web:1")
_BASE = "bench/base:1"
_LAYERS_OF_LITTLE = 3
_PACKAGES_OF_BASE = ("ca-certificates", "curl", "perl", "procps", "xz-utils")
#: What each image installs, one layer for each line.
_SOFTWARE = {
    SHARING[0]: ("python3 python3-numpy python3-scipy", "python3-pandas python3-sklearn python3-matplotlib"),
    SHARING[1]: ("default-jre-headless maven", "libtomcat10-java libspring-web-java libhibernate-validator-java"),
    SHARING[2]: ("nginx postgresql", "nodejs git"),
}
_INSTALL = (
    "RUN apt-get -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false update"
    " && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages}"
    " && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*.log"
)
_TABLE = "images.json"


@dataclass(frozen=True)
class ImageSet:
    """Archives of `docker save` in one directory, and what they hold.

    Attributes:
        directory: Where they are; works keep there what is slow to make from them.
        kind: What the layers are, for the reader of the table.
        ids: The ID of each image by its name.
        sharing_bytes: Size of ``sharing.tar``.
        little_bytes: Size of ``little.tar``.
    """

    directory: Path
    kind: str
    ids: dict[str, str]
    sharing_bytes: int
    little_bytes: int

    def __str__(self) -> str:
        sharing, little = (f"{size / 1e6:.0f} MB" for size in (self.sharing_bytes, self.little_bytes))
        return f"{self.kind}; docker save of the three {sharing}, of those that share nothing {little}"

    @property
    def sharing(self) -> Path:
        """The three images that share a base."""
        return self.directory / "sharing.tar"

    @property
    def little(self) -> Path:
        """The three images that share nothing."""
        return self.directory / "little.tar"

    @property
    def changed(self) -> Path:
        """The new version of the third image."""
        return self.directory / "changed.tar"

    def load_into(self, engine: Engine) -> None:
        """Load all images into an engine."""
        for archive in (self.sharing, self.changed, self.little):
            engine.docker("load", "--input", str(archive))


def image_set(cache: Path, *, quick: bool, say: Callable[[str], None]) -> ImageSet:
    """Return the set of the cache; the first time it is made, which takes minutes for the large one.

    Raises:
        BrokenRun: it cannot be made.
        TooFewFiles: this machine has not enough files.
    """
    directory = cache / ("quick-1" if quick else "full-1")
    if not (directory / _TABLE).exists():
        say(f"making the images, once, in {directory}")
        shutil.rmtree(directory, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        # Named as the directories of runs, so that the next run removes it if this one is killed.
        prefix = f"run-{os.getpid()}-"
        with tempfile.TemporaryDirectory(dir=cache, prefix=prefix) as work, Engine() as engine:
            made = Path(work, "set")
            made.mkdir()
            _make(engine, made, Path(work), quick=quick, say=say)
            made.rename(directory)
    return ImageSet(directory, **json.loads((directory / _TABLE).read_text()))


def _make(engine: Engine, made: Path, work: Path, *, quick: bool, say: Callable[[str], None]) -> None:
    kind = "files of this machine"
    if quick:
        _build_from_own_files(engine, work, base=24 * _MIB, layer=12 * _MIB)
    else:
        try:
            kind = _build_from_debian(engine, work)
        except (BootstrapFailed, BrokenRun) as error:
            say(f"no images from Debian, so from this machine's own files: {str(error)[-300:]}")
            _build_from_own_files(engine, work, base=300 * _MIB, layer=225 * _MIB)
    _build_little(engine, work)
    for file, names in (("sharing", SHARING), ("little", LITTLE), ("changed", (CHANGED,))):
        engine.docker("save", "--output", str(made / f"{file}.tar"), *names)
    every = (*SHARING, CHANGED, *LITTLE)
    table = ImageSet(
        made,
        kind,
        dict(zip(every, engine.ids(every), strict=True)),
        (made / "sharing.tar").stat().st_size,
        (made / "little.tar").stat().st_size,
    )
    values = {key: value for key, value in asdict(table).items() if key != "directory"}
    (made / _TABLE).write_text(json.dumps(values, indent=2) + "\n")


def _build_from_debian(engine: Engine, work: Path) -> str:
    lacking = why_no_tree()
    if lacking:
        raise BrokenRun(lacking)
    release = platform.freedesktop_os_release()
    tree = debian_tree(release["VERSION_CODENAME"], _PACKAGES_OF_BASE)
    rootfs = work / "base.tar"
    left_out = [f"--exclude=./{name}" for name in ("var/cache/apt/*", "var/lib/apt/lists/*", "dev/*", "proc/*")]
    tar = ["tar", "--create", "--numeric-owner", *left_out, "--file", str(rootfs), "--directory", str(tree), "."]
    subprocess.run(tar, check=True)
    engine.docker("import", str(rootfs), _BASE)
    for name, lines in _SOFTWARE.items():
        steps = [_INSTALL.format(packages=packages) for packages in lines]
        _build(engine, work, name, _BASE, steps)
    *kept, last = (_INSTALL.format(packages=packages) for packages in _SOFTWARE[SHARING[2]])
    _build(engine, work, CHANGED, _BASE, [*kept, f"{last} && echo 2 >/etc/release-of-web"])
    return f"{release['PRETTY_NAME']}: base; scientific Python; Java and Maven; nginx, PostgreSQL, Node.js, git"


def _build_from_own_files(engine: Engine, work: Path, *, base: int, layer: int) -> None:
    """Build the images of disjoint sets of files: a base, two layers for each image, one for the new version."""
    context = work / "own"
    context.mkdir()
    names = ["base", *(f"{image}-{number}" for image in range(3) for number in range(2)), "changed"]
    tars_of_own_files([(context / f"{name}.tar", base if name == "base" else layer) for name in names])
    for number, name in enumerate(SHARING):
        _build(engine, context, name, "scratch", _adds("base", f"{number}-0", f"{number}-1"))
    _build(engine, context, CHANGED, "scratch", _adds("base", "2-0", "changed"))
    shutil.rmtree(context)


def _build_little(engine: Engine, work: Path) -> None:
    """Build of each image's whole file system one whose layers no other image has."""
    for name, source in zip(LITTLE, SHARING, strict=True):
        with tempfile.TemporaryDirectory(dir=work) as context:
            flat = Path(context, "flat.tar")
            container = engine.docker("create", source, "nothing").strip()
            engine.docker("export", "--output", str(flat), container)
            engine.docker("rm", container)
            parts = [f"part{number}" for number in range(_LAYERS_OF_LITTLE)]
            cut_tar(flat, [Path(context, f"{part}.tar") for part in parts])
            flat.unlink()
            # Equal directories would give equal layers where little was installed.
            mark = Path(context, "mark.tar")
            with tarfile.open(mark, "w") as tar:
                tar.addfile(tarfile.TarInfo(name.replace("/", "-").replace(":", "-")))
            _build(engine, Path(context), name, "scratch", _adds(*parts, "mark"))


def _adds(*tars: str) -> list[str]:
    return [f"ADD {name}.tar /" for name in tars]


def _build(engine: Engine, work: Path, name: str, base: str, steps: Sequence[str]) -> None:
    """Build an image; ``work`` holds the tars that its steps add."""
    with tempfile.TemporaryDirectory(dir=work) as empty:
        # Steps that add nothing need no context, which is sent to the engine as a whole.
        context = work if any(step.startswith("ADD") for step in steps) else Path(empty)
        (context / "Dockerfile").write_text("\n".join([f"FROM {base}", *steps, 'CMD ["/bin/sh"]']) + "\n")
        engine.docker("build", "--network", "host", "--tag", name, str(context))
