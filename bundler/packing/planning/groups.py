"""Which images are read together: images in engine form that share layers, so that an engine prepares those once.

Pure: no I/O. An engine saves several images in any order, and a layer that they share lies where the image that
happened to come first has it. Engines before 25 name the place of a layer after the layers below it, and that of
an image's top layer after its config too. So a group is made of images that agree about the place of every layer
that is read with the group; then its contents come in the same order each time, from the engine and from its file.
Which source an image comes from makes no difference: images of one engine, saved in one file or in one each, give
the same groups and so the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bundler.content.chain_ids import chain_ids
from bundler.content.images import EngineForm
from bundler.model.digest import Digest
from bundler.packing.planning.plan import PackPlan, PlannedImage

#: Images of one group. An engine writes all of it to its disk before it sends the first byte; and the sources of a
#: group are open, and the archives of its applications written, at the same time.
LARGEST_GROUP = 8

Group = tuple[PlannedImage, ...]


def make_groups(plan: PackPlan) -> tuple[Group, ...]:
    """Return all images of a plan in groups, in the order in which they are packed.

    Groups are in the order of their first images, and each is in the order of the plan; a group has one image in
    registry form, or up to :data:`LARGEST_GROUP` in engine form. They follow from the plan alone: what of it was
    packed already changes no group.
    """
    groups: list[list[PlannedImage]] = []
    layers = _Layers()
    for image in plan.images:
        number = len(groups)
        if isinstance(image.found, EngineForm):
            places = _places(image.found)
            latest = layers.latest_group(places)
            if latest is not None and len(groups[latest]) < LARGEST_GROUP and layers.fit(places, latest):
                number = latest
            layers.add(places, number)
        if number == len(groups):
            groups.append([])
        groups[number].append(image)
    return tuple(map(tuple, groups))


@dataclass
class _Layers:
    """The layers of all groups so far.

    Attributes:
        home: of each layer the first group that has it, where it is read, and its place in what is saved.
        latest: of each layer the last group that has it.
    """

    home: dict[Digest, tuple[int, Digest]] = field(default_factory=dict)
    latest: dict[Digest, int] = field(default_factory=dict)

    def latest_group(self, places: dict[Digest, Digest]) -> int | None:
        """Return the last group that shares a layer: an image joins none that lies before a home of its layers."""
        return max((self.latest[layer] for layer in places if layer in self.latest), default=None)

    def fit(self, places: dict[Digest, Digest], group: int) -> bool:
        """Tell whether a group may have these layers: each that has its home there must have the same place."""
        homes = ((self.home[layer], place) for layer, place in places.items() if layer in self.home)
        return all(home != group or known == place for (home, known), place in homes)

    def add(self, places: dict[Digest, Digest], group: int) -> None:
        """Take note of an image of a group."""
        for layer, place in places.items():
            self.home.setdefault(layer, (group, place))
            self.latest[layer] = group


def _places(found: EngineForm) -> dict[Digest, Digest]:
    """Return what decides where each layer is saved; of a layer that occurs twice the lower place counts."""
    top_first = (found.config_digest, *reversed(chain_ids(found.diff_ids)[:-1]))
    # Not strict: an image may have no layers.
    return dict(zip(reversed(found.diff_ids), top_first, strict=False))
