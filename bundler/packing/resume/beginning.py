"""How a pack begins: anew, or where one with the same inputs and options was cut."""

from __future__ import annotations

from bundler.bundle.names import PACK_JOURNAL
from bundler.errors import OutputExists
from bundler.model.limits import Limits
from bundler.packing.resume.identity import Identity, differences
from bundler.packing.resume.journal import Journal, Records, read_journal
from bundler.packing.writing.output import OutputDirectory


def begin(
    directory: OutputDirectory, identity: Identity, limits: Limits, *, restart: bool
) -> tuple[Journal, Records | None]:
    """Open the journal of a directory that is prepared.

    Args:
        directory: Where the bundle goes.
        identity: What is to be packed.
        limits: Bounds the journal that lies there.
        restart: Remove what lies there, whatever it is the beginning of.

    Returns:
        The journal, and what it says was done; ``None`` if the pack begins anew.

    Raises:
        OutputExists: what lies there was begun with other inputs or options.
        DiskError: the disk refused.
    """
    path = directory.path / PACK_JOURNAL
    records = None if restart else read_journal(path, limits)
    if records is None:
        # Without a journal nobody can say whose bytes these are.
        directory.clear()
        return Journal.begin(path, identity), None
    if changed := differences(records.identity, identity):
        more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise OutputExists(
            f"{directory.path} holds an unfinished pack of something else: {'; '.join(changed[:3])}{more}",
            advice="Repeat the command as it was to go on, or begin anew with --restart.",
        )
    return Journal(path, records.length), records
