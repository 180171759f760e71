"""The configuration file of a pack: applications and their images, in YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from bundler.content.files import disk_errors
from bundler.errors import ConfigError, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.naming.items import RenameItem, rules_of
from bundler.model.naming.rules import RenameRule
from bundler.packing.planning.image_entry import ImageEntry, check_entry

T = TypeVar("T")

_Platforms = Annotated[
    str | tuple[str, ...] | None,
    msgspec.Meta(
        description="Platforms that are taken of images that have several, such as linux/amd64, or all. "
        "Without it: the platform of the machine that packs."
    ),
]


class ApplicationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One application."""

    images: Annotated[
        tuple[str | ImageEntry, ...],
        msgspec.Meta(
            min_length=1,
            description="Images as [transport:]name; transports are docker-daemon, docker-archive, oci, "
            "oci-archive and docker (registry). Without one: the local engine, else the registry. "
            "Or objects, which say more of one.",
        ),
    ]
    platforms: _Platforms = None


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
    small: Annotated[
        bool,
        msgspec.Meta(description="Compress more, several times as slowly; not with compression or level."),
    ] = False
    parity: Annotated[
        str | None, msgspec.Meta(description="Make parity of this share of the bundle, such as 10%.")
    ] = None
    survive_parts: Annotated[
        int | None, msgspec.Meta(description="Make parity that mends this number of lost parts, whichever.")
    ] = None
    rename: Annotated[
        tuple[RenameItem, ...],
        msgspec.Meta(
            description="What images are to be called in registries: the first entry that matches. `push` goes by "
            "it unless it is given others."
        ),
    ] = ()
    platforms: _Platforms = None


def read_config(path: Path, limits: Limits = DEFAULT_LIMITS) -> PackConfig:
    """Read a configuration file.

    Raises:
        NotFound: it is not there.
        ConfigError: it is not what the schema says.
    """
    return parse_config(read_bounded(path, limits), str(path))


def read_bounded(path: Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Read a file that a user wrote, a configuration or what belongs to one.

    Raises:
        NotFound: it is not there.
        ConfigError: a directory, or larger than any such file.
    """
    with disk_errors(path):
        if path.is_dir():
            raise ConfigError(f"{path} is a directory", advice="Name a file, or images as APP=IMAGE.")
        with path.open("rb") as file:
            raw = file.read(limits.config_bytes + 1)
    if len(raw) > limits.config_bytes:
        raise ConfigError(str(beyond(limits.config_bytes, f"{path} is larger than any configuration")))
    return raw


def read_rules(items: Sequence[RenameItem], path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[RenameRule, ...]:
    """Return the rename rules of a file, with those of the tables that it names, from beside it.

    Raises:
        NotFound: a table is not there.
        UsageError: an entry or a rule makes no sense.
    """
    return rules_of(items, lambda table: read_bounded(path.parent / table, limits), str(path), limits)


def parse_config(raw: bytes, name: str) -> PackConfig:
    """Read what a configuration file holds; ``name`` is the file's, for errors.

    Raises:
        ConfigError: it is not what the schema says.
    """
    config = parse_file(raw, name, PackConfig)
    for whose, application in config.applications.items():
        for image in application.images:
            try:
                check_entry(image)
            except UsageError as error:
                raise ConfigError(f"{name}: {whose}: {error}", advice=error.advice) from error
    return config


def parse_file(raw: bytes, name: str, kind: type[T]) -> T:
    """Read a YAML file of some kind; ``name`` is the file's, for errors.

    Raises:
        ConfigError: it is not of that kind.
    """
    # Only here: most packs have no such file.
    from bundler.packing.planning.strict_yaml import parse_yaml

    try:
        return msgspec.convert(parse_yaml(raw), kind)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: {error}") from error


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the configuration file."""
    schema = msgspec.json.schema(PackConfig)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "airbundle pack", **schema}
