"""What a test needs and a machine may lack: a skip with its reason, or a failure where nothing may be skipped."""

from __future__ import annotations

import os
import shutil

import pytest


def require(missing: str | None) -> None:
    """Go on if nothing is missing; otherwise skip the test, or fail it when ``CI=true``.

    Args:
        missing: What this machine lacks, in words for the reader of the report; ``None`` for nothing.
    """
    if missing is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{missing}; with CI=true no test may be left out", pytrace=False)
    pytest.skip(missing)


def why_no_program(*names: str) -> str | None:
    """Say which of these programs are not installed; ``None`` if all are."""
    absent = [name for name in names if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def why_not_root() -> str | None:
    """Say that the tests do not run as root; ``None`` if they do."""
    return None if os.geteuid() == 0 else "only root may do this"
