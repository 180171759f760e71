"""How requests and answers are shown."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.bundle.requests.qr_code import TOO_LARGE
from bundler.cli.console import Console
from bundler.cli.text import show
from bundler.errors import DamagedBundle, ExitStatus, IncompleteBundle, MendableBundle
from bundler.model.sizes import format_size

if TYPE_CHECKING:
    from bundler.api.requests import RequestReport
    from bundler.bundle.choice import Choice
    from bundler.bundle.reader import Bundle
    from bundler.bundle.requests.answering import AnswerReport
    from bundler.bundle.requests.asking import Lack
    from bundler.bundle.requests.block_ranges import BlockRanges
    from bundler.bundle.requests.qr_code import QrCode

#: Two modules, one above the other, in the ink of a dark terminal: what is light is drawn.
_HALVES = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
_ON_BLACK, _AS_BEFORE = "\x1b[97;40m", "\x1b[0m"


def finish_request(
    console: Console, bundle: Bundle, output: Path, report: RequestReport, choice: Choice, *, qr: bool
) -> int:
    """Say what is missing and what is asked for; return the exit status."""
    lack = report.lack
    console.document(
        {
            "bundle": bundle.manifest.id,
            "missing": _ranges(lack.missing, lack.missing_bytes),
            "needed": _ranges(lack.needed, lack.needed_bytes),
            "parity": lack.has_parity,
            "mendable": lack.is_mendable,
            "request": str(output) if report.request else None,
            "size": report.size,
            "picture": str(report.picture) if report.picture else None,
        }
    )
    if not lack.missing:
        asked = "" if choice.is_all else "what was asked for of "
        console.line(f"nothing is missing of {asked}{bundle.manifest.id}; no request was written")
        return int(ExitStatus.DONE)
    console.line(
        f"missing  {_amount(lack.missing, lack.missing_bytes)}, in {_counted(len(lack.missing.rows), 'part')}"
    )
    absent = absent_parts(bundle, lack)
    if absent:
        console.line(
            f"absent   {absent} of them are not here at all: --present leaves them out, --app NAME other ones"
        )
    if lack.has_parity and lack.needed:
        console.line(f"parity   makes the rest once these have come: {_amount(lack.needed, lack.needed_bytes)}")
    if report.request is None:
        error = MendableBundle(
            "parity can make again everything that is missing; no request was written",
            advice="Run `airbundle repair`; to ask for everything nevertheless, give --all.",
        )
        console.error(error)
        return int(error.exit_status)
    console.line(f"request  {output}: {_counted(report.request.blocks.count, 'block')} in {report.size} bytes")
    if qr:
        _show_qr_code(console, report)
    console.line("next     where it was packed: airbundle answer BUNDLE FILE -o DIR")
    if not choice.is_all:
        named = [
            *(f" --app {name}" for name in choice.applications),
            *([" --present"] if choice.is_present else []),
        ]
        console.line(f"then     where the bundle is: airbundle repair BUNDLE{''.join(named)} --from DIR")
    return int(ExitStatus.DONE)


def absent_parts(bundle: Bundle, lack: Lack) -> int:
    """Return of how many parts that blocks are missing of nothing lies in any directory."""
    files = (bundle.manifest.parts[row.part].file for row in lack.missing.rows)
    return sum(not bundle.locations.candidates(file) for file in files)


def finish_answer(console: Console, output: Path, report: AnswerReport) -> int:
    """Say what became of an answer; return the exit status."""
    status = report.exit_status
    console.document(
        {
            "directory": str(output),
            "complete": not report.missing,
            "blocks": report.blocks,
            "bytes": report.size,
            "blocks_kept": report.kept,
            "blocks_written": report.written,
            "missing": [{"part": row.part, "blocks": row.blocks} for row in report.missing.rows],
        }
    )
    kept = f", {report.kept} of them were there already" if report.kept else ""
    console.line(f"answer   {output}: {report.kept + report.written} of {_counted(report.blocks, 'block')}{kept}")
    if report.missing:
        kind = DamagedBundle if status == ExitStatus.DAMAGED else IncompleteBundle
        said = "are damaged here" if status == ExitStatus.DAMAGED else "are not here"
        console.error(
            kind(
                f"{report.missing.count} of {_counted(report.blocks, 'block')} {said}, and missing in the answer",
                advice="Carry it all the same. Or run the same command to go on: with another copy, or after "
                "`airbundle repair` of this one, if it has parity.",
            )
        )
    else:
        console.line("next     where the bundle is: airbundle repair BUNDLE --from DIR")
    return int(status)


def draw(code: QrCode) -> list[str]:
    """Return a QR code as lines of half blocks, for light characters on a dark background."""
    rows = [*code.rows, *[(False,) * len(code.rows[0])] * (len(code.rows) % 2)]
    return [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]


def _show_qr_code(console: Console, report: RequestReport) -> None:
    if report.qr_code is None:
        console.warn(f"the request has {report.size} bytes, too many for a QR code: {TOO_LARGE - 1} are the most")
        return
    console.line(f"picture  {report.picture}")
    if console.as_json or console.quiet:
        return
    lines = draw(report.qr_code)
    is_terminal = sys.stdout.isatty()
    if is_terminal and len(lines[0]) > (width := shutil.get_terminal_size().columns):
        console.warn(f"the QR code is {len(lines[0])} columns wide, the terminal {width}: use the picture")
        return
    for line in lines:
        show(f"{_ON_BLACK}{line}{_AS_BEFORE}" if is_terminal else line)


def _ranges(blocks: BlockRanges, size: int) -> dict[str, object]:
    return {"blocks": blocks.count, "bytes": size}


def _amount(blocks: BlockRanges, size: int) -> str:
    return f"{_counted(blocks.count, 'block')}, {format_size(size)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
