"""Options of push about names: what images are called in the registry, and where that is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Rename = Annotated[
    list[str] | None,
    typer.Option(
        "--rename",
        metavar="OLD=NEW",
        help="Put what begins with OLD, such as docker.io/library, below NEW instead; whole components. May be "
        "repeated: tables are tried first, then expressions, then these, then --names, each in the order given.",
        show_default=False,
    ),
]
RenameRegex = Annotated[
    list[str] | None,
    typer.Option(
        "--rename-regex",
        metavar="PATTERN=NEW",
        help="Name what PATTERN matches as a whole, registry/repository or registry/repository:tag, as NEW says, "
        "with \\1 or \\g<name> for its groups. May be repeated.",
        show_default=False,
    ),
]
RenameTable = Annotated[
    list[Path] | None,
    typer.Option(
        "--rename-table",
        metavar="FILE",
        help="File with an old and a new name in each line; # begins a comment. May be repeated.",
        show_default=False,
    ),
]
Names = Annotated[
    Path | None,
    typer.Option(
        "--names",
        metavar="FILE",
        help="YAML file with rename rules in any order, and the options on names; see docs/names.md.",
        show_default=False,
    ),
]
NoRename = Annotated[
    bool,
    typer.Option(
        "--no-rename",
        help="Leave out the rename rules that the bundle brings; rules that are given here do so too.",
    ),
]
KeepRegistryName = Annotated[
    bool,
    typer.Option(
        "--keep-registry-name", help="Put reg.test/shop/web below reg.test/, where no rename rule says otherwise."
    ),
]
Flatten = Annotated[
    bool,
    typer.Option("--flatten", help="Write shop-web instead of shop/web, for registries without nested paths."),
]
TagUntagged = Annotated[
    str,
    typer.Option(
        "--tag-untagged",
        metavar="TAG",
        help="Tag images that have only a digest, such as sha256-{short}: {short} is 12 digits of it, {hex} all.",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be named how, and what is there already; send nothing.")
]
Offline = Annotated[bool, typer.Option("--offline", help="With --dry-run: do not even ask the registry.")]
Mapping = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        metavar="FILE",
        help="Write old and new names of the images that are there then, or would be; - for stdout, instead of "
        "the usual output.",
        show_default=False,
    ),
]
MappingFormat = Annotated[
    str,
    typer.Option(
        "--mapping-format",
        metavar="json|table|kustomize|helm",
        help="JSON; lines of old name, new name, digest; the images of a kustomization; hints for Helm values.",
    ),
]
