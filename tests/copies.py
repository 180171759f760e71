"""Bundles of many blocks that cost nothing to make, and what lies at a place where one was copied to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bundler.bundle.checksums import write_checksums
from bundler.bundle.copying.copying import copy_parts
from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.copying.report import CopyReport
from bundler.bundle.manifest import (
    Application,
    Archive,
    Blob,
    BundleManifest,
    Image,
    Part,
    parse_bundle_manifest,
    write_bundle_manifest,
)
from bundler.bundle.names import BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS, README, part_files
from bundler.content.hashing import PartSums, block_sum, sha256
from bundler.model.descriptor import Descriptor
from bundler.model.media_types import OCI_MANIFEST
from bundler.progress import SILENT, Task
from tests.builders import KIB, noise

BLOCK = 64 * KIB
#: Three parts: of four, four and two blocks, the last of which is not a full one.
SIZE, PART_BYTES = 9 * BLOCK + 1000, 4 * BLOCK
_BLOB_BYTES = 100


def make_bundle(
    directory: Path, *, size: int = SIZE, part_bytes: int = PART_BYTES, name: str = "plant7"
) -> BundleManifest:
    """Write a bundle of one archive of noise. Its one image is no image; whoever copies does not look into it."""
    directory.mkdir(parents=True, exist_ok=True)
    data = noise(name, size)
    starts = range(0, size, part_bytes)
    parts = tuple(
        _write_part(directory / file, data[start : start + part_bytes])
        for file, start in zip(part_files("shop", len(starts)), starts, strict=True)
    )
    digest = sha256(data[:_BLOB_BYTES])
    image = Image(
        reference="docker.io/library/web:1",
        source="registry",
        descriptor=Descriptor(media_type=OCI_MANIFEST, digest=digest, size=_BLOB_BYTES),
        blobs=(digest,),
        digest_preserved=True,
    )
    blob = Blob(digest=digest, size=_BLOB_BYTES, media_type=OCI_MANIFEST, archive="shop", offset=0)
    manifest = write_bundle_manifest(
        name=name,
        version="1",
        part_bytes=part_bytes,
        block_bytes=BLOCK,
        applications=(Application(name="shop", images=(image,)),),
        archives=(Archive(name="shop", size=size, parts=parts),),
        blobs=(blob,),
    )
    for file, content in {
        **small_files(manifest),
        BUNDLE_JSON: manifest.raw,
        BUNDLE_JSON_COPY: manifest.raw,
    }.items():
        (directory / file).write_bytes(content)
    return manifest


def _write_part(path: Path, data: bytes) -> Part:
    path.write_bytes(data)
    sums = PartSums(BLOCK)
    sums.update(memoryview(data))
    return Part(file=path.name, size=len(data), sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)


def manifest_of(directory: Path) -> BundleManifest:
    """Read the table of contents of a bundle."""
    return parse_bundle_manifest((directory / BUNDLE_JSON).read_bytes())


def small_files(manifest: BundleManifest) -> dict[str, bytes]:
    """Return what lies beside the parts."""
    return {README: b"How to read this.\n", CHECKSUMS: write_checksums(manifest)}


def copy(
    manifest: BundleManifest,
    sources: Sequence[Path],
    path: Path,
    *,
    parts: Sequence[Part] | None = None,
    read_back: bool = True,
    destination: CopyDestination | None = None,
    task: Task | None = None,
) -> CopyReport:
    """Copy a bundle, or some parts of it, as the command does: the table gets its name only when all is right."""
    destination = destination or CopyDestination(path)
    try:
        destination.prepare(manifest)
        report = copy_parts(
            manifest,
            sources,
            destination,
            manifest.parts if parts is None else parts,
            read_back=read_back,
            tries=2,
            task=task or SILENT.task("copy"),
        )
        if report.is_whole:
            destination.finish(small_files(manifest))
        return report
    finally:
        destination.release()


def right_bytes(manifest: BundleManifest, directory: Path) -> int:
    """Count, block by block, what lies there and is right, finished or not."""
    total = 0
    for part in manifest.parts:
        for path in (directory / part.file, directory / f"{part.file}.partial"):
            if path.exists():
                data = path.read_bytes()[: part.size]
                blocks = [data[start : start + BLOCK] for start in range(0, part.size, BLOCK)]
                right = [
                    block for block, sum_ in zip(blocks, part.blocks, strict=True) if block_sum(block) == sum_
                ]
                total += sum(map(len, right))
                break
    return total
