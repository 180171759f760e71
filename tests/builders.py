"""Small bundles, and the ways to change one: for every test that needs a bundle and no command."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bundler.bundle.manifest import BundleManifest
from bundler.content.hashing import PartSums, sha256
from bundler.content.images import FoundImage
from bundler.packing.pack import write_bundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from bundler.progress import SILENT, Progress
from tests.fakes.memory import MemorySource, tar_of

T = TypeVar("T")
KIB = 1 << 10
#: The smallest parts and blocks that there are; so a bundle of a few hundred KiB has several of both.
SMALL = PackOptions(part_bytes=64 * KIB, block_bytes=64 * KIB, workers=1)
SHOP, SHOP_TOOLS, ERP = "shop.test/web:1", "shop.test/tools:2", "erp.test/ledger:1"


def noise(seed: str, size: int) -> bytes:
    """Return bytes that no compression makes smaller."""
    return random.Random(seed).randbytes(size)


def bytes_there(manifest: BundleManifest, directories: Sequence[Path]) -> int:
    """Count the bytes of the parts that lie in some directories, finished or not, each part once."""
    total = 0
    for part in manifest.parts:
        paths = [directory / name for directory in directories for name in (part.file, f"{part.file}.partial")]
        sizes = [path.stat().st_size for path in paths if path.is_file() and not path.is_symlink()]
        total += min(max(sizes, default=0), part.size)
    return total


def layer(seed: str, size: int) -> bytes:
    """Return a layer of one file."""
    return tar_of({f"{seed}.bin": noise(seed, size)})


class TwoApplications:
    """The images of ``shop``, which came from a registry, and of ``erp``, which come from an engine.

    All stand on one base layer; it is a blob of ``shop`` and only a DiffID in ``erp``.
    """

    def __init__(self) -> None:
        base = layer("base", 90 * KIB)
        self.registry, self.engine = MemorySource("registry"), MemorySource("docker")
        self.web = self.registry.make_image([base, layer("web", 150 * KIB)], SHOP)
        self.tools = self.registry.make_image([base, layer("tools", 500)], SHOP_TOOLS, compression="zstd")
        self.ledger = self.engine.make_engine_image([base, layer("ledger", 70 * KIB), layer("top", 900)], ERP)

    @property
    def images(self) -> list[PlannedImage]:
        """All images, ready to be planned."""
        return [
            PlannedImage("shop", self.web, self.registry),
            PlannedImage("shop", self.tools, self.registry),
            PlannedImage("erp", self.ledger, self.engine),
        ]

    def plan(self) -> PackPlan:
        """Plan the bundle."""
        return make_plan(self.images)

    def pack(
        self, output: Path, options: PackOptions = SMALL, progress: Progress = SILENT, *, restart: bool = False
    ) -> BundleManifest:
        """Pack the bundle."""
        return write_bundle(self.plan(), output, options, progress, restart=restart)


def pack_images(
    output: Path,
    source: MemorySource,
    images: Mapping[str, Sequence[FoundImage]],
    options: PackOptions = SMALL,
    *,
    restart: bool = False,
) -> BundleManifest:
    """Pack some images of one source, by application."""
    planned = [PlannedImage(name, image, source) for name, found in images.items() for image in found]
    return write_bundle(make_plan(planned), output, options, restart=restart)


def contents_of(directory: Path) -> dict[str, bytes]:
    """Return every file of a directory."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def final_names(directory: Path) -> list[str]:
    """Return the names of all files that do not say that they are unfinished."""
    return sorted(path.name for path in directory.iterdir() if path.suffix != ".partial")


def check_left(directory: Path, right: Mapping[str, bytes]) -> None:
    """Check what a cut pack leaves: final names only for files that are as they will be, the table last."""
    names = final_names(directory)
    assert {name: (directory / name).read_bytes() for name in names} == {name: right[name] for name in names}
    if "bundle.json" in names:
        assert set(names) == set(right)


def joined(directory: Path, archive: str) -> bytes:
    """Return the bytes of an archive, as ``cat ARCHIVE.oci.tar*`` would."""
    return b"".join(path.read_bytes() for path in sorted(directory.glob(f"{archive}.oci.tar*")))


def table_of(directory: Path) -> dict[str, Any]:
    """Return bundle.json as plain values."""
    return dict(json.loads((directory / "bundle.json").read_bytes()))


def write_table(directory: Path, table: dict[str, Any]) -> None:
    """Write a table of contents into all three files that speak of it, so that they agree."""
    raw = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    sums = {part["file"]: part["sha256"] for archive in table["archives"] for part in archive["parts"]}
    sums["bundle.json"] = sha256(raw).hex
    (directory / "bundle.json").write_bytes(raw)
    (directory / "bundle.json.bak").write_bytes(raw)
    (directory / "SHA256SUMS").write_text("".join(f"{sums[file]}  {file}\n" for file in sorted(sums)))


def rewrite(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the table of contents as somebody would who can write every file."""
    table = table_of(directory)
    change(table)
    write_table(directory, table)


def overwrite(directory: Path, archive: str, offset: int, data: bytes) -> None:
    """Write over bytes of an archive, and make all sums of its parts right again."""
    table = table_of(directory)
    (row,) = (one for one in table["archives"] if one["name"] == archive)
    start = 0
    for part in row["parts"]:
        path = directory / part["file"]
        content = bytearray(path.read_bytes())
        for place, value in enumerate(data, offset - start):
            if 0 <= place < len(content):
                content[place] = value
        path.write_bytes(content)
        sums = PartSums(table["block_bytes"])
        sums.update(memoryview(bytes(content)))
        part.update(sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=list(sums.blocks))
        start += part["size"]
    write_table(directory, table)


def flip(path: Path, offset: int) -> None:
    """Flip every bit of one byte of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0xFF
    path.write_bytes(data)


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what ``work`` returns or raises; a test that hangs fails instead."""
    outcome: list[T | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again below
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert outcome, f"still running after {seconds} s"
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return when the condition holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.002)


@contextmanager
def no_thread_is_left() -> Iterator[None]:
    """Fail if the block leaves a thread running that it found not."""
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not left
