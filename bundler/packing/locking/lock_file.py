"""airbundle.lock: what each image of a configuration was resolved to (docs/lock.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import msgspec

from bundler.errors import AirbundleError, ConfigError, MalformedDocument
from bundler.model.digest import Digest
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.packing.planning.image_entry import ImageEntry

LOCK_FILE = "airbundle.lock"
MEDIA_TYPE = "application/vnd.airbundle.lock.v1+json"
_ANY_VERSION = "application/vnd.airbundle.lock."
#: Kinds of sources, and what an image is known by there.
SOURCES = ("docker", "oci", "registry", "bundle")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_LONGEST_TEXT = 4_096


class LockedImage(
    msgspec.Struct, frozen=True, kw_only=True, order=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One image that a name stood for.

    Attributes:
        reference: full name, with the tag that was chosen where a rule chooses.
        digest: of its manifest or index; ``None`` for an image from a store that keeps none.
        image_id: of such an image; exactly one of the two is there.
        platforms: of what was found, sorted.
    """

    reference: str
    digest: Digest | None = None
    image_id: Digest | None = None
    platforms: tuple[str, ...] = ()


class LockEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One image of a configuration, as it is written there, and what it was resolved to.

    Attributes:
        application: that has it.
        image: its name as written, and ``version`` or ``tags`` of its rule.
        source: kind of the source that has it: ``docker``, ``oci``, ``registry`` or ``bundle``.
        where: host of the registry, file or directory; ``engine`` for an engine. For people.
        resolved: when, UTC; since when it is so, if locking again found the same.
        images: what it stood for, by reference; several for a file that was named without one.
    """

    application: str
    image: str
    version: str | None = None
    tags: str | None = None
    source: str
    where: str
    resolved: str
    images: tuple[LockedImage, ...]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it this entry."""
        return entry_key(self.application, ImageEntry(image=self.image, version=self.version, tags=self.tags))

    @property
    def title(self) -> str:
        """The entry in words."""
        return entry_title(self.application, ImageEntry(image=self.image, version=self.version, tags=self.tags))


class _Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    media_type: str = msgspec.field(name="mediaType")
    images: tuple[LockEntry, ...]


@dataclass(frozen=True)
class Lock:
    """All entries, sorted by application, name and rule."""

    entries: tuple[LockEntry, ...]

    @classmethod
    def of(cls, entries: Iterable[LockEntry]) -> Lock:
        """Sort entries; those that say the same are one."""
        return cls(tuple(sorted({entry.key: entry for entry in entries}.values(), key=lambda entry: entry.key)))

    @cached_property
    def by_key(self) -> dict[tuple[str, str, str, str], LockEntry]:
        """Every entry by its key."""
        return {entry.key: entry for entry in self.entries}


def entry_key(application: str, entry: ImageEntry) -> tuple[str, str, str, str]:
    """Return what an image of a configuration is found by in a lock."""
    return application, entry.image, entry.version or "", entry.tags or ""


def entry_title(application: str, entry: ImageEntry) -> str:
    """Return an image of a configuration in words."""
    return f"{entry} in the application {application}"


def write_lock(lock: Lock, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Write a lock: JSON with sorted keys, a line for each value, so that changes show line by line.

    Raises:
        ConfigError: nobody could read it, because of a name or of its size.
    """
    plain = msgspec.to_builtins(_Fields(media_type=MEDIA_TYPE, images=lock.entries), enc_hook=str)
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=2) + "\n"
    try:
        # A file's name may hold bytes that are no text.
        raw = text.encode("utf-8")
        parse_lock(raw, "the lock", limits)
    except (UnicodeEncodeError, ConfigError) as error:
        said = "a name holds what is no text" if isinstance(error, UnicodeEncodeError) else str(error)
        raise ConfigError(
            f"no lock can hold this: {said}", advice="Rename the file, or lock fewer images at once."
        ) from error
    return raw


def parse_lock(raw: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Lock:
    """Read a lock; ``name`` is the file's, for errors. What is not known is refused: it might matter.

    Raises:
        ConfigError: it is no lock, of another version, beyond a bound, or contradicts itself.
    """
    try:
        value = parse_json(raw, name, limit=limits.config_bytes, limits=limits)
        said = value.get("mediaType") if isinstance(value, dict) else None
        if said != MEDIA_TYPE:
            if isinstance(said, str) and said.startswith(_ANY_VERSION):
                raise ConfigError(f"{name} has the format {said:.100}; this release reads v1", advice=_NEWER)
            raise ConfigError(f"{name} does not say that it is a lock", advice=_AGAIN)
        entries = convert(value, _Fields, name).images
        if (count := sum(len(entry.images) for entry in entries)) > limits.images:
            raise beyond(limits.images, f"{name} has {count} images")
        for entry in entries:
            _check_entry(entry)
    except MalformedDocument as error:
        raise ConfigError(str(error), advice=_AGAIN) from error
    except _Contradiction as error:
        raise ConfigError(f"{name}: {error}", advice=_AGAIN) from error
    if len({entry.key for entry in entries}) != len(entries):
        raise ConfigError(f"{name}: an image stands twice", advice=_AGAIN)
    return Lock.of(entries)


_AGAIN = "Make it anew with `airbundle lock`."
_NEWER = "Use a newer release of airbundle."


class _Contradiction(Exception):
    """An entry that cannot be meant."""


def _check_entry(entry: LockEntry) -> None:
    texts = (entry.application, entry.image, entry.version or "", entry.tags or "", entry.where)
    if any(len(text) > _LONGEST_TEXT for text in texts) or not entry.where.isprintable():
        raise _Contradiction("a text is too long, or has characters that no name has")
    if entry.source not in SOURCES or not _TIME.fullmatch(entry.resolved) or not entry.images:
        raise _Contradiction(f"{entry.title!r:.200} does not say what it was resolved to, or where, or when")
    for image in entry.images:
        try:
            if str(Reference.parse(image.reference)) != image.reference:
                raise _Contradiction(f"{image.reference!r:.200} is not a full name")
            if any(str(Platform.parse(platform)) != platform for platform in image.platforms):
                raise _Contradiction(f"{image.reference}: a platform is none")
        except AirbundleError as error:
            raise _Contradiction(str(error)) from error
        if (image.digest is None) == (image.image_id is None):
            raise _Contradiction(f"{image.reference} has not just one of digest and image_id")
    if len({image.reference for image in entry.images}) != len(entry.images):
        raise _Contradiction(f"{entry.title!r:.200}: a reference stands twice")
