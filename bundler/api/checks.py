"""Verification with everything that the user gave for it."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.findings import Finding, Level, VerificationReport
from bundler.bundle.names import SIGNATURE
from bundler.bundle.opening import read_small
from bundler.bundle.reader import Bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.files import disk_errors
from bundler.errors import DamagedContent, NotFound, SignatureRefused
from bundler.model.limits import Limits
from bundler.packing.documents.readme import make_readme
from bundler.progress import SILENT, Progress


def verify(
    bundle: Bundle, level: Level = "full", *, key: Path | str | None = None, progress: Progress = SILENT
) -> VerificationReport:
    """Check a bundle, and its signature where a key is given.

    Args:
        bundle: The open bundle.
        level: ``quick`` is checks 1 to 4, ``full`` 1 to 6, ``deep`` 1 to 8.
        key: A public key in PEM form; with it, a missing signature is a finding too.
        progress: Is told the bytes of parts that were looked at.

    Raises:
        UsageError: the file holds no usable key. NotFound, DiskError: it cannot be read.
    """
    if key is not None:
        with disk_errors(Path(key)):
            Path(key).stat()

    def signature(directory: Path, raw: bytes) -> Finding | None:
        return None if key is None else _check_signature(directory, raw, Path(key), bundle.limits)

    readme = make_readme(bundle.manifest).encode("utf-8")
    return verify_bundle(bundle, level, signature=signature, readme=readme, progress=progress)


def _check_signature(directory: Path, raw: bytes, key: Path, limits: Limits) -> Finding | None:
    from bundler.trust.signatures import verify_signature

    expected = f"a signature by {key.name}"
    try:
        signature = read_small(directory / SIGNATURE, limits.signature_bytes)
    except NotFound:
        return Finding(2, "no-signature", SIGNATURE, expected=expected, found="nothing")
    except DamagedContent as error:
        return Finding(2, "wrong-signature", SIGNATURE, expected=expected, found=str(error))
    try:
        verify_signature(raw, signature, key, limits)
    except SignatureRefused as error:
        return Finding(2, "wrong-signature", SIGNATURE, expected=expected, found=str(error))
    return None
