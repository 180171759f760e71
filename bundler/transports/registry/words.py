"""What a peer says, made fit to be shown and bounded."""

from __future__ import annotations

_LONGEST = 500


def clean(text: str, longest: int = _LONGEST) -> str:
    """Return text from outside in one line of at most ``longest`` characters, control characters escaped.

    A registry must not be able to move the cursor of a terminal or to forge lines of a log.
    """
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode("ascii")
        for char in " ".join(text[: 4 * longest].split())
    )
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
