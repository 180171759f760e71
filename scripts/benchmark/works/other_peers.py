"""Tools that take part only where they are installed: crane, regctl, hauler, zarf, oras.

They are not in the distributions. What they are told here is what their manuals say; a run that fails names its
command.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmark.images import SHARING
from benchmark.stage import Stage, short
from benchmark.turns import Side

_ZARF = """kind: ZarfPackageConfig
metadata: {{name: bench}}
components:
  - name: images
    required: true
    images: [{images}]
"""


def pulls(stage: Stage, address: str) -> Iterator[Side]:
    """Yield how each installed tool brings three images from a registry into parts."""
    remote = [f"{address}/{name}" for name in SHARING]
    for tool, lines in _pull_scripts(stage, remote).items():
        if shutil.which(tool):
            yield Side(f"{tool}, split", _in_output(stage, lines))


def _pull_scripts(stage: Stage, remote: Sequence[str]) -> dict[str, list[str]]:
    into_parts = f"tar -cf - layout | {stage.split} - parts.; rm -r layout"
    host = remote[0].partition("/")[0]
    return {
        "crane": [f"crane pull --insecure --format oci {' '.join(remote)} layout", into_parts],
        "regctl": [
            f"regctl registry set --tls disabled {host}",
            *(f"regctl image copy {name} ocidir://layout:{short(name)}" for name in remote),
            into_parts,
        ],
        "hauler": [
            *(f"hauler store add image {name} --store store" for name in remote),
            "hauler store save --store store --filename haul.tar.zst",
            f"{stage.split} haul.tar.zst parts.; rm -r store haul.tar.zst",
        ],
        "zarf": [
            f"cat >zarf.yaml <<'END'\n{_ZARF.format(images=', '.join(remote))}END",
            "zarf package create . --confirm --plain-http --skip-sbom --max-package-size 1024",
        ],
    }


def pushes(stage: Stage, layouts: Sequence[tuple[str, Path]], address: str) -> Iterator[Side]:
    """Yield how each installed tool sends three images, given as OCI layouts, to a registry."""
    scripts = {
        "crane": "crane push --insecure {layout} {target}",
        "oras": "oras cp --from-oci-layout {layout}:{tag} --to-plain-http {target}",
    }
    for tool, line in scripts.items():
        if shutil.which(tool):
            lines = [
                line.format(layout=layout, target=f"{address}/{name}", tag=name.rpartition(":")[2])
                for name, layout in layouts
            ]
            yield Side(f"{tool}, each image", _in_output(stage, lines))


def _in_output(stage: Stage, lines: Sequence[str]) -> Callable[[Path], Sequence[str]]:
    script = "\n".join(lines)
    return lambda output: stage.shell(f"cd {output}\n{script}")
