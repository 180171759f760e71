"""Parity for a bundle that is there."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.parity.making import ParityOutcome, make_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.progress import SILENT, Progress

_OPEN = ParityWish()


def parity(
    bundle: Path | str,
    wish: ParityWish = _OPEN,
    *,
    restart: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> ParityOutcome:
    """Make parity beside a bundle, or what is missing or damaged of it; see :func:`make_parity`.

    Args:
        bundle: The directory that it lies in, and that gets the parity.
        wish: ``ParityWish(redundancy=Fraction(1, 10))``, or ``ParityWish(survive_parts=1)``. Without one: as much
            as is there or was begun, else 10 %.
        restart: Remove the parity that is there, and begin anew.
        limits: Bounds on what is accepted from the directory.
        progress: Is told the bytes of parts that were read.

    Returns:
        What is there now, and what was done for it; its ``strength.words`` say what can be mended.

    Raises:
        OutputExists: there is parity of another layout or another bundle, or another run is writing there.
        IncompleteBundle, DamagedBundle, MendableBundle: the bundle is not intact. No parity is made then.
        AirbundleError: another of its subclasses. Repeated, it goes on where it was.
    """
    return make_parity(open_bundle(bundle, limits=limits), wish, restart=restart, progress=progress)
