"""Golden bundles: packed once, then read by a test forever, whatever later releases write.

What compresses decides the bytes of a layer, and its next version may decide otherwise. So a golden bundle is
compared with a fresh one only where this installation has the compressor that made it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bundler import PackOptions, pack  # noqa: E402  # the checkout comes first
from bundler.content.compression import Encoder  # noqa: E402
from bundler.model.platform_choice import EVERY_PLATFORM  # noqa: E402
from bundler.packing.planning.platforms import PlatformWishes  # noqa: E402

IMAGES = ROOT / "samples" / "images"
GOLDEN = ROOT / "samples" / "bundles" / "v1"
#: Instructions for people; their words may change, and readers must not interpret them.
FOR_PEOPLE = "README.txt"
_KIB = 1024


@dataclass(frozen=True)
class Golden:
    """How a golden bundle is made."""

    applications: Mapping[str, Sequence[str]]
    part_bytes: int
    algorithm: str = "zstd"

    def pack(self, name: str, target: Path) -> None:
        """Pack it; the images are named by the checkout, not by where the script is started."""
        pack(self.applications, target, options=PackOptions(
            platforms=PlatformWishes(EVERY_PLATFORM),
            name=name,
            version="1",
            part_bytes=self.part_bytes,
            block_bytes=64 * _KIB,
            encoder=Encoder.choose(self.algorithm),
        ))  # fmt: skip


_SHOP = [f"docker-archive:{IMAGES}/small.tar:small/web:1", f"docker-archive:{IMAGES}/small.tar:small/api:1"]
_ERP = [f"docker-archive:{IMAGES}/small.tar:small/core:1"]

#: Not of those that are only read any more: ``two-applications`` and ``gzip`` were packed image by image.
RECIPES = {
    "groups": Golden({"shop": _SHOP, "erp": _ERP}, 64 * _KIB, algorithm="gzip"),
    "kept-digests": Golden({"forms": [f"oci:{IMAGES}/forms"]}, 100_000),
    "one-application": Golden({"erp": _ERP}, 0),
}


def write_missing(replace: str | None = None) -> None:
    """Pack the golden bundles that are not there; one that is there stays, but for the one to ``replace``."""
    for name, recipe in RECIPES.items():
        target = GOLDEN / name
        if name == replace and target.exists():
            for file in target.iterdir():
                file.unlink()
        if not (target / "bundle.json").exists():
            recipe.pack(name, target)


def differences() -> Iterator[str]:
    """Yield what is wrong with the golden bundles, as far as this installation can tell."""
    for name, recipe in RECIPES.items():
        if not (GOLDEN / name / "bundle.json").exists():
            yield f"samples/bundles/v1/{name} is missing"
        elif can_be_made_here(GOLDEN / name):
            with tempfile.TemporaryDirectory() as place:
                recipe.pack(name, Path(place))
                for file in differing(GOLDEN / name, Path(place)):
                    yield f"samples/bundles/v1/{name}/{file} is not what this release packs"


def can_be_made_here(bundle: Path) -> bool:
    """Tell whether this installation has the versions of all compressors that a bundle names."""
    blobs = json.loads((bundle / "bundle.json").read_bytes())["blobs"]
    recipes = {tuple(sorted(blob["encoder"].items())) for blob in blobs if "encoder" in blob}
    return all(_as_here(dict(recipe)) == dict(recipe) for recipe in recipes)


def differing(one: Path, other: Path) -> list[str]:
    """Return the names of the files that differ or are in one of two bundles only."""
    files = [{file.name: file.read_bytes() for file in top.iterdir()} for top in (one, other)]
    names = sorted({*files[0], *files[1]} - {FOR_PEOPLE})
    return [name for name in names if files[0].get(name) != files[1].get(name)]


def _as_here(recipe: Mapping[str, object]) -> dict[str, object]:
    here = Encoder.choose(str(recipe["algorithm"]), int(str(recipe["level"])))
    return {"algorithm": here.algorithm, "library": here.library, "version": here.version, "level": here.level}
