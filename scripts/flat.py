"""Shows that memory stays the same for every size: runs each work on bundles of several sizes, prints its peaks.

    scripts/flat.py DIR [SIZE…]      default: 512MiB 4GiB 16GiB; DIR has room for twice the largest

Layers are files with a hole; three quarters of an image are in one of them, so that the largest has a layer of
12 GiB. Bundles that keep them plain take their full size, but for a moment: they are made files with holes too.
Needs docker-registry; the engine is one that only counts what it is given.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bundler.model.sizes import format_size, parse_size  # noqa: E402  (the checkout's, whatever else is installed)
from tests.e2e.command import Airbundle, Result  # noqa: E402
from tests.e2e.huge_images import HugeImage, HugeLayer  # noqa: E402
from tests.fakes import engine as fake_engine  # noqa: E402
from tests.fakes.engine_archives import chain_ids, full_name, sha  # noqa: E402
from tests.fakes.engine_stores import ClassicStore  # noqa: E402
from tests.servers.registry import RealRegistry  # noqa: E402

_MIB, _GIB = 1 << 20, 1 << 30
_DEFAULT = ("512MiB", "4GiB", "16GiB")
_NAME = "huge.test/layers:1"
#: In MiB; what a pack needs is more, for the compressor's own threads.
_PACK_PEAK, _OTHER_PEAK = 256, 150


class Sizes:
    """All works on a bundle of one size, in a directory that is empty again afterwards."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._size = size
        (directory / "home").mkdir(parents=True)
        self._airbundle = Airbundle(directory / "home", {"DOCKER_HOST": "unix:///nonexistent"})
        large = size * 3 // 4 // _MIB * _MIB
        layers = [HugeLayer.of(large, "srv/large"), HugeLayer.of(size - large, "srv/small")]
        self._image = HugeImage(_NAME, layers)
        self.peaks: dict[str, int] = {}

    def run(self) -> None:
        """Do every work once."""
        bundle, made = self._directory / "bundle", self._directory / "made"
        self._pack(bundle, made)
        self._note("verify", self._airbundle("verify", bundle))
        self._note("verify quick", self._airbundle("verify", bundle, "--level", "quick"))
        self._note("verify deep", self._airbundle("verify", bundle, "--level", "deep"))
        self._note("verify deep, compressed", self._airbundle("verify", made, "--level", "deep"))
        with self._place("copied") as copied:
            self._note("copy", self._airbundle("copy", bundle, copied))
        with self._place("layout") as layout:
            self._note("extract to a layout", self._airbundle("extract", bundle, f"oci:{layout}"))
        with self._place("saved.tar") as saved:
            self._note("extract to a file", self._airbundle("extract", made, f"docker-archive:{saved}"))
        with self._place("registry") as storage, RealRegistry(storage) as registry:
            self._note("push", self._airbundle("push", bundle, registry.address, "--plain-http"))
        self._load(bundle, made)
        self._repair(bundle)

    def _pack(self, bundle: Path, made: Path) -> None:
        with self._place("layout") as layout:
            self._image.write_layout(layout)
            self._note("pack, kept", self._airbundle("pack", f"huge=oci:{layout}", "-o", bundle))
        _make_holes(bundle)
        with self._place("saved.tar") as saved:
            self._image.write_docker_archive(saved)
            self._note("pack, compressed", self._airbundle("pack", f"huge=docker-archive:{saved}", "-o", made))

    def _load(self, bundle: Path, made: Path) -> None:
        for what, source in (("load", bundle), ("load, compressed", made)):
            with _counting_engine(self._image.config) as engine:
                airbundle = self._airbundle.with_environment(DOCKER_HOST=engine.host)
                self._note(what, airbundle("load", source))

    def _repair(self, bundle: Path) -> None:
        """Make parity, then mend from it 4 MiB of another kind than zeros."""
        self._note("parity", self._airbundle("parity", bundle, "--redundancy", "10%"))
        part = min(bundle.glob("huge.oci.tar*"))
        with part.open("r+b") as file:
            file.seek(part.stat().st_size // 2)
            file.write(b"\xff" * (4 * _MIB))
        self._note("repair", self._airbundle("repair", bundle))

    @contextmanager
    def _place(self, name: str) -> Iterator[Path]:
        """Name a file or directory that is removed afterwards."""
        path = self._directory / name
        try:
            yield path
        finally:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _note(self, work: str, result: Result) -> None:
        self.peaks[work] = result.peak_bytes
        rate = self._size / result.seconds / 1e6
        print(
            f"{format_size(self._size):>8}  {work:24} {result.peak_bytes / _MIB:6.0f} MiB"
            f" {result.seconds:7.1f} s {rate:7.0f} MB/s",
            flush=True,
        )


@contextmanager
def _counting_engine(config: bytes) -> Iterator[fake_engine.FakeEngine]:
    """Run an engine that throws the layers of an image away as they come, and then says that it has the image."""

    def drain(handler: Any) -> None:
        store = handler.engine.store
        assert isinstance(store, ClassicStore)
        for _ in handler._chunks():
            pass
        layers = json.loads(config)["rootfs"]["diff_ids"]
        store.layers.update(dict.fromkeys(chain_ids(layers), b""))
        store.images[sha(config)] = config
        store.names[full_name(_NAME)] = sha(config)
        handler._send(200, b'{"stream":"Loaded image: ' + _NAME.encode() + b'\\n"}\r\n')

    with patch.object(fake_engine._Handler, "_load", drain), fake_engine.FakeEngine() as engine:
        yield engine


def _make_holes(directory: Path) -> None:
    """Give the disk back the zeros of all files."""
    for file in directory.iterdir():
        subprocess.run(["fallocate", "--dig-holes", str(file)], check=True)


def _table(columns: dict[str, dict[str, int]]) -> str:
    """Return a Markdown table of peaks in MiB: a row for each work, a column for each size."""
    names = list(columns)
    lines = [f"| peak memory, MiB | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for work in columns[names[0]]:
        peaks = (f"{columns[name][work] / _MIB:.0f}" for name in names)
        lines.append(f"| {work} | {' | '.join(peaks)} |")
    return "\n".join(lines)


def _too_much(columns: dict[str, dict[str, int]]) -> list[str]:
    return [
        f"{work} of {name}: {peak / _MIB:.0f} MiB"
        for name, peaks in columns.items()
        for work, peak in peaks.items()
        if peak > (_PACK_PEAK if work.startswith("pack") else _OTHER_PEAK) * _MIB
    ]


def main(arguments: list[str]) -> int:
    """Run all sizes; return an exit status."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    columns: dict[str, dict[str, int]] = {}
    for text in arguments[1:] or _DEFAULT:
        place = Path(arguments[0]) / "flat"
        try:
            sizes = Sizes(place, parse_size(text))
            sizes.run()
        finally:
            shutil.rmtree(place, ignore_errors=True)
        columns[text] = sizes.peaks
    print(f"\n{_table(columns)}")
    wrong = _too_much(columns)
    for line in wrong:
        print(f"too much: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
