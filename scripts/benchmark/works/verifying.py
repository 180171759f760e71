"""Verifying a bundle, from the page cache and from a slow medium."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.measuring import chill, warm
from benchmark.stage import Stage, parts_of
from benchmark.table import Row, Skipped, times
from benchmark.throttle import NoThrottle, slow_reads
from benchmark.turns import Side

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SLOW = 200_000_000


def verify(stage: Stage) -> Iterator[Row | Skipped]:
    """Verify at each level, all files in the page cache."""
    bundle = stage.bundle
    sides = [
        _verify(stage, "full"),
        _verify(stage, "quick"),
        Side("sha256sum -c SHA256SUMS", lambda _: _sha256sum(stage, bundle)),
    ]
    full, quick, sums = stage.turns().of(sides, settle=lambda: warm([bundle]))
    yield times("verify full", sides[2].name, full, sums, 4.0)
    yield times("verify quick", sides[2].name, quick, sums, 8.0)

    layers = _layers(stage)
    script = stage.work / "layers.sh"
    _write_script(script, layers)
    by_script = Side("zstd -t + sha256sum of every layer", lambda _: ["bash", str(script)])
    deep, theirs = stage.turns().of([_verify(stage, "deep"), by_script], settle=lambda: warm([bundle, *layers]))
    yield times("verify deep", by_script.name, deep, theirs, 1.2, "ours also proves every DiffID")


def slow_medium(stage: Stage) -> Iterator[Row | Skipped]:
    """Verify what is not in the page cache, from a medium that gives 200 MB/s."""
    work = f"verify full, medium of {_SLOW // 10**6} MB/s"
    bundle, parts = stage.bundle, parts_of(stage.bundle)
    try:
        with slow_reads(bundle, _SLOW) as throttle:
            sides = [
                Side("airbundle verify", lambda _: throttle.command(stage.airbundle("verify", "-q", bundle))),
                Side("cat >/dev/null", lambda _: throttle.command(stage.shell(f"cat {bundle}/*.tar* >/dev/null"))),
            ]
            ours, theirs = stage.turns().of(sides, settle=lambda: chill(parts))
    except NoThrottle as error:
        yield Skipped(work, str(error))
        return
    rate = sum(part.stat().st_size for part in parts) / theirs.wall
    if rate > 1.5 * _SLOW:
        yield Skipped(work, f"the control group does not bound reads here: cat read {rate / 1e6:.0f} MB/s")
        return
    note = f"not in the page cache; cat read {rate / 1e6:.0f} MB/s"
    yield times(work, "cat >/dev/null of the parts", ours, theirs, 0.9, note)


def _verify(stage: Stage, level: str) -> Side:
    command = stage.airbundle("verify", "--quiet", "--level", level, stage.bundle)
    return Side(f"airbundle verify --level {level}", lambda _: command)


def _sha256sum(stage: Stage, bundle: Path) -> Sequence[str]:
    return stage.shell(f"cd {bundle} && sha256sum --quiet -c SHA256SUMS")


def _layers(stage: Stage) -> list[Path]:
    """Return the layers of the bundle as files: each blob once, whichever layouts it lies in."""
    found = {
        blob.name: blob
        for _, layout in stage.layouts
        for blob in sorted((layout / "blobs/sha256").iterdir())
        if _starts_with(blob, _ZSTD_MAGIC)
    }
    return list(found.values())


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _write_script(script: Path, layers: Sequence[Path]) -> None:
    lines = ["set -euo pipefail"]
    for layer in layers:
        lines += [f"zstd -tq {layer}", f"echo '{layer.name}  {layer}' | sha256sum --quiet -c -"]
    script.write_text("\n".join(lines) + "\n")
    os.sync()
