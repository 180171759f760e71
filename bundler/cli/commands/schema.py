"""airbundle schema."""

from __future__ import annotations

from bundler.cli import options
from bundler.cli.console import Console


def run(json: options.Json = False, quiet: options.Quiet = False, verbose: options.Verbose = False) -> int:
    """Print the JSON Schema of the configuration file; it is JSON with and without --json."""
    from bundler.packing.planning.config import config_schema

    Console(as_json=not quiet, quiet=quiet, verbose=verbose).document(config_schema())
    return 0
