"""The configuration file of a pack: applications and their images, in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from bundler.content.files import disk_errors
from bundler.errors import ConfigError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond

#: What PyYAML lets out for a scalar that looks like a date or number and is none, such as 2026-13-01.
_OF_BAD_SCALARS = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)


class ApplicationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One application."""

    images: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            min_length=1,
            description="Images as [transport:]name; transports are docker-daemon, docker-archive, oci, "
            "oci-archive and docker (registry). Without one: the local engine, else the registry.",
        ),
    ]


class PackConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to pack, and how; options of the command line go before what stands here."""

    applications: Annotated[
        dict[str, ApplicationConfig], msgspec.Meta(description="Applications by name.", min_length=1)
    ]
    name: Annotated[str | None, msgspec.Meta(description="Name of the bundle.")] = None
    version: Annotated[str | None, msgspec.Meta(description="Version of the bundle, any text.")] = None
    part_size: Annotated[
        str | int | None,
        msgspec.Meta(description="Largest part: bytes, a size such as 3900MiB, or fat32, dvd, bd, none."),
    ] = None
    compression: Annotated[str | None, msgspec.Meta(description="zstd or gzip.")] = None
    level: Annotated[int | None, msgspec.Meta(description="Compression level: zstd 1-19, gzip 1-9.")] = None
    parity: Annotated[
        str | None, msgspec.Meta(description="Make parity of this share of the bundle, such as 10%.")
    ] = None
    survive_parts: Annotated[
        int | None, msgspec.Meta(description="Make parity that mends this number of lost parts, whichever.")
    ] = None


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML parsers silently keep one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) != len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
        if "<<" in keys:
            # Merged mappings double with each level; a list of names has no need for them.
            raise yaml.constructor.ConstructorError(None, None, "merge keys are not taken", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def read_config(path: Path, limits: Limits = DEFAULT_LIMITS) -> PackConfig:
    """Read a configuration file.

    Raises:
        NotFound: it is not there.
        ConfigError: it is not what the schema says.
    """
    with disk_errors(path):
        if path.is_dir():
            raise ConfigError(f"{path} is a directory", advice="Name a file, or images as APP=IMAGE.")
        with path.open("rb") as file:
            raw = file.read(limits.config_bytes + 1)
    if len(raw) > limits.config_bytes:
        raise ConfigError(str(beyond(limits.config_bytes, f"{path} is larger than any configuration")))
    return parse_config(raw, str(path))


def parse_config(raw: bytes, name: str) -> PackConfig:
    """Read what a configuration file holds; ``name`` is the file's, for errors.

    Raises:
        ConfigError: it is not what the schema says.
    """
    try:
        value = yaml.load(raw, _StrictLoader)  # noqa: S506  # it is a SafeLoader
        return msgspec.convert(value, PackConfig)
    except (yaml.YAMLError, msgspec.ValidationError, RecursionError, *_OF_BAD_SCALARS) as error:
        raise ConfigError(f"{name}: {error}") from error


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the configuration file."""
    schema = msgspec.json.schema(PackConfig)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "airbundle pack", **schema}
