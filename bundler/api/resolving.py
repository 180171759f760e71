"""From what a configuration says of an image to the image: by its name, by a rule for tags, or by a lock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bundler.api.image_names import ImageName
from bundler.api.source_set import SourceSet
from bundler.content.images import FoundImage, ImageSource, RegistryForm
from bundler.errors import ConfigError, InvalidReference, LockRefused, NoSuchPlatform, NotFound
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.reference import Reference
from bundler.packing.locking.lock_file import Lock, LockedImage, LockEntry, entry_key, entry_title
from bundler.packing.planning.image_entry import ImageEntry
from bundler.packing.planning.tag_choice import choose_tag, takes


@dataclass(frozen=True)
class Resolved:
    """The images that an entry stands for, and the source that has them."""

    source: ImageSource
    images: tuple[FoundImage, ...]


class Resolver:
    """Finds images; with a lock, exactly those that it names."""

    def __init__(self, sources: SourceSet, lock: Lock | None = None) -> None:
        self._sources = sources
        self._lock = lock

    def find(self, application: str, entry: ImageEntry, platforms: PlatformChoice = EVERY_PLATFORM) -> Resolved:
        """Find what an entry of an application stands for.

        Raises:
            LockRefused: there is a lock, and it does not have the entry, or not what there is.
            NoSuchPlatform: it has nothing for a platform that is wanted.
            NotFound: nobody has the image, no tag fits, or a file holds no image.
            ConfigError: a rule for tags with a name that is no repository at a registry.
            Unreachable, Unauthorised, Refused: a source.
        """
        if self._lock is not None:
            return self._find_locked(application, entry, self._lock, platforms)
        name = self._with_chosen_tag(entry) if entry.rule else entry.image
        source, images = self._find(name, platforms)
        if not images:
            raise NotFound(f"{name} holds no image", advice=f"Leave it out, or mend it for {application}.")
        return Resolved(source, images)

    def _find(self, name: str, platforms: PlatformChoice) -> tuple[ImageSource, tuple[FoundImage, ...]]:
        try:
            return self._sources.find(name, platforms)
        except NoSuchPlatform as error:
            raise NoSuchPlatform(f"{name}: {error}", advice=error.advice) from error

    def _with_chosen_tag(self, entry: ImageEntry) -> str:
        repository = repository_of(entry)
        return f"docker://{repository}:{choose_tag(entry, self._sources.tags(repository))}"

    def _find_locked(self, application: str, entry: ImageEntry, lock: Lock, platforms: PlatformChoice) -> Resolved:
        title = entry_title(application, entry)
        locked = lock.by_key.get(entry_key(application, entry))
        if locked is None:
            raise LockRefused(f"the lock does not have {title}")
        _check_names(entry, locked, title)
        try:
            is_registry = locked.source == "registry"
            found = self._registry_images(locked, platforms) if is_registry else self._others(entry, platforms)
        except NotFound as error:
            raise LockRefused(f"{title}: what is locked is gone: {error}") from error
        wanted, have = set(locked.images), {described(image) for image in found.images}
        if wanted != have or found.source.kind != locked.source:
            raise LockRefused(f"{title} is not what is locked: {_difference(wanted, have)}")
        return found

    def _registry_images(self, locked: LockEntry, platforms: PlatformChoice) -> Resolved:
        """Fetch by digest, whatever the tag stands for now; the name stays."""
        found = []
        for image in locked.images:
            reference = Reference.parse(image.reference)
            source, images = self._find(f"docker://{reference.name}@{image.digest}", platforms)
            found += [replace(one, reference=reference) for one in images]
        return Resolved(source, tuple(found))

    def _others(self, entry: ImageEntry, platforms: PlatformChoice) -> Resolved:
        is_bare = not ImageName.parse(entry.image).transport
        return Resolved(*self._find(f"docker-daemon:{entry.image}" if is_bare else entry.image, platforms))


def repository_of(entry: ImageEntry) -> str:
    """Return the repository of an entry with a rule, as ``registry/repository``.

    Raises:
        ConfigError: the name is none of a registry, or has a tag or digest already.
    """
    name = ImageName.parse(entry.image)
    if name.transport not in ("", "docker"):
        raise ConfigError(f"{entry}: only a registry has tags to choose from", advice="Write docker://NAME.")
    try:
        # With a tag or digest of its own the name takes none behind it.
        return Reference.parse(f"{name.image}:tag").name
    except InvalidReference as error:
        raise ConfigError(
            f"{entry}: {name.image!r:.200} is no repository without tag and digest",
            advice="Leave out the tag: the rule chooses it.",
        ) from error


def described(image: FoundImage) -> LockedImage:
    """Return what a lock says of an image."""
    if isinstance(image, RegistryForm):
        known = (one.platform for one in image.tree.platform_images())
        platforms = sorted(str(platform) for platform in known if platform.is_known)
        return LockedImage(
            reference=str(image.reference), digest=image.tree.root.digest, platforms=tuple(platforms)
        )
    return LockedImage(
        reference=str(image.reference), image_id=image.config_digest, platforms=(str(image.platform),)
    )


def _check_names(entry: ImageEntry, locked: LockEntry, title: str) -> None:
    """Refuse a lock that lets a name stand for another one: it would be packed under a name nobody wrote."""
    name = ImageName.parse(entry.image)
    if name.transport not in ("", "docker", "docker-daemon"):
        # The file decides which names there are, and they are compared with those of the lock.
        may_be = locked.source != "registry"
    elif entry.rule:
        repository, is_taken = repository_of(entry), takes(entry)
        references = [Reference.parse(image.reference) for image in locked.images]
        may_be = locked.source == "registry" and len(references) == 1
        # A rule chooses no digest: one in the name would be a pin that nobody compared with what is packed.
        may_be = may_be and all(
            one.name == repository and one.digest is None and is_taken(one.tag) for one in references
        )
    else:
        written = Reference.parse(name.image)
        (image, *more) = locked.images
        may_be = not more and image.reference == str(written)
        may_be = may_be and written.digest in (None, image.digest)
        may_be = may_be and (name.transport, locked.source) in _MEANT
    if not may_be or (locked.source == "registry" and any(image.digest is None for image in locked.images)):
        raise LockRefused(f"the lock contradicts itself about {title}")


#: Transports of names that are references, and the kinds of sources that they may lead to.
_MEANT = {("", "docker"), ("", "registry"), ("docker", "registry"), ("docker-daemon", "docker")}


def _difference(wanted: set[LockedImage], have: set[LockedImage]) -> str:
    sides = (("locked is", wanted - have), ("there is", have - wanted))
    said = [f"{label} {min(map(_words, images))}" for label, images in sides if images]
    return ", ".join(said) or "it comes from another kind of source"


def _words(image: LockedImage) -> str:
    return f"{image.reference} {image.digest or image.image_id} for {', '.join(image.platforms) or 'no platform'}"
