"""Options and arguments that several commands have; each is defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.model.limits import CHANGEABLE

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print the causes of errors.")]

BundleDirectories = Annotated[
    list[Path],
    typer.Argument(
        metavar="BUNDLE",
        help="Directory that holds bundle.json; several, such as sticks, that hold one bundle together.",
        show_default=False,
    ),
]
Applications = Annotated[
    list[str] | None,
    typer.Option("--app", metavar="NAME", help="Only this application; may be repeated."),
]
Present = Annotated[
    bool,
    typer.Option(
        "--present",
        help="Only files that lie here, damaged or unfinished: for one stick of several. What is not here at all "
        "is neither made nor missed.",
    ),
]
Images = Annotated[
    list[str] | None,
    typer.Option("--image", metavar="REF", help="Only this image, by full or short name; may be repeated."),
]
LimitValues = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=VALUE",
        help="Accept more, or less, from outside than usual; may be repeated. "
        f"Names: {', '.join(CHANGEABLE)}. Those of bytes take a size, such as 2TiB.",
        show_default=False,
    ),
]
PlainHttp = Annotated[
    bool, typer.Option("--plain-http", help="Talk to registries without TLS. Anyone on the way can read it.")
]
Insecure = Annotated[
    list[str] | None,
    typer.Option(
        "--insecure",
        metavar="HOST[:PORT]",
        help="Let this registry go without TLS, or with a certificate that nobody trusts; may be repeated. "
        "Each one that is spoken to so is warned about.",
        show_default=False,
    ),
]
Username = Annotated[
    str | None,
    typer.Option(
        "--username",
        metavar="USER",
        help="User at the one registry that is involved, with --password-stdin. Default: AIRBUNDLE_USERNAME and "
        "AIRBUNDLE_PASSWORD, then what docker or podman login stored.",
        show_default=False,
    ),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password for --username from standard input.")
]
WaitForRateLimit = Annotated[
    bool,
    typer.Option(
        "--wait-for-rate-limit", help="Wait, hours if need be, where a registry allows no more pulls for now."
    ),
]
ExistingTag = Annotated[
    str,
    typer.Option(
        "--on-existing-tag",
        metavar="overwrite|skip|error",
        help="What to do with a name that points to another image already.",
    ),
]

Items = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONFIG] [APP=IMAGE]...",
        help="A configuration file, images by application, or both. Images are named NAME or TRANSPORT:NAME.",
        show_default=False,
    ),
]
Platforms = Annotated[
    list[str] | None,
    typer.Option(
        "--platform",
        metavar="OS/ARCH[/VARIANT],...|all",
        help="Take these platforms of images that have several; may be repeated. Default: this machine's.",
        show_default=False,
    ),
]
Locked = Annotated[
    bool,
    typer.Option(
        "--locked",
        help="Take exactly what airbundle.lock names, which lies beside CONFIG; refuse if that cannot be.",
    ),
]
LockFile = Annotated[
    Path | None,
    typer.Option(
        "--lock-file", metavar="FILE", help="Likewise, with a lock of another name or place.", show_default=False
    ),
]
BundleName = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="TEXT", help="Name of the bundle; default: its applications, joined.", show_default=False
    ),
]
BundleVersion = Annotated[
    str | None,
    typer.Option("--bundle-version", metavar="TEXT", help="Version of the bundle, any text.", show_default=False),
]
NoReferrers = Annotated[
    bool,
    typer.Option(
        "--no-referrers",
        help="Leave behind what refers to the images: signatures, attestations, SBOMs.",
    ),
]
PartSize = Annotated[
    str | None,
    typer.Option(
        "--part-size",
        metavar="SIZE",
        help="Largest part: a size (KB is 1000, KiB 1024), or fat32, dvd, bd, none. Default: 3900MiB.",
        show_default=False,
    ),
]
Compression = Annotated[
    str | None,
    typer.Option(
        "--compression",
        metavar="zstd|gzip",
        help="For layers that have no registry form yet. Engines before 23 and some tools read only gzip. "
        "Default: zstd.",
        show_default=False,
    ),
]
CompressionLevel = Annotated[
    int | None,
    typer.Option("--level", help="zstd 1-19, default 3; gzip 1-9, default 6.", show_default=False),
]
Small = Annotated[
    bool,
    typer.Option("--small", help="Compress more, and several times as slowly: zstd 9, and matches from far back."),
]
Parity = Annotated[
    str | None,
    typer.Option(
        "--parity",
        metavar="SHARE",
        help="Then make parity of this share of the bundle, such as 10%, from which damage is mended.",
        show_default=False,
    ),
]
SurviveParts = Annotated[
    int | None,
    typer.Option(
        "--survive-parts",
        metavar="N",
        help="Make the least parity that mends N lost parts, whichever they are.",
        show_default=False,
    ),
]
Reused = Annotated[
    list[Path] | None,
    typer.Option(
        "--reuse",
        metavar="BUNDLE",
        help="Directory of an older bundle: what it has is copied, and not read from its source. May be repeated; "
        "the new bundle is the same as without.",
        show_default=False,
    ),
]
CacheDirectory = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Keep blobs of this pack in a directory, and reuse those that are there.",
        show_default=False,
    ),
]
CacheSize = Annotated[
    str | None,
    typer.Option(
        "--cache-size",
        metavar="SIZE",
        help="What the cache may hold between packs: those not used for longest go. Default: 20GiB.",
        show_default=False,
    ),
]
