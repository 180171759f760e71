"""The directory that a bundle is written to: who may write there, whether there is room, and how it ends."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bundler.bundle.checksums import write_checksums
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import (
    BUNDLE_JSON,
    BUNDLE_JSON_COPY,
    CHECKSUMS,
    PACK_JOURNAL,
    PARITY_JOURNAL,
    PARITY_JSON,
    README,
    is_parity_name,
    is_part_name,
    is_system_file,
)
from bundler.content.file_lock import FileLock
from bundler.content.files import disk_errors, is_regular, partial, whole_name, write_file
from bundler.content.free_space import free_bytes
from bundler.errors import NoSpace, OutputExists
from bundler.model.sizes import format_size

#: Says that the files beside it belong to a pack that is not finished.
UNFINISHED = partial(Path(BUNDLE_JSON)).name
#: What is kept of a pipe while it is packed; only ever as ``*.partial``.
STANDARD_INPUT = "standard-input"


class OutputDirectory:
    """A directory that belongs to one pack, from ``prepare`` on.

    Attributes:
        bytes_kept: bytes of parts that an earlier run left there and this one keeps.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes_kept = 0
        self._is_prepared = False
        self._lock: FileLock | None = None

    def prepare(self) -> None:
        """Create the directory if need be, and make it this pack's own.

        What an unfinished pack left there stays until ``clear``; anything else is never touched. Once it was
        done it is not done again. Until ``release`` no other pack gets the directory; a crash releases it too.

        Raises:
            OutputExists: it holds a bundle, or files that no pack wrote, or another pack is writing there.
            NotWritable, DiskError: it cannot be created or written to.
        """
        if self._is_prepared:
            return
        with disk_errors(self.path):
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise OutputExists(f"{self.path} is a file") from error
        self._refuse_strangers()
        self._lock = FileLock(self.path / UNFINISHED)
        try:
            # Only now is it certain that nobody changes it: look again.
            self._refuse_strangers()
            with disk_errors(self.path):
                # Of a pipe nothing is left but this; it comes anew.
                partial(self.path / STANDARD_INPUT).unlink(missing_ok=True)
        except BaseException:
            self.release()
            raise
        self._is_prepared = True

    def reopen(self) -> None:
        """Take a bundle that lies there for the beginning of a pack; its files stay until ``clear``.

        Raises:
            OutputExists: it holds more than a pack makes, such as a signature, which nobody could make again.
            DiskError: the disk refused.
        """
        with disk_errors(self.path):
            names = {entry.name for entry in self.path.iterdir() if not is_system_file(entry.name)}
        if strangers := sorted(name for name in names - {BUNDLE_JSON} if not _is_leftover(self.path / name)):
            raise OutputExists(f"{self.path} holds {', '.join(strangers[:3])}", advice="Choose another directory.")
        with disk_errors(self.path):
            # Empty, as at the beginning: with the table in it, it would be that of an unfinished copy.
            (self.path / UNFINISHED).write_bytes(b"")
            (self.path / BUNDLE_JSON).unlink()

    def clear(self) -> None:
        """Remove what an unfinished pack left; ``prepare`` comes first.

        Raises:
            DiskError: the disk refused.
        """
        kept = (UNFINISHED, partial(Path(STANDARD_INPUT)).name)
        with disk_errors(self.path):
            for name in self._refuse_strangers():
                if name not in kept:
                    (self.path / name).unlink()

    def release(self) -> None:
        """Let others have the directory; may be called more than once."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _refuse_strangers(self) -> list[str]:
        """Return what an unfinished pack left there; raise ``OutputExists`` for anything else."""
        with disk_errors(self.path):
            found = sorted(entry.name for entry in self.path.iterdir() if not is_system_file(entry.name))
        if BUNDLE_JSON in found:
            raise OutputExists(f"{self.path} already holds another bundle", advice="Choose another directory.")
        strangers = [name for name in found if not _is_leftover(self.path / name)]
        # Either of the two is a pack's; one alone is left where somebody tidied up.
        if strangers or (found and not {UNFINISHED, PACK_JOURNAL} & set(found)):
            named = ", ".join((strangers or found)[:3])
            raise OutputExists(f"{self.path} is not empty: it holds {named}")
        if UNFINISHED in found and PACK_JOURNAL not in found and (self.path / UNFINISHED).stat().st_size:
            # A pack writes the table into that file last, and has its journal then.
            raise OutputExists(f"{self.path} holds an unfinished copy of a bundle")
        return found

    def check_space(self, needed: int) -> None:
        """Refuse to begin where the disk has less than ``needed`` bytes free.

        Raises:
            NoSpace: it has.
        """
        free = free_bytes(self.path)
        if needed > free:
            raise NoSpace(f"{self.path}: {format_size(needed)} are needed, {format_size(free)} are free")

    def write_tables(self, manifest: BundleManifest, readme: str) -> None:
        """Write everything but the parts; with ``bundle.json``, the last one, the bundle is whole.

        Raises:
            DiskError: the disk refused.
        """
        write_file(self.path / README, readme.encode("utf-8"))
        write_file(self.path / CHECKSUMS, write_checksums(manifest))
        write_file(self.path / BUNDLE_JSON_COPY, manifest.raw)
        # This also replaces the mark of the unfinished pack.
        write_file(self.path / BUNDLE_JSON, manifest.raw)

    def forget(self) -> None:
        """Remove the journal of a pack that is finished; a disk that refuses this harms nothing any more."""
        with contextlib.suppress(OSError):
            (self.path / PACK_JOURNAL).unlink(missing_ok=True)


def _is_leftover(path: Path) -> bool:
    whole = whole_name(path.name)
    is_ours = (
        is_part_name(whole)
        or is_parity_name(whole)
        or whole in (BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS, PARITY_JSON, README)
    )
    is_ours = is_ours or path.name in (PACK_JOURNAL, PARITY_JOURNAL, partial(Path(STANDARD_INPUT)).name)
    # A pack writes files only; what a link leads to must not be written over.
    return is_ours and is_regular(path)
