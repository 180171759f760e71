"""Looks at images in a registry after they were imported."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bundler.content.arrivals import Arrival, SmokeResult
from bundler.content.images import OutgoingImage
from bundler.destinations.registry import RegistryDestination
from bundler.destinations.registry_plan import plan_push
from bundler.errors import Refused
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.transports.registry.manifests import find_manifest

_NO_CONTAINERS = "a registry runs no containers"


class RegistryInspector:
    """An ``Inspector`` of a registry; names are those that the destination gives."""

    def __init__(self, destination: RegistryDestination) -> None:
        """Look into the registry of a destination, which the inspector closes."""
        self._destination = destination

    def look(self, image: OutgoingImage) -> Arrival:
        """Compare what the tag stands for with the digest that a push gives it; asks for one manifest, no blob.

        Raises:
            Refused: no registry takes this image, because most of its index is not in the bundle.
            Unauthorised, Unreachable, ProtocolError: the registry.
        """
        target = self._destination.target(image.reference)
        expected = _digests(image.tree)
        found = find_manifest(self._destination.repository(target), target.tag or expected[0])
        return Arrival(
            target=str(target),
            expected=expected,
            found=found,
            is_same=found in expected,
            cannot_run=_NO_CONTAINERS,
            notes=() if found == image.tree.root.digest else plan_push(image.tree).notes,
        )

    def run(self, arrival: Arrival, command: Sequence[str], seconds: float) -> SmokeResult:
        """Run nothing."""
        return SmokeResult(tuple(command), "skipped", reason=_NO_CONTAINERS)

    def close(self) -> None:
        """Close the connections."""
        self._destination.finish()


def _digests(tree: ImageTree) -> tuple[Digest, ...]:
    """Return the digests under which a push may have put an image, the likeliest first."""
    digests = [plan_push(tree).root, tree.root.digest]
    # What a push puts where a registry takes no index with children of a kind that it does not know.
    with suppress(Refused):
        digests.append(plan_push(tree, with_opaque=False).root)
    return tuple(dict.fromkeys(digests))
