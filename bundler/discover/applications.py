"""From projects to the applications of a pack: every image once, sorted, under a name that a bundle takes."""

from __future__ import annotations

import re
from collections import defaultdict

from bundler.discover.hits import Discovery, FoundApplication, FoundImage, Hit, Project, surest
from bundler.discover.references import for_pack, read_reference

_LONGEST_NAME = 60
_RESERVED = re.compile(r"(?:shared|con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.ASCII)


def gather(projects: list[Project]) -> Discovery:
    """Return the applications of all projects. Projects of one name become one application, as in Compose."""
    hits: dict[str, list[Hit]] = defaultdict(list)
    notes: list[str] = []
    for project in projects:
        name = application_name(project.name)
        if name != project.name:
            notes.append(f"the project {project.name!r:.100} becomes the application {name}")
        hits[name] += project.hits
        notes += project.notes
    applications = tuple(FoundApplication(name, _images(hits[name])) for name in sorted(hits) if hits[name])
    return Discovery(applications, tuple(dict.fromkeys(notes)))


def application_name(project: str) -> str:
    """Return a project's name as one that an application, and so a file on any medium, may have."""
    name = re.sub(r"[^a-z0-9._-]+", "-", project.lower()).strip("._-")[:_LONGEST_NAME].rstrip("._-") or "images"
    if ".oci.tar" in f"{name}.":
        name = name.replace(".oci.tar", "-oci-tar")
    return f"{name[: _LONGEST_NAME - 4]}-app" if _RESERVED.fullmatch(name) else name


def _images(hits: list[Hit]) -> tuple[FoundImage, ...]:
    found: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        reference = read_reference(hit.image)
        if reference is not None:
            found[str(reference)].append(hit)
    return tuple(_image(full, found[full]) for full in sorted(found))


def _image(full: str, hits: list[Hit]) -> FoundImage:
    reference = read_reference(full)
    image = hits[0].image if reference is None else for_pack(hits[0].image, reference)
    return FoundImage(image, full, surest(hit.mark for hit in hits), tuple(sorted({hit.place for hit in hits})))


def places_of(discovery: Discovery, wanted: str) -> list[tuple[str, FoundImage]]:
    """Return application and image for every image that a text names: in full, or by its name without tag."""
    reference = read_reference(wanted)
    exact = [
        (application.name, image)
        for application in discovery.applications
        for image in application.images
        if reference is not None and image.reference == str(reference)
    ]
    if exact or reference is None or ":" in wanted.rpartition("/")[2] or "@" in wanted:
        return exact
    return [
        (application.name, image)
        for application in discovery.applications
        for image in application.images
        if (named := read_reference(image.reference)) is not None and named.name == reference.name
    ]
