"""Packing from a registry into parts, and how much disk that takes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.images import SHARING
from benchmark.measuring import BrokenRun, Usage, warm
from benchmark.stage import Stage, short
from benchmark.table import Row, Skipped, times
from benchmark.turns import Side
from benchmark.works.other_peers import pulls


def from_registry(stage: Stage) -> Iterator[Row | Skipped]:
    """Pack three images whose layers are compressed already."""
    registry = stage.registry
    sides = [_pack(stage), _skopeo(stage), *pulls(stage, registry.address)]
    usages = stage.turns().of(sides, [registry], watch_disk=True, settle=lambda: warm([registry.storage]))
    ours = usages[0]
    for side, theirs in zip(sides[1:], usages[1:], strict=True):
        work = "pack 3 images from a registry into parts"
        note = f"peak on disk / final size: {_share(ours):.2f} / {_share(theirs):.2f}"
        yield times(work, side.name, ours, theirs, side.goal, note)
    peak, final = ours.disk_peak_bytes / 1e6, ours.output_bytes / 1e6
    yield Row("the same: peak on disk", "its own final size", peak, final, "MB", 1.02, at_most=True)


def _share(usage: Usage) -> float:
    return usage.disk_peak_bytes / usage.output_bytes


def _pack(stage: Stage) -> Side:
    address = stage.registry.address

    def command(output: Path) -> Sequence[str]:
        images = [f"{short(name)}=docker://{address}/{name}" for name in SHARING]
        options = ["--plain-http", "--part-size", stage.part_size, "--quiet"]
        return _with_temporary_files(stage.airbundle("pack", *images, "-o", output / "bundle", *options), output)

    return Side("airbundle pack", command, lambda output: stage.check_bundle(output / "bundle"))


def _skopeo(stage: Stage) -> Side:
    address = stage.registry.address

    def command(output: Path) -> Sequence[str]:
        lines = []
        for name in SHARING:
            archive = f"{output}/{short(name)}.tar"
            source = f"docker://{address}/{name}"
            lines += [
                f"skopeo --insecure-policy copy --quiet --src-tls-verify=false {source} oci-archive:{archive}",
                f"{stage.split} {archive} {archive}.",
                f"rm {archive}",
            ]
        return _with_temporary_files(stage.shell("\n".join(lines)), output)

    def check(output: Path) -> None:
        for name in SHARING:
            stage.run(stage.shell(f"cat {output}/{short(name)}.tar.* | tar -tf - index.json >/dev/null"))
        if list((output / "tmp").iterdir()):
            raise BrokenRun("skopeo left temporary files")

    return Side("skopeo copy to oci-archive:, each image; split", command, check, goal=2.0)


def _with_temporary_files(command: Sequence[str], output: Path) -> list[str]:
    """Return the command with its temporary files below the output, where their size is seen."""
    (output / "tmp").mkdir()
    return ["env", f"TMPDIR={output}/tmp", *command]
