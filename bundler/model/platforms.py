"""Platforms of the OCI image index (image-index.md, "platform")."""

from __future__ import annotations

import re

import msgspec

from bundler.errors import UsageError

#: What kernels, compilers and distributions call a processor, as architecture and variant of the specification.
_ALIASES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv5l": ("arm", "v5"),
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv8l": ("arm", "v8"),
    "loongarch64": ("loong64", ""),
}
#: What a variant is that is not said.
_USUAL_LEVEL = {"amd64": (1, 0), "arm": (7, 0), "arm64": (8, 0)}
#: The 32-bit architecture that a processor runs as well, and the highest level of it.
_OTHER_ARCHITECTURE = {"amd64": ("386", (0, 0)), "arm64": ("arm", (8, 0))}
_VARIANT = re.compile(r"v?(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)


class Platform(msgspec.Struct, frozen=True, order=True, omit_defaults=True, rename={"os_version": "os.version"}):
    """Operating system and processor that an image runs on. Law: ``parse(str(p)) == p`` without version."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os/architecture[/variant]`` as docker and skopeo write it.

        Raises:
            UsageError: the text has not two or three non-empty fields.
        """
        fields = text.split("/")
        if len(fields) not in (2, 3) or not all(fields):
            raise UsageError(f"not a platform: {text!r:.100}", advice="Write it as linux/amd64 or linux/arm/v7.")
        return cls.of(*fields)

    @classmethod
    def of(cls, os: str, architecture: str, variant: str = "") -> Platform:
        """Make a platform in the normal form of the specification (``x86_64`` is ``amd64``, arm64 is v8)."""
        architecture = architecture.lower()
        architecture, usual = _ALIASES.get(architecture, (architecture, ""))
        variant = variant or usual
        if (architecture, variant) in (("arm64", "v8"), ("arm64", "8"), ("amd64", "v1")):
            variant = ""
        return cls(architecture=architecture, os=os.lower(), variant=variant)

    @property
    def is_known(self) -> bool:
        """False for attestations, whose platform is ``unknown/unknown``, and where nothing is said."""
        return self.architecture not in ("", "unknown") and self.os not in ("", "unknown")

    def fitness(self, host: Platform) -> tuple[int, ...] | None:
        """Return how well this image suits a host: the least is the best, ``None`` means that it does not run.

        The order is containerd's: the same platform, then the lower variants from the highest on, then the 32-bit
        architecture that the processor runs as well, likewise. ``arm`` is ``arm/v7`` and ``arm64`` is
        ``arm64/v8`` where no variant is said; an image that says none suits lower variants too, as the last.
        """
        mine, theirs = (Platform.of(p.os, p.architecture, p.variant) for p in (self, host))
        if mine.os != theirs.os:
            return None
        if mine.architecture == theirs.architecture:
            level = _level(theirs)
            is_same = mine.variant == theirs.variant or (level is not None and _level(mine) == level)
            return (0,) if is_same else _below(mine, level, 1)
        architecture, level = _OTHER_ARCHITECTURE.get(theirs.architecture, ("", ()))
        return _below(mine, level, 2) if mine.architecture == architecture else None

    def runs_on(self, host: Platform) -> bool:
        """Tell whether the host runs this image natively; a variant that is not said fits every host."""
        return self.fitness(host) is not None

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


def _level(platform: Platform) -> tuple[int, ...] | None:
    """Return the number of a variant; ``None`` for a name that is no number."""
    if not platform.variant:
        return _USUAL_LEVEL.get(platform.architecture, (0, 0))
    match = _VARIANT.fullmatch(platform.variant)
    return tuple(int(number or 0) for number in match.groups()) if match else None


def _below(image: Platform, highest: tuple[int, ...] | None, kind: int) -> tuple[int, ...] | None:
    """Return how well a variant suits a processor of a level: the higher it is, the better."""
    level = _level(image)
    if level is not None and highest is not None and level <= highest:
        return (kind, *(-number for number in level))
    return None if image.variant else (kind, 1)
