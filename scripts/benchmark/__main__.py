"""The command line of the benchmark; see ``--help``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from benchmark.documents import figures, write_figures
from benchmark.images import ImageSet
from benchmark.machine import description, load_average
from benchmark.measuring import BrokenRun
from benchmark.rootfs import TooFewFiles
from benchmark.stage import Options, Stage
from benchmark.table import Row, Skipped, documents, markdown, one_line
from benchmark.works import WORKS
from tests.servers import pidfiles
from tests.servers.processes import ServerFailed

_PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
_PAIRS = 3


def main() -> int:
    """Run what was asked for; return 0, or 1 when a work could not be measured."""
    asked = _arguments()
    if asked.list:
        print("\n".join(f"{name:20} {work.__doc__}" for name, work in WORKS.items()))
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    options = Options(asked.quick, asked.pairs or (1 if asked.quick else _PAIRS), asked.cache)
    names = asked.only or list(WORKS)
    started, load = time.monotonic(), load_average()
    rows: list[Row | Skipped] = []
    broken: list[str] = []
    text = ""
    with contextlib.ExitStack() as ends:
        stage = _stage(options, ends)
        for name in names:
            found, is_whole = _run(stage, name)
            rows += found
            broken += [] if is_whole else [name]
            # After each work: a run of an hour that is interrupted leaves what it measured.
            conditions = _conditions(options, stage.images_in_use, load, time.monotonic() - started)
            text = _save(asked, rows, conditions)
    print(text)
    return 1 if broken else 0


def _save(asked: argparse.Namespace, rows: list[Row | Skipped], conditions: dict[str, str]) -> str:
    """Write the rows so far where they were asked for; return the text."""
    text = figures(markdown(rows), machine := description(), conditions)
    if asked.json:
        values = {"machine": machine, "conditions": conditions, "rows": documents(rows)}
        asked.json.write_text(json.dumps(values, indent=2) + "\n")
    if asked.write_docs:
        write_figures(_PAGE, text)
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Compares airbundle with what people use today, in turn; prints a table."
    )
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "airbundle-bench")
    parser.add_argument("--quick", action="store_true", help="small images, one pair: under two minutes")
    parser.add_argument("--only", nargs="+", metavar="WORK", choices=list(WORKS), help="only these; see --list")
    parser.add_argument("--pairs", type=_count, metavar="N", help=f"runs of each side (default {_PAIRS}; quick 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument(
        "--cache", type=Path, default=default, metavar="DIR", help="keeps the images (%(default)s)"
    )
    parser.add_argument("--list", action="store_true", help="list the works")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _stage(options: Options, ends: contextlib.ExitStack) -> Stage:
    """Return a stage whose directory lies beside the cache, and goes in the end."""
    options.cache.mkdir(parents=True, exist_ok=True)
    for left in options.cache.glob("run-*-*"):
        # Of a run that was killed: one that lives still names its process.
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
    work = Path(ends.enter_context(
        tempfile.TemporaryDirectory(dir=options.cache, prefix=f"run-{os.getpid()}-", ignore_cleanup_errors=True)
    ))  # fmt: skip
    if pidfiles.VARIABLE not in os.environ:
        (work / "servers").mkdir()
        os.environ[pidfiles.VARIABLE] = str(work / "servers")
    return Stage(options, work, ends, _say)


def _run(stage: Stage, name: str) -> tuple[list[Row | Skipped], bool]:
    """Return the rows of a work, and whether none of its runs broke."""
    rows: list[Row | Skipped] = []
    _say(name)
    try:
        for row in WORKS[name](stage):
            rows.append(row)
            _say(one_line(row))
    except (BrokenRun, ServerFailed, TooFewFiles) as error:
        _say(f"{name}: BROKEN: {error}")
        return [*rows, Skipped(name, "a run broke; no figure is taken from it")], False
    return rows, True


def _conditions(options: Options, images: ImageSet | None, load: str, seconds: float) -> dict[str, str]:
    return {
        "images": str(images or "none were needed"),
        "runs": f"{options.pairs} of each side, in turn, medians; load average at the start {load}; "
        f"{seconds / 60:.0f} min in all",
        "page cache": "inputs read once before each run, all written data synced, outputs of earlier runs removed",
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
