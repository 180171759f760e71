#!/usr/bin/env python3
"""Makes what lies under samples: the images, the same bytes on every machine, and the golden bundles, once.

make_samples.py                        write the images anew, and golden bundles that are missing
make_samples.py --check                write nothing; exit 1 if something is not what it should be
make_samples.py --replace-golden NAME  pack one golden bundle again: only before the release it belongs to
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import golden_bundles  # noqa: E402  # they lie beside this script
from sample_forms import forms_layout  # noqa: E402
from sample_images import ERP, ERP_LAYOUT, SHOP, SMALL, docker_archive, oci_layout  # noqa: E402

SAMPLES = ROOT / "samples" / "images"


def write(target: Path) -> None:
    """Write all images into a directory that does not exist."""
    files = {
        "shop.tar": docker_archive(SHOP),
        "erp.tar": docker_archive([ERP]),
        "small.tar": docker_archive(SMALL),
        **{f"erp/{name}": data for name, data in oci_layout(ERP_LAYOUT).items()},
        **{f"forms/{name}": data for name, data in forms_layout().items()},
    }
    for name, data in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def differences(expected: Path, found: Path) -> list[str]:
    """Return the names of the files that are in one directory only, or are not the same bytes in both."""
    names = {str(path.relative_to(top)) for top in (expected, found) for path in top.rglob("*") if path.is_file()}
    _, different, missing = filecmp.cmpfiles(expected, found, sorted(names), shallow=False)
    return sorted(different + missing)


def check(fresh: Path) -> int:
    """Say what differs from what would be written; return the exit status."""
    wrong = [
        f"samples/images/{name} is not what scripts/make_samples.py makes"
        for name in differences(fresh, SAMPLES)
    ]  # fmt: skip
    # The bundles are made of the images: one complaint about the cause is enough.
    wrong = wrong or list(golden_bundles.differences())
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def main() -> int:
    """Write the samples, or with --check say whether those in the checkout are what would be written."""
    parser = argparse.ArgumentParser(description="Make what lies under samples.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a sample differs")
    parser.add_argument("--replace-golden", metavar="NAME", choices=golden_bundles.RECIPES, help="pack it again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        fresh = Path(place) / "images"
        write(fresh)
        if arguments.check:
            return check(fresh)
        if SAMPLES.exists():
            shutil.rmtree(SAMPLES)
        shutil.copytree(fresh, SAMPLES)
    golden_bundles.write_missing(arguments.replace_golden)
    return 0


if __name__ == "__main__":
    sys.exit(main())
