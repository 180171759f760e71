"""Runs one target under atheris: ``python -m tests.fuzz.run TARGET [LIBFUZZER OPTION…]``; see ``scripts/fuzz``."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris


def main(arguments: list[str]) -> None:
    """Instrument the code, write the seeds into the first directory named, and hand over to libFuzzer.

    Of libraries only those are instrumented that parse for us in Python; others would lead away from our code.
    """
    with atheris.instrument_imports(include=["bundler", "yaml", "docker.auth"]):
        from tests.fuzz.targets import TARGETS
    name, *options = arguments
    target = TARGETS[name]
    corpus = next(Path(option) for option in options if not option.startswith("-"))
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number:03d}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
