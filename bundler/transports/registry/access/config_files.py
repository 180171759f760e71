"""Reading the files of others that say how registries are reached: bounded, and every error names the file."""

from __future__ import annotations

from pathlib import Path

from bundler.errors import ConfigError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond


def read_config_file(path: Path, limits: Limits = DEFAULT_LIMITS) -> bytes | None:
    """Return what a file holds, ``None`` where there is none.

    Raises:
        ConfigError: it cannot be read, or is larger than any such file.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(limits.config_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}",
            advice="Let this user read the file, or remove it.",
        ) from error
    if len(raw) > limits.config_bytes:
        raise ConfigError(str(beyond(limits.config_bytes, f"{path} is larger than any such file")))
    return raw


def broken(path: Path, why: object, advice: str) -> ConfigError:
    """Return the error for a file that says something impossible; ``why`` must repeat nothing secret of it."""
    return ConfigError(f"{path}: {why}", advice=advice)
