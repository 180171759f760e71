"""Platforms of the OCI image index (image-index.md, "platform")."""

from __future__ import annotations

import msgspec

from bundler.errors import UsageError

_ALIASES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i686": "386",
    "armhf": "arm",
}


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
        architecture = _ALIASES.get(architecture.lower(), architecture.lower())
        if architecture == "arm64" and variant == "v8":
            variant = ""
        return cls(architecture=architecture, os=os.lower(), variant=variant)

    @property
    def is_known(self) -> bool:
        """False for attestations, whose platform is ``unknown/unknown``, and where nothing is said."""
        return self.architecture not in ("", "unknown") and self.os not in ("", "unknown")

    def runs_on(self, host: Platform) -> bool:
        """Tell whether the host runs this image natively; a variant that is not said fits every host."""
        mine, theirs = (Platform.of(p.os, p.architecture, p.variant) for p in (self, host))
        if (mine.os, mine.architecture) != (theirs.os, theirs.architecture):
            return False
        return not mine.variant or not theirs.variant or mine.variant <= theirs.variant

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))
