"""airbundle schema."""

from __future__ import annotations

import json


def run() -> int:
    """Print the JSON Schema of the configuration file."""
    from bundler.cli.console import show
    from bundler.packing.config import config_schema

    show(json.dumps(config_schema(), indent=2))
    return 0
