"""An OCI image layout directory as an image destination (OCI image-spec image-layout.md)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bundler.content.files import disk_errors, partial, write_file
from bundler.content.images import BlobReader, OutgoingImage, PutResult, ReferrerCounts, distinct_blobs
from bundler.content.streams import MemoryStream
from bundler.destinations.blob_directory import BlobDirectory
from bundler.destinations.layout_index import LayoutIndex
from bundler.errors import NotFound, OutputExists
from bundler.model.json_documents import canonical_json
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.progress import Task
from bundler.transports.layout_files import DirectoryFiles
from bundler.transports.oci_layout import INDEX_FILE, VERSION, VERSION_FILE, OciLayout, is_foreign, layout_name

_DIRECTORIES = ("blobs", "blobs/sha256")


class OciLayoutDestination:
    """Writes a new layout, or adds to one.

    Blobs come first; ``index.json`` is written once, by ``finish``: until then the layout lists what it listed
    before, and a new one is none yet. An interrupted run leaves whole blobs, which the next one finds.
    """

    is_one_file = False

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        """Look at the directory, which need not exist yet; nothing is written.

        Raises:
            OutputExists: there is something else than an OCI layout or an empty directory.
            MalformedDocument: the layout there breaks the specification or a bound.
            DiskError: the disk refused.
        """
        self._path = path
        self._blobs = BlobDirectory(path / _DIRECTORIES[-1])
        layout = None
        with disk_errors(path):
            if path.exists() and not (path.is_dir() and _is_usable(path)):
                raise OutputExists(f"{path} holds something that is no OCI image layout")
            if (path / INDEX_FILE).exists():
                layout = OciLayout(DirectoryFiles(path), layout_name(path), limits)
        self._index = LayoutIndex(layout)

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        """Write the blobs that are not there yet, and note the name; see ``ImageDestination``.

        A foreign layer that the reader does not have stays away, with a note.
        """
        self._prepare()
        sent = skipped = 0
        notes: list[str] = []
        documents = {digest: raw for tree in image.trees for digest, raw in tree.documents.items()}
        for descriptor in distinct_blobs(image.trees):
            if self._blobs.holds(descriptor):
                skipped += descriptor.size
                task.advance(descriptor.size)
                continue
            try:
                raw = documents.get(descriptor.digest)
                stream = reader.open_blob(descriptor) if raw is None else MemoryStream(raw)
            except NotFound:
                if not is_foreign(descriptor):
                    raise
                notes.append(f"the foreign layer {descriptor.digest} is not included")
                continue
            self._blobs.write(descriptor, stream, task)
            sent += descriptor.size
        root, name = image.tree.root, image.reference
        # Engines take no name that has a tag and a digest; the digest is said by the descriptor.
        name = dataclasses.replace(name, digest=None) if name.tag else name
        before = self._index.digest(name)
        self._index.assign(name, root)
        new = sum(self._index.add_referrer(name, referrer) for referrer in image.referrers)
        return PutResult(
            reference=str(image.reference),
            target=str(name),
            digest=root.digest,
            status="skipped" if before == root.digest and not sent and not new else "extracted",
            bytes_sent=sent,
            bytes_skipped=skipped,
            replaced=None if before == root.digest else before,
            notes=tuple(notes),
            referrers=ReferrerCounts(put=new, there=len(image.referrers) - new),
        )

    def finish(self) -> None:
        """Write ``index.json`` if it changes; from now on the layout lists the new images.

        Raises:
            DiskError: the disk refused; the layout lists what it listed before.
        """
        self._blobs.sweep()
        if not self._index.changed:
            return
        self._prepare()
        self._blobs.sync()
        self._replace(INDEX_FILE, self._index.document())
        self._index.changed = False

    def abort(self) -> None:
        """Leave ``index.json`` as it was and remove unfinished files."""
        self._blobs.sweep()

    def _prepare(self) -> None:
        """Make the directory an OCI layout, which is none before it has an ``index.json``."""
        with disk_errors(self._path):
            self._path.mkdir(parents=True, exist_ok=True)
            there = (self._path / VERSION_FILE).exists()
        if not there:
            self._replace(VERSION_FILE, canonical_json({"imageLayoutVersion": VERSION}))
        with disk_errors(self._path):
            (self._path / _DIRECTORIES[-1]).mkdir(parents=True, exist_ok=True)

    def _replace(self, name: str, data: bytes) -> None:
        path = self._path / name
        with disk_errors(path):
            # A foreign layout could hold a link of this name, which must not be written through.
            partial(path).unlink(missing_ok=True)
        write_file(path, data)


def _is_usable(path: Path) -> bool:
    """Tell whether a directory is a layout, perhaps an unfinished one, or empty."""
    if any((path / directory).is_symlink() for directory in _DIRECTORIES):
        return False
    left_over = partial(path / VERSION_FILE).name
    return (path / VERSION_FILE).exists() or all(item.name == left_over for item in path.iterdir())
