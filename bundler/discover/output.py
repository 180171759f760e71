"""A discovery as a configuration that `pack` takes, and as a JSON document."""

from __future__ import annotations

import yaml

from bundler.discover.hits import Discovery, FoundImage, Mark
from bundler.discover.trees import Mapping

_HEAD = "# Images found by `airbundle discover`; `airbundle pack` takes this file as it is.\n"
_LONGEST_COMMENT = 160


def config_text(discovery: Discovery) -> str:
    """Return the configuration: sorted, each image with who names it, guesses and builds marked."""
    lines = [_HEAD, "applications:\n"]
    for application in discovery.applications:
        lines += [f"  {quoted(application.name)}:\n", "    images:\n"]
        lines += [f"      - {quoted(image.image)}  # {comment_of(image)}\n" for image in application.images]
    return "".join(lines)


def comment_of(image: FoundImage) -> str:
    """Return the comment of an image: its mark, and the places that name it. Always one printable line."""
    mark = {Mark.SURE: "", Mark.GUESS: "guess: ", Mark.BUILD: "build: "}[image.mark]
    text = mark + "; ".join(str(place) for place in image.places)
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= _LONGEST_COMMENT else text[: _LONGEST_COMMENT - 1] + "…"


def quoted(text: str) -> str:
    """Return a name as YAML that is read as the same text: in quotes only where it needs them."""
    try:
        if yaml.safe_load(text) == text and yaml.safe_load(f"[{text}]") == [text] and ": " not in f"{text} ":
            return text
    except (yaml.YAMLError, ValueError):
        pass
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def document(discovery: Discovery) -> Mapping:
    """Return the JSON document of a discovery."""
    return {
        "applications": [
            {"name": application.name, "images": [_image(image) for image in application.images]}
            for application in discovery.applications
        ],
        "notes": list(discovery.notes),
    }


def _image(image: FoundImage) -> Mapping:
    return {
        "image": image.image,
        "reference": image.reference,
        "guess": image.mark is Mark.GUESS,
        "build": image.mark is Mark.BUILD,
        "places": [{"file": place.file, "part": place.part} for place in image.places],
    }
