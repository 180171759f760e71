"""Making parity, and mending with it, beside the distribution's par2."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from benchmark.measuring import warm
from benchmark.stage import Stage, parts_of
from benchmark.table import Row, Skipped, times
from benchmark.turns import Side

_MIB = 1 << 20


@dataclass(frozen=True)
class _Sizes:
    """Of what is mended, in bytes."""

    bundle: int
    part: int
    run: int


_FULL, _QUICK = _Sizes(1024 * _MIB, 64 * _MIB, 4 * _MIB), _Sizes(96 * _MIB, 8 * _MIB, _MIB)


def parity(stage: Stage) -> Iterator[Row | Skipped]:
    """Make 10 % of parity; mend a bad run; mend a lost part."""
    if shutil.which("par2") is None:
        yield Skipped("parity and repair", "par2 is not installed")
        return
    sizes = _QUICK if stage.options.quick else _FULL
    ours, theirs = stage.work / "mended-ours", stage.work / "mended-theirs"
    _pack_noise(stage, ours, sizes)
    theirs.mkdir()
    for part in parts_of(ours):
        shutil.copyfile(part, theirs / part.name)

    def check(directory: Path) -> None:
        sums = f"cd {directory} && grep -F .oci.tar {ours}/SHA256SUMS | sha256sum --quiet -c -"
        stage.run(stage.shell(sums))

    def side(name: str, directory: Path, command: list[str], prepare: Callable[[Path], None]) -> Side:
        return Side(name, lambda _: command, lambda _: check(directory), lambda _: prepare(directory))

    create = f"cd {theirs} && par2 create -q -q -s1048576 -r10 -n1 set.par2 *.oci.tar*"
    repair = f"cd {theirs} && par2 repair -q -q set.par2"
    works: list[tuple[str, list[str], str, Callable[[Path], None], float]] = [
        ("parity of 10 %", stage.airbundle("parity", "-q", ours, "--redundancy", "10%"), create, _no_parity, 20),
        (f"repair of a bad run of {sizes.run // _MIB} MiB", stage.airbundle("repair", "-q", ours), repair,
         lambda directory: _damage(directory, sizes), 10),
        (f"repair of a lost part of {sizes.part // _MIB} MiB", stage.airbundle("repair", "-q", ours), repair,
         _lose, 10),
    ]  # fmt: skip
    for work, command, script, prepare, goal in works:
        sides = [
            side("airbundle", ours, command, prepare),
            side("par2", theirs, stage.shell(script), prepare),
        ]
        mine, others = stage.turns().of(sides, settle=lambda: warm([ours, theirs]))
        yield times(f"{work}, bundle of {sizes.bundle // _MIB} MiB", "par2", mine, others, goal)
    for directory in (ours, theirs):
        shutil.rmtree(directory)


def _no_parity(directory: Path) -> None:
    for path in [*directory.glob("parity.*"), *directory.glob("*.par2")]:
        path.unlink()


def _damage(directory: Path, sizes: _Sizes) -> None:
    """Overwrite a run in a part in the middle, across the borders of blocks."""
    _tidy(directory)
    parts = parts_of(directory)
    with parts[len(parts) // 2].open("r+b") as file:
        file.seek(sizes.part // 3)
        file.write(random.Random(3).randbytes(sizes.run))


def _lose(directory: Path) -> None:
    """Remove a part in the middle."""
    _tidy(directory)
    parts = parts_of(directory)
    parts[len(parts) // 2].unlink()


def _tidy(directory: Path) -> None:
    """Remove the damaged files that par2 keeps under another name."""
    for path in directory.glob("*.oci.tar.*.1"):
        path.unlink()


def _pack_noise(stage: Stage, target: Path, sizes: _Sizes) -> None:
    """Pack an image of random bytes, so that the parts are as large as is wanted."""
    archive = stage.work / "noise.tar"
    # Bundle tables and tar headers come on top; the last part is a little shorter for it.
    _write_image_of_noise(archive, sizes.bundle - _MIB // 2)
    part = ["--part-size", str(sizes.part)]
    stage.run(stage.airbundle("pack", f"noise=docker-archive:{archive}", "-o", target, *part, "--quiet"))
    archive.unlink()


def _write_image_of_noise(archive: Path, size: int) -> None:
    """Write a docker-archive of one layer with one file of so many bytes that no compressor makes smaller."""
    layer = archive.with_suffix(".layer")
    noise = random.Random(7)
    with tarfile.open(layer, "w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo("noise")
        member.size = size
        tar.addfile(member, _Noise(noise))  # type: ignore[arg-type]
    with layer.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(_MIB):
            digest.update(piece)
    diff_id = f"sha256:{digest.hexdigest()}"
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }).encode()  # fmt: skip
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": ["bench/noise:1"], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for title, content in ((name, config), ("manifest.json", json.dumps(manifest).encode())):
            member = tarfile.TarInfo(title)
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
        tar.add(layer, "layer.tar")
    layer.unlink()


class _Noise:
    """A file that never ends."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        return self._source.randbytes(size)
