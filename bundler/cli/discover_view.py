"""How a discovery is shown: the configuration, who names an image, what an update changed."""

from __future__ import annotations

from pathlib import Path

from bundler.api.discovering import update_config
from bundler.cli.console import Console
from bundler.cli.text import show
from bundler.discover.applications import places_of
from bundler.discover.hits import Discovery
from bundler.discover.output import config_text, document
from bundler.errors import NotFound
from bundler.model.limits import Limits


def show_config(console: Console, found: Discovery) -> None:
    """Print the configuration. It is the result and not talk: --quiet leaves out the notes only."""
    _warn(console, found)
    console.document(document(found))
    if not console.as_json:
        show(config_text(found).removesuffix("\n"))


def show_why(console: Console, found: Discovery, wanted: str) -> None:
    """Print who names an image.

    Raises:
        NotFound: nobody does.
    """
    _warn(console, found)
    images = places_of(found, wanted)
    if not images:
        raise NotFound(f"{wanted!r:.200} was not found", advice="Leave --why out to see what was.")
    console.document(
        {
            "images": [
                {
                    "application": application,
                    "image": image.image,
                    "reference": image.reference,
                    "places": [{"file": place.file, "part": place.part} for place in image.places],
                }
                for application, image in images
            ]
        }
    )
    for application, image in images:
        console.line(f"{image.image}  ({application})")
        for place in image.places:
            console.line(f"  {place}")


def show_changes(console: Console, found: Discovery, config: Path, limits: Limits) -> None:
    """Edit a configuration and print what changed."""
    _warn(console, found)
    changes = update_config(config, found, limits)
    console.document(
        {
            "config": str(config),
            "changes": [
                {
                    "application": one.application,
                    "before": one.before or None,
                    "after": one.after or None,
                    "rule": one.rule or None,
                }
                for one in changes
            ],
            "notes": list(found.notes),
        }
    )
    for one in changes:
        if one.rule:
            console.line(f"{one.application}: {one.after} is left to {one.rule}, which may choose another tag")
        elif one.before and one.after:
            console.line(f"{one.application}: {one.before} is now {one.after}")
        elif one.after:
            console.line(f"{one.application}: {one.after} is new")
        else:
            console.line(f"{one.application}: {one.before} was not found, and stays")
    if not changes:
        console.line(f"{config} holds all that was found")


def _warn(console: Console, found: Discovery) -> None:
    for note in found.notes:
        console.warn(note)
