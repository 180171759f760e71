"""The catalogue of everything that can go wrong, with code, exit status and advice.

Every error that a caller may see is a subclass of :class:`AirbundleError`. The table in
``docs/reference/errors.md`` is generated from the classes of this module.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """What the command says to the shell. Scripts rely on the numbers; they never change their meaning."""

    DONE = 0
    BUG = 1
    USAGE = 2
    MENDABLE = 3
    DAMAGED = 4
    INCOMPLETE = 5
    NOT_A_BUNDLE = 6
    REFUSED_BY_POLICY = 7
    UNREACHABLE = 10
    REFUSED = 11
    LOCAL_DISK = 12
    INTERRUPTED = 130


class AirbundleError(Exception):
    """Base of all declared errors.

    Attributes:
        code: Stable, machine-readable name of the class.
        exit_status: What the command exits with.
        advice: What the user can do next; one sentence.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[ExitStatus] = ExitStatus.BUG
    default_advice: ClassVar[str] = "Please report this with the output of --verbose."

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice or self.default_advice

    def __str__(self) -> str:
        return self.message


class UsageError(AirbundleError):
    """The command line or the arguments of a call contradict each other or are out of bounds."""

    code = "usage"
    exit_status = ExitStatus.USAGE
    default_advice = "Correct the command; --help lists what it takes."


class ConfigError(UsageError):
    """The configuration file is not what its schema says."""

    code = "config"
    default_advice = "Correct the file; `airbundle schema` prints what it may hold."


class ProjectError(ConfigError):
    """A file in which images are looked for is not what its kind asks, or names what is not there."""

    code = "project"
    default_advice = "Correct what is named, or search something else."


class InvalidReference(UsageError):
    """An image name does not follow the grammar of references."""

    code = "invalid-reference"
    default_advice = "Write it as [transport:][registry/]repository[:tag][@digest]."


class NotFound(UsageError):
    """A file, image, tag or application that was named is not there."""

    code = "not-found"
    default_advice = "Check the spelling and what the source holds."


class NoSuchPlatform(UsageError):
    """An image has none of the platforms that were asked for."""

    code = "no-such-platform"
    default_advice = "Name a platform that it has with --platform, or all."


class OutputExists(UsageError):
    """The place to write to already holds something that this run must not touch."""

    code = "output-exists"
    default_advice = "Name another directory, or empty this one."


class MendableBundle(AirbundleError):
    """The bundle is damaged, and what it holds is enough to mend it."""

    code = "mendable-bundle"
    exit_status = ExitStatus.MENDABLE
    default_advice = "Run `airbundle repair` on it."


class DamagedContent(AirbundleError):
    """Bytes are not what their digest, size or form says: truncated, altered, or with something behind."""

    code = "damaged-content"
    exit_status = ExitStatus.DAMAGED
    default_advice = "Get this file or image again; run `airbundle verify` if it came from a bundle."


class NotReproducible(DamagedContent):
    """Packing the same images again gave other bytes."""

    code = "not-reproducible"
    default_advice = "The source gives other bytes each time, or this machine's memory fails; do not rely on it."


class MalformedDocument(DamagedContent):
    """A JSON document, a tar header or another structure breaks its specification or a bound."""

    code = "malformed-document"
    default_advice = "Make the file or image again with the tool it came from."


class LimitExceeded(MalformedDocument):
    """Something is larger, deeper or more than is accepted from outside; the message names the limit."""

    code = "limit-exceeded"
    default_advice = "No honest image or bundle comes near this limit: find out who made it."


class NotRegular(DamagedContent):
    """A link, pipe, device or directory lies where a regular file must be."""

    code = "not-regular"
    default_advice = "Replace it with the file itself."


class DamagedBundle(DamagedContent):
    """A part of the bundle is damaged."""

    code = "damaged-bundle"
    default_advice = "Run `airbundle verify` to see which parts must be copied again."


class UndecidedTable(DamagedBundle):
    """Files of a bundle speak for different tables of contents, and nothing says which one is right."""

    code = "undecided-table"
    default_advice = (
        "Name another copy of the bundle as well (`repair --from DIR`); or compare the sums with the id that was "
        "noted where it was packed, and remove the file that is wrong."
    )


class IncompleteBundle(AirbundleError):
    """Parts are not there yet, or the bundle was never finished.

    Attributes:
        parts: the files that are waited for, as far as they are known.
    """

    code = "incomplete-bundle"
    exit_status = ExitStatus.INCOMPLETE
    default_advice = "Bring the missing parts, or run the interrupted command again."

    def __init__(self, message: str, *, advice: str | None = None, parts: tuple[str, ...] = ()) -> None:
        super().__init__(message, advice=advice)
        self.parts = parts


class NotListed(AirbundleError):
    """An image of the bundle is not at the place where it should be after the import."""

    code = "not-listed"
    exit_status = ExitStatus.INCOMPLETE
    default_advice = "Run `airbundle load` or `airbundle push` for it, and see whether it fails."


class OtherImage(AirbundleError):
    """Under the name of an image of the bundle lies another image."""

    code = "other-image"
    exit_status = ExitStatus.DAMAGED
    default_advice = (
        "Find out who gave the name to another image; `load` and `push` with --on-existing-tag overwrite "
        "give it back."
    )


class NotABundle(AirbundleError):
    """The directory holds no bundle."""

    code = "not-a-bundle"
    exit_status = ExitStatus.NOT_A_BUNDLE
    default_advice = "Name the directory that holds bundle.json."


class UnsupportedVersion(NotABundle):
    """The bundle was written in a format that this release does not know."""

    code = "unsupported-version"
    default_advice = "Use a newer release of airbundle."


class PolicyRefused(AirbundleError):
    """A rule that the user set forbids to go on."""

    code = "policy-refused"
    exit_status = ExitStatus.REFUSED_BY_POLICY
    default_advice = "Change the option that set the rule, or what it protects."


class LockRefused(PolicyRefused):
    """What a lock names is missing, gone or different, or the lock does not name what is to be packed."""

    code = "lock-refused"
    default_advice = "See `airbundle lock --check`; `airbundle lock` makes the lock anew, if the change is meant."


class SmokeFailed(PolicyRefused):
    """A container of an imported image did not end as its smoke test demands."""

    code = "smoke-failed"
    default_advice = "Run the command by hand in a container of this image; see its output."


class SignatureRefused(PolicyRefused):
    """The signature over bundle.json is missing or not made by the given key."""

    code = "signature-refused"
    default_advice = "Do not import this bundle before its origin is clear."


class Unreachable(AirbundleError):
    """A source or destination does not answer, or breaks off."""

    code = "unreachable"
    exit_status = ExitStatus.UNREACHABLE
    default_advice = "Check the address and that the service runs, then try again."


class ServerFault(Unreachable):
    """A peer answers, but with a fault of its own, or that it is too busy, also when it is asked again."""

    code = "server-fault"
    default_advice = "The other side is busy or has a fault of its own: try again later."


class ProtocolError(Unreachable):
    """A peer answers, but not in the protocol that was expected of it."""

    code = "protocol-error"
    default_advice = "Check that the address is really that of a registry or engine."


def is_lost(error: AirbundleError) -> bool:
    """Tell whether a peer is gone; one that answers, be it with a fault, may do better the next time."""
    return isinstance(error, Unreachable) and not isinstance(error, (ServerFault, ProtocolError))


class Refused(AirbundleError):
    """A source or destination understood the request and said no."""

    code = "refused"
    exit_status = ExitStatus.REFUSED
    default_advice = "See what the other side said; check permissions, quota and policies there."


class Unauthorised(Refused):
    """Credentials are missing, wrong, or not enough."""

    code = "unauthorised"
    default_advice = "Run `docker login` for this registry, or ask for the right to do this."


class DiskError(AirbundleError):
    """Local disk: an operation on a local file failed."""

    code = "disk"
    exit_status = ExitStatus.LOCAL_DISK
    default_advice = "Check the disk and its mount."


class NoSpace(DiskError):
    """Local disk: it is full, or a quota is reached."""

    code = "no-space"
    default_advice = "Free some space or name another directory, then run the command again."


class FileTooLarge(DiskError):
    """Local disk: the file system holds no file of this size."""

    code = "file-too-large"
    default_advice = (
        "This file system or a limit (`ulimit -f`) takes no file so large; for FAT32 pack with --part-size fat32."
    )


class NotWritable(DiskError):
    """Local disk: permission denied, or mounted read-only."""

    code = "not-writable"
    default_advice = "Name a directory that this user may write to."


class NotReadable(NotWritable):
    """Local disk: this user may not read a file; so nobody knows whether it is right."""

    code = "not-readable"
    default_advice = "Become a user who may read it, or change its permissions."


class Interrupted(AirbundleError):
    """The user or the system stopped the command."""

    code = "interrupted"
    exit_status = ExitStatus.INTERRUPTED
    default_advice = "Run the same command again."
