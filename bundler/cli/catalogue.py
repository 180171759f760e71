"""The commands, in the groups and the order in which the help lists them.

What is asked most often, ``--version`` and ``--help``, needs no more than this, which imports
nothing that takes time.
"""

from __future__ import annotations

import textwrap

from bundler import __version__

#: Each group with its commands and the first sentences of their help.
COMMANDS = {
    "Near side": {
        "plan": "Say what a pack would do: images, what is shared, sizes, parts, free space. Nothing is written.",
        "pack": "Pack images, grouped by application, into a bundle of parts that fit the medium.",
        "lock": "Resolve every image, choose tags by version, and write down what `pack --locked` then takes "
        "exactly.",
        "discover": "Find the images that projects name, and print a configuration for pack: one application per "
        "project.",
    },
    "Carrying": {
        "inspect": "Show what a bundle holds, and what of it has not arrived: applications, images, sizes. "
        "Reads no part.",
        "verify": "Prove that a bundle is what was packed; name every damaged part, block, image. "
        "Reads each part once.",
        "copy": "Copy a bundle to or from media, verified; what is there and right is kept, so run it again to "
        "go on.",
        "parity": "Make parity beside a bundle, from which `repair` mends what gets damaged or lost on the way.",
        "repair": "Mend damaged and lost blocks, from other copies and from parity; what is made is proven before "
        "it counts.",
        "request": "Write a small file that says which blocks a bundle lacks, to carry back to where it was "
        "packed.",
        "answer": "Write just the blocks that a request asks for, to carry to the bundle; `repair --from DIR` "
        "takes them in.",
    },
    "Far side": {
        "load": "Load images into the Docker engine that the docker command uses, and check that they are there.",
        "push": "Push images to a registry straight from the parts; what is there already is not sent.",
        "check": "Check an import: each image is there, is the bundle's, and passes its smoke test. Changes "
        "nothing.",
        "extract": "Extract images to an OCI layout directory or a docker-archive.",
    },
    "Tools": {
        "schema": "Print the JSON Schema of the configuration file; it is JSON with and without --json.",
    },
}
NAMES = tuple(name for commands in COMMANDS.values() for name in commands)
PURPOSE = "Pack container images by application, carry them into isolated networks, and prove that they arrived."
OPTIONS = {"--version": "Print the version.", "-h, --help": "Show this message and exit."}

_WIDTH = 78


def version_text() -> str:
    """Return what ``--version`` prints."""
    return f"airbundle {__version__}"


def overview() -> str:
    """Return what ``--help`` prints."""
    sections = [_section(group, commands) for group, commands in COMMANDS.items()]
    purpose = textwrap.fill(PURPOSE, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    end = "`airbundle COMMAND --help` says what a command takes."
    return "\n\n".join(
        ["Usage: airbundle [OPTIONS] COMMAND [ARGS]...", purpose, _section("Options", OPTIONS), *sections, end]
    )


def _section(title: str, rows: dict[str, str]) -> str:
    """Return a title and, below it, names with what is said of them in a column of its own."""
    column = max(map(len, rows)) + 4
    lines = [
        textwrap.fill(said, _WIDTH, initial_indent=f"  {name}".ljust(column), subsequent_indent=" " * column)
        for name, said in rows.items()
    ]
    return "\n".join([f"{title}:", *lines])
