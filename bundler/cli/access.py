"""What the options say of how registries are reached."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bundler.api.registry_access import AccessOptions
from bundler.cli.console import Console
from bundler.errors import UsageError
from bundler.packing.planning.image_entry import ImageEntry, entry_of

#: No registry takes a longer one; a token of a cloud has some KiB.
_LONGEST_PASSWORD = 64 << 10


@dataclass(frozen=True)
class AccessWishes:
    """The options as they stand on the command line."""

    plain_http: bool = False
    insecure: Sequence[str] | None = None
    username: str | None = None
    password_stdin: bool = False
    wait_for_rate_limit: bool = False


def read_access(
    console: Console, wishes: AccessWishes, applications: Mapping[str, Sequence[str | ImageEntry]] | None = None
) -> AccessOptions:
    """Return what the options say; the password is read from standard input if it is to come from there.

    Raises:
        UsageError: one of user and password is given without the other, nothing comes, or an image of the
            applications comes by standard input too.
    """
    password = None
    if wishes.password_stdin:
        named = [entry_of(image).image for images in (applications or {}).values() for image in images]
        if any(name.partition(":")[2].partition(":")[0] == "-" for name in named):
            raise UsageError("both an image and a password are to come from standard input")
        password = _read_password()
    if (wishes.username is None) != (password is None):
        raise UsageError("--username and --password-stdin belong together")
    return AccessOptions(
        plain_http=wishes.plain_http,
        insecure=tuple(wishes.insecure or ()),
        username=wishes.username,
        password=password,
        wait_for_rate_limit=wishes.wait_for_rate_limit,
        warn=console.insist,
    )


def _read_password() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "--password-stdin needs a pipe or a file on standard input",
            advice="Write it as in `airbundle push … --username USER --password-stdin < FILE`.",
        )
    raw = sys.stdin.buffer.read(_LONGEST_PASSWORD + 1)
    try:
        password = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        password = ""
    if not password or len(raw) > _LONGEST_PASSWORD or "\n" in password:
        raise UsageError("what comes by standard input is no password: one line of text is expected")
    return password
