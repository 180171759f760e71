"""From the arguments of ``pack`` and ``plan`` to applications and options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.bundle.parity.wish import ParityWish, parse_redundancy
from bundler.content.compression import Encoder
from bundler.errors import ConfigError, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.platform_choice import PlatformChoice
from bundler.packing.planning.config import PackConfig, read_config, read_rules
from bundler.packing.planning.image_entry import ImageEntry
from bundler.packing.planning.options import DEFAULT_PART_SIZE, PackOptions, parse_part_size
from bundler.packing.planning.platforms import PlatformWishes

_APPLICATION_IMAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Wishes:
    """Options of the command line; ``None`` leaves the choice to the configuration file."""

    name: str | None
    version: str | None
    part_size: str | None
    compression: str | None
    level: int | None
    limits: Limits = DEFAULT_LIMITS
    parity: str | None = None
    survive_parts: int | None = None
    small: bool = False
    platforms: Sequence[str] | None = None

    @property
    def has_options(self) -> bool:
        """Whether the command line says anything about how to pack."""
        said = (self.name, self.version, self.part_size, self.compression, self.level)
        return self.small or any(one is not None for one in said)


def is_application_image(word: str) -> bool:
    """Tell whether a word of the command line is an image with its application, and not the name of a file."""
    return _APPLICATION_IMAGE.fullmatch(word) is not None


def read_request(items: Sequence[str], wishes: Wishes) -> tuple[dict[str, list[str | ImageEntry]], PackOptions]:
    """Return the images of each application, and the options.

    Raises:
        UsageError: two configuration files, nothing to pack, or an option out of bounds.
        ConfigError: the configuration file is not what its schema says.
    """
    named: dict[str, list[str | ImageEntry]] = {}
    for item in items:
        match = _APPLICATION_IMAGE.fullmatch(item)
        if match is not None:
            named.setdefault(match[1], []).append(match[2])
    file = config_file(items)
    config = read_config(file, wishes.limits) if file is not None else None
    if config is not None:
        for name, application in config.applications.items():
            named[name] = [*application.images, *named.get(name, [])]
    if not named:
        raise UsageError("there is nothing to pack", advice="Name a configuration file, or images as APP=IMAGE.")
    rename = read_rules(config.rename, file, wishes.limits) if config and file and config.rename else ()
    return named, replace(_options(wishes, config), rename=rename)


def config_file(items: Sequence[str]) -> Path | None:
    """Return the configuration file among the arguments; ``None`` if there are only images.

    Raises:
        UsageError: there are two.
    """
    files = [Path(item) for item in items if not is_application_image(item)]
    if len(files) > 1:
        raise UsageError(
            f"two configuration files: {files[0]} and {files[1]}", advice="Images are named APP=IMAGE."
        )
    return files[0] if files else None


def _platforms(wishes: Wishes, config: PackConfig) -> PlatformWishes:
    if wishes.platforms:
        return PlatformWishes(PlatformChoice.parse(wishes.platforms))
    applications = {
        name: _choice(application.platforms)
        for name, application in config.applications.items()
        if application.platforms is not None
    }
    return PlatformWishes(None if config.platforms is None else _choice(config.platforms), applications)


def _choice(said: str | Sequence[str]) -> PlatformChoice:
    try:
        return PlatformChoice.parse([said] if isinstance(said, str) else said)
    except UsageError as error:
        raise ConfigError(f"platforms: {error}", advice=error.advice) from error


def _options(wishes: Wishes, config: PackConfig | None) -> PackOptions:
    fallback = config or PackConfig(applications={})
    part_size = wishes.part_size if wishes.part_size is not None else fallback.part_size
    return PackOptions(
        name=wishes.name or fallback.name,
        version=wishes.version or fallback.version or "0",
        part_bytes=parse_part_size(DEFAULT_PART_SIZE if part_size is None else str(part_size)),
        encoder=_encoder(wishes, fallback),
        limits=wishes.limits,
        platforms=_platforms(wishes, fallback),
        parity=_parity(wishes if wishes.parity or wishes.survive_parts is not None else fallback),
    )


def _encoder(wishes: Wishes, config: PackConfig) -> Encoder:
    for said in (wishes, config):
        if said.small and (said.level is not None or said.compression not in (None, "zstd")):
            raise UsageError("what is small is compressed with zstd, at a level of its own")
    if wishes.small or (config.small and wishes.level is None and wishes.compression is None):
        return Encoder.small()
    level = wishes.level if wishes.level is not None else config.level
    return Encoder.choose(wishes.compression or config.compression or "zstd", level)


def _parity(said: Wishes | PackConfig) -> ParityWish | None:
    return parity_wish(said.parity, said.survive_parts) if said.parity or said.survive_parts is not None else None


def parity_wish(redundancy: str | None, survive_parts: int | None) -> ParityWish:
    """Return what the options of parity say.

    Raises:
        UsageError: they contradict each other, or one is out of bounds.
    """
    return ParityWish(None if redundancy is None else parse_redundancy(redundancy), survive_parts)
