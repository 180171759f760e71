"""The images that the services of a merged project name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bundler.discover.hits import Hit, Mark, Place
from bundler.discover.references import read_reference
from bundler.discover.trees import Tree, is_text, list_at, mapping_at, mappings_in, text_at
from bundler.errors import ProjectError

_NAME = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)


class ServiceImages:
    """Reads services; keeps what was left out, and why."""

    def __init__(
        self, project: str, separator: str, files: Mapping[str, str], blanks: Mapping[str, tuple[str, ...]]
    ):
        """Keep what is needed.

        Args:
            project: Name of the project.
            separator: What stands between it and the name of a service in the name of an image that is built.
            files: The file that defines each service.
            blanks: Values with the variables in them that were not set.
        """
        self.notes: list[str] = []
        self._project = project
        self._separator = separator
        self._files = files
        self._blanks = blanks

    def hits(self, services: Mapping[str, Tree]) -> Iterator[Hit]:
        """Yield the images of services that are on: their own, those of their hooks and volumes.

        Raises:
            ProjectError: a service names no image and is not built, or its image is no text or no image's name.
        """
        for name, service in services.items():
            place = Place(self._files.get(name, "-"), f"service {name}")
            if not _NAME.fullmatch(name):
                raise ProjectError(f"{place.file}: not a name for a service: {name!r:.100}")
            if not isinstance(service, dict):
                raise ProjectError(f"{place} must be a mapping")
            yield from self._own(name, service, place)
            for number, hook in enumerate(mappings_in(list_at(service, "pre_start"))):
                yield from self._named(
                    hook.get("image"), Place(place.file, f"{place.part}, pre_start {number + 1}")
                )
            for volume in mappings_in(list_at(service, "volumes")):
                if text_at(volume, "type") == "image":
                    source = volume.get("source")
                    yield from self._named(source, Place(place.file, f"{place.part}, image volume"))

    def _own(self, name: str, service: Mapping[str, Tree], place: Place) -> Iterator[Hit]:
        image = service.get("image")
        if image is not None and not is_text(image):
            raise ProjectError(f"{place}: the image must be a string", advice="Write it in quotes.")
        if mapping_at(service, "provider"):
            self.notes.append(f"{place} is made by a provider, not from an image")
        elif image:
            yield from self._named(image, place)
        elif service.get("build") is not None:
            built = f"{self._project}{self._separator}{name}".lower()
            if read_reference(built) is None:
                raise ProjectError(f"{place} is built, and {built!r:.200} cannot be the name of its image")
            yield Hit(built, place, Mark.BUILD)
        elif image is None or not self._blanks.get(str(image)):
            raise ProjectError(f"{place} has neither an image nor a build")
        else:
            self._left_out(place, self._blanks[str(image)])

    def _named(self, image: Tree, place: Place) -> Iterator[Hit]:
        if image is None:
            return
        if not is_text(image):
            raise ProjectError(f"{place}: the image must be a string", advice="Write it in quotes.")
        text = str(image)
        if read_reference(text) is not None:
            yield Hit(text, place)
        elif self._blanks.get(text):
            self._left_out(place, self._blanks[text])
        else:
            # The text may hold the value of a secret variable by mistake: the place is enough to find it.
            raise ProjectError(f"{place}: the image is not an image's name")

    def _left_out(self, place: Place, variables: tuple[str, ...]) -> None:
        names = f"{', '.join(dict.fromkeys(variables)):.300}"
        self.notes.append(f"{place} is left out: its image is no image's name without {names}")
