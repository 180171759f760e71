"""airbundle answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console
from bundler.errors import UsageError

if TYPE_CHECKING:
    from bundler.bundle.requests.answering import AnswerReport
    from bundler.cli.access import AccessWishes
    from bundler.cli.request import Wishes


_Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[BUNDLE]... FILE [APP=IMAGE]...",
        help="Directories that hold the bundle, then the request. Where the bundle is not there any more: the "
        "request, and what the bundle was packed from.",
        show_default=False,
    ),
]
_Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Directory: new, or of an answer that was cut.")
]
_Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="CONFIG",
        help="Pack again what this configuration file says, to nowhere but the wanted blocks.",
        show_default=False,
    ),
]
_Manifest = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        help="The bundle's own bundle.json, for packing again: it holds the options, and sources are read once "
        "instead of twice.",
        show_default=False,
    ),
]


def run(
    words: _Words,
    output: _Output,
    config: _Config = None,
    manifest: _Manifest = None,
    platform: options.Platforms = None,
    name: options.BundleName = None,
    version: options.BundleVersion = None,
    part_size: options.PartSize = None,
    compression: options.Compression = None,
    level: options.CompressionLevel = None,
    small: options.Small = False,
    plain_http: options.PlainHttp = False,
    insecure: options.Insecure = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    wait_for_rate_limit: options.WaitForRateLimit = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Write just the blocks that a request asks for, to carry to the bundle; `repair --from DIR` takes them in.

    From the bundle, each block checked; or from its images, packed again to the same bytes. Run it again to go on.
    """
    from bundler.cli.access import AccessWishes
    from bundler.cli.limits import read_limits
    from bundler.cli.request import Wishes, is_application_image
    from bundler.cli.request_view import finish_answer

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    wishes = Wishes(
        name, version, part_size, compression, level, read_limits(limit), small=small, platforms=platform
    )
    items = [word for word in words if is_application_image(word)]
    places = [Path(word) for word in words if not is_application_image(word)]
    if not places:
        raise UsageError("no request is named", advice="Write airbundle answer [BUNDLE]... FILE -o DIR.")
    *bundles, file = places
    if config is not None:
        items.append(str(config))
    if not items:
        report = _from_bundle(console, bundles, file, output, wishes, manifest)
    else:
        if bundles:
            raise UsageError(f"both a bundle, {bundles[0]}, and images are named", advice="Name one of the two.")
        reach = AccessWishes(plain_http, insecure, username, password_stdin, wait_for_rate_limit)
        report = _from_images(console, items, file, output, wishes, manifest, reach)
    return finish_answer(console, output, report)


def _from_bundle(
    console: Console, bundles: Sequence[Path], file: Path, output: Path, wishes: Wishes, manifest: Path | None
) -> AnswerReport:
    from bundler.api.requests import answer
    from bundler.bundle.reader import open_bundle

    if not bundles:
        raise UsageError(
            "neither a bundle nor what it was packed from is named",
            advice="Write airbundle answer BUNDLE FILE -o DIR, or give --config or APP=IMAGE.",
        )
    if manifest is not None or wishes.has_options:
        raise UsageError("--manifest and options of packing are for bundles that are packed again")
    return answer(open_bundle(*bundles, limits=wishes.limits), file, output, progress=console.progress)


def _from_images(
    console: Console,
    items: Sequence[str],
    file: Path,
    output: Path,
    wishes: Wishes,
    manifest: Path | None,
    reach: AccessWishes,
) -> AnswerReport:
    from bundler.api.requests import answer_from_images
    from bundler.cli.access import read_access
    from bundler.cli.request import read_request

    if manifest is not None and wishes.has_options:
        raise UsageError(
            "--manifest says how the bundle was packed", advice="Leave out the other options of packing."
        )
    applications, chosen = read_request(items, wishes)
    return answer_from_images(
        applications,
        file,
        output,
        options=chosen,
        manifest=manifest,
        access=read_access(console, reach, applications),
        progress=console.progress,
    )
