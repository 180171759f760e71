"""airbundle push."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.cli import naming_options, options
from bundler.cli.console import Console

if TYPE_CHECKING:
    from bundler.api.naming.choosing import NamingWishes
    from bundler.cli.access import AccessWishes
    from bundler.cli.push_view import PushView

_Destination = Annotated[str, typer.Argument(metavar="REGISTRY[/PREFIX]", help="Where the images go.")]
_Jobs = Annotated[int, typer.Option("--jobs", min=1, max=32, help="Blobs that are sent at once.")]
_ChunkSize = Annotated[
    str | None,
    typer.Option(
        "--chunk-size",
        metavar="SIZE",
        help="Send layers in pieces of this size, from 64KiB on. Default: by the rate, 16MiB to 256MiB.",
        show_default=False,
    ),
]
_SparseIndex = Annotated[
    bool,
    typer.Option(
        "--sparse-index",
        help="Try to push the index also where only some of its platforms were packed. Most registries refuse "
        "that; then it is as without.",
    ),
]
_CreateProjects = Annotated[
    bool, typer.Option("--create-projects", help="Make projects of Harbor that are missing, as private ones.")
]


def run(
    bundles: options.BundleDirectories,
    destination: _Destination,
    app: options.Applications = None,
    image: options.Images = None,
    jobs: _Jobs = 4,
    chunk_size: _ChunkSize = None,
    sparse_index: _SparseIndex = False,
    no_referrers: options.NoReferrers = False,
    create_projects: _CreateProjects = False,
    plain_http: options.PlainHttp = False,
    insecure: options.Insecure = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    wait_for_rate_limit: options.WaitForRateLimit = False,
    rename: naming_options.Rename = None,
    rename_regex: naming_options.RenameRegex = None,
    rename_table: naming_options.RenameTable = None,
    names: naming_options.Names = None,
    no_rename: naming_options.NoRename = False,
    keep_registry_name: naming_options.KeepRegistryName = False,
    flatten: naming_options.Flatten = False,
    tag_untagged: naming_options.TagUntagged = "",
    on_existing_tag: options.ExistingTag = "error",
    dry_run: naming_options.DryRun = False,
    offline: naming_options.Offline = False,
    mapping: naming_options.Mapping = None,
    mapping_format: naming_options.MappingFormat = "json",
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Push images to a registry straight from the parts; what is there already is not sent."""
    from bundler.api.naming.choosing import NamingWishes
    from bundler.cli.access import AccessWishes
    from bundler.cli.push_view import PushView

    view = PushView.prepare(Console(as_json=json, quiet=quiet, verbose=verbose), mapping, mapping_format)
    access = AccessWishes(plain_http, insecure, username, password_stdin, wait_for_rate_limit)
    rules = (rename_table or (), rename_regex or (), rename or (), names)
    wishes = NamingWishes(*rules, not no_rename, keep_registry_name, flatten, tag_untagged)
    how = _How(jobs, chunk_size, sparse_index, create_projects, on_existing_tag, dry_run, offline)
    chosen = (tuple(app or ()), tuple(image or ()))
    work = _Work(tuple(bundles), destination, chosen, not no_referrers, tuple(limit or ()))
    return _push(view, work, access, wishes, how)


@dataclass(frozen=True)
class _Work:
    """What is pushed where: applications and images as they were chosen, with or without what refers to them."""

    bundles: tuple[Path, ...]
    destination: str
    chosen: tuple[tuple[str, ...], tuple[str, ...]]
    referrers: bool
    limits: tuple[str, ...]


@dataclass(frozen=True)
class _How:
    """What the options of these names say."""

    jobs: int
    chunk_size: str | None
    sparse_index: bool
    create_projects: bool
    on_existing_tag: str
    dry_run: bool
    offline: bool


def _push(view: PushView, work: _Work, access: AccessWishes, naming: NamingWishes, how: _How) -> int:
    from bundler.api.transfers import Selection, push
    from bundler.bundle.reader import open_bundle
    from bundler.cli.access import read_access
    from bundler.cli.limits import read_limits
    from bundler.cli.transfer_view import checked_policy
    from bundler.model.sizes import parse_size

    bundle = open_bundle(*work.bundles, limits=read_limits(work.limits), referrers=work.referrers)
    report = push(
        bundle,
        work.destination,
        Selection(*work.chosen),
        jobs=how.jobs,
        access=read_access(view.console, access),
        on_existing_tag=checked_policy(how.on_existing_tag),
        naming=view.naming(naming, bundle),
        dry_run=how.dry_run,
        offline=how.offline,
        chunk_bytes=None if how.chunk_size is None else parse_size(how.chunk_size),
        create_projects=how.create_projects,
        sparse_index=how.sparse_index,
        progress=view.console.progress,
    )
    return view.finish(report, bundle, dry_run=how.dry_run)
