"""Gathers of an image only the platforms that are wanted; its indexes stay as they are, and so become sparse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bundler.content.trees import Fetch, Holds, collect_tree
from bundler.errors import NoSuchPlatform
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.manifest import Index, Manifest
from bundler.model.platform_choice import EVERY_PLATFORM, NOTHING_CHOSEN, PlatformChoice, PlatformSelection
from bundler.model.platforms import Platform

#: By these annotations BuildKit's attestations say what they attest.
REFERENCE_DIGEST = "vnd.docker.reference.digest"


def collect_chosen(
    root: Descriptor,
    fetch: Fetch,
    choice: PlatformChoice = EVERY_PLATFORM,
    limits: Limits = DEFAULT_LIMITS,
    holds: Holds | None = None,
) -> tuple[ImageTree, PlatformSelection]:
    """Fetch the documents of an image as :func:`collect_tree` does, but of its indexes only what is wanted.

    An image without an index is taken whatever it is for. Of an index are taken: for each platform that is wanted
    all that suit it best of what is there; what attests these; and what is for no platform, such as artifacts.
    Manifests of other platforms are not even fetched. Where nobody named a platform and only one is there, that
    is taken.

    Args:
        root: Of the image.
        fetch: Gives documents.
        choice: What is wanted.
        limits: As for ``collect_tree``.
        holds: As for ``collect_tree``.

    Raises:
        NoSuchPlatform: the image has nothing for a platform; the error lists what it has.
        DamagedContent, MalformedDocument: as ``collect_tree`` says.
    """
    if choice.is_all or root.media_type in media_types.MANIFESTS:
        return collect_tree(root, fetch, limits, holds), NOTHING_CHOSEN
    remembered = _Fetched(fetch, limits)
    survey = collect_tree(
        root, lambda found: None if _says_platform(found) and found is not root else remembered(found), limits
    )
    offers = _Offers.of(survey)
    if not offers.for_platforms:
        return collect_tree(root, remembered, limits, holds), NOTHING_CHOSEN
    chosen, notes = _choose(offers, choice, lambda found: remembered(found) is not None)
    kept = chosen | offers.for_none | {one.digest for one, subject in offers.attesting if subject in chosen}

    def is_kept(child: Descriptor) -> bool:
        if child.platform is None and REFERENCE_DIGEST not in child.annotations:
            return True
        if child.annotations.get(REFERENCE_DIGEST) in chosen:
            return True
        return child.platform is not None and any(child.platform.runs_on(one) for one in choice.wanted)

    tree = collect_tree(
        root,
        lambda found: remembered(found) if found.digest in kept or found.digest not in offers.leaves else None,
        limits,
        None if holds is None else lambda child: is_kept(child) and holds(child),
    )
    return tree, PlatformSelection(offers.listed, _absent(tree), notes)


class _Fetched:
    """Fetches each document once, and no more of them than an image may have."""

    def __init__(self, fetch: Fetch, limits: Limits) -> None:
        self._fetch = fetch
        self._limits = limits
        self._known: dict[Digest, bytes | None] = {}
        self._left = limits.tree_bytes

    def __call__(self, descriptor: Descriptor) -> bytes | None:
        if descriptor.digest not in self._known:
            raw = self._known[descriptor.digest] = self._fetch(descriptor)
            self._left -= len(raw or b"")
            if len(self._known) > self._limits.documents:
                raise beyond(self._limits.documents, "the image has too many manifests and configs")
            if self._left < 0:
                raise beyond(
                    self._limits.tree_bytes, "the manifests and configs of the image are too large together"
                )
        return self._known[descriptor.digest]


def _says_platform(child: Descriptor) -> bool:
    """Tell whether a child of an index is a manifest of which the index says all that is needed to choose."""
    is_manifest = child.media_type in media_types.MANIFESTS
    return is_manifest and (child.platform is not None or REFERENCE_DIGEST in child.annotations)


@dataclass(frozen=True)
class _Offers:
    """What the indexes of an image list besides indexes.

    Attributes:
        for_platforms: images, each with its platform as the index says it, else its config.
        attesting: attestations, each with the digest of what it attests.
        for_none: digests of what is for no platform.
        leaves: digests of all manifests.
    """

    for_platforms: tuple[tuple[Descriptor, Platform], ...]
    attesting: tuple[tuple[Descriptor, str], ...]
    for_none: frozenset[Digest]
    leaves: frozenset[Digest]

    @classmethod
    def of(cls, survey: ImageTree) -> _Offers:
        read = {image.descriptor.digest: image for image in survey.platform_images()}
        images: dict[Digest, tuple[Descriptor, Platform]] = {}
        attesting: dict[Digest, tuple[Descriptor, str]] = {}
        for_none, leaves = set(), set()
        for child in _leaves(survey):
            leaves.add(child.digest)
            subject = child.annotations.get(REFERENCE_DIGEST)
            platform = child.platform
            if platform is None and child.digest in read:
                platform = read[child.digest].platform if read[child.digest].config else None
            if subject is not None:
                attesting.setdefault(child.digest, (child, subject))
            elif platform is not None and platform.is_known:
                images.setdefault(child.digest, (child, platform))
            elif child.platform is None:
                for_none.add(child.digest)
        return cls(tuple(images.values()), tuple(attesting.values()), frozenset(for_none), frozenset(leaves))

    @property
    def listed(self) -> tuple[Platform, ...]:
        """Every platform once, sorted by name."""
        return _names(platform for _, platform in self.for_platforms)


def _leaves(survey: ImageTree) -> Iterator[Descriptor]:
    """Yield every manifest that an index lists, but no index."""
    nodes = {descriptor.digest: node for descriptor, node in survey.nodes()}
    for node in nodes.values():
        for child in node.manifests if isinstance(node, Index) else ():
            if not media_types.is_image_document(child.media_type) or child.media_type in media_types.INDEXES:
                continue
            if isinstance(nodes.get(child.digest), Manifest) or child.digest not in nodes:
                yield child


def _choose(offers: _Offers, choice: PlatformChoice, is_there: Holds) -> tuple[frozenset[Digest], tuple[str, ...]]:
    """Return the digests of what is taken, and notes on what is not just what was wanted."""
    taken: set[Digest] = set()
    notes: list[str] = []
    for wanted in choice.wanted:
        found = _best(offers, wanted, is_there)
        if not found:
            there = [(child, platform) for child, platform in offers.for_platforms if is_there(child)]
            only = _names(platform for _, platform in there)
            if not (choice.is_default and len(only) == 1):
                raise _refusal(wanted, offers, only)
            notes.append(f"{only[0]} was taken, the only platform that is there")
            found = there
        elif (best := found[0][1]).fitness(wanted) != (0,):
            notes.append(f"{best} was taken for {wanted}, the best of what is there")
        taken.update(child.digest for child, _ in found)
    return frozenset(taken), tuple(notes)


def _best(offers: _Offers, wanted: Platform, is_there: Holds) -> list[tuple[Descriptor, Platform]]:
    by_fitness: dict[tuple[int, ...], list[tuple[Descriptor, Platform]]] = {}
    for child, platform in offers.for_platforms:
        if (fitness := platform.fitness(wanted)) is not None:
            by_fitness.setdefault(fitness, []).append((child, platform))
    for _, group in sorted(by_fitness.items(), key=lambda item: item[0]):
        if found := [(child, platform) for child, platform in group if is_there(child)]:
            return found
    return []


def _refusal(wanted: Platform, offers: _Offers, there: tuple[Platform, ...]) -> NoSuchPlatform:
    held = ", ".join(map(str, there)) or "none"
    absent = ", ".join(str(one) for one in offers.listed if one not in there)
    more = f"; its index also lists {absent}, which the source does not have" if absent else ""
    return NoSuchPlatform(f"the image has nothing for {wanted}; it has: {held}{more}")


def _names(platforms: Iterator[Platform]) -> tuple[Platform, ...]:
    normal = {Platform.of(one.os, one.architecture, one.variant) for one in platforms}
    return tuple(sorted(normal, key=str))


def _absent(tree: ImageTree) -> tuple[Digest, ...]:
    held = {blob.digest for blob in tree.blobs()}
    nodes = [node for _, node in tree.nodes() if isinstance(node, Index)]
    return tuple(sorted({child.digest for node in nodes for child in node.manifests} - held))
