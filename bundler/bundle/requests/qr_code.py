"""A request as a QR code, which a camera carries where no medium may pass."""

from __future__ import annotations

import io
from dataclasses import dataclass

from bundler.errors import UsageError

#: From here on a code has so many modules that cameras fail on screens and paper.
TOO_LARGE = 2 << 10
#: Modules of white around a code, as ISO/IEC 18004 asks for.
_QUIET_ZONE = 4
_PIXELS = 4


@dataclass(frozen=True)
class QrCode:
    """A QR code with its white border.

    Attributes:
        rows: of its modules, top first, each from left to right; ``True`` is dark.
        png: a picture of it, black on white.
    """

    rows: tuple[tuple[bool, ...], ...]
    png: bytes


def check_for_library() -> None:
    """Return if QR codes can be made here.

    Raises:
        UsageError: the library for that is not installed.
    """
    try:
        import segno  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "QR codes need the package segno, which is not installed",
            advice="Install airbundle with its extra qr, as in `pip install 'airbundle[qr]'`, or leave out --qr.",
        ) from error


def make_qr_code(data: bytes) -> QrCode:
    """Return the QR code (model 2, byte mode) of less than ``TOO_LARGE`` bytes.

    It has the least size that holds them, and as much error correction as that size has room for.

    Raises:
        UsageError: the data is too large, or the library is not installed.
    """
    check_for_library()
    if len(data) >= TOO_LARGE:
        raise UsageError(f"{len(data)} bytes are too many for a QR code: {TOO_LARGE - 1} are the most")
    import segno

    code = segno.make_qr(data, mode="byte", error="l")
    out = io.BytesIO()
    code.save(out, kind="png", scale=_PIXELS, border=_QUIET_ZONE)
    rows = tuple(tuple(map(bool, row)) for row in code.matrix_iter(border=_QUIET_ZONE))
    return QrCode(rows, out.getvalue())
