"""What a machine needs to run images that are made for another processor."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.model.platforms import Platform

#: Debian's and Ubuntu's package; others call it alike, or ``qemu-user-binfmt``.
PACKAGE = "qemu-user-static"
#: QEMU's own names of processors (``qemu-NAME``), where they differ from those of the specification.
_QEMU_NAMES = {
    "amd64": "x86_64",
    "386": "i386",
    "arm64": "aarch64",
    "loong64": "loongarch64",
    "mips64le": "mips64el",
    "mipsle": "mipsel",
}
_OTHER_NAMES = frozenset({"arm", "mips", "mips64", "ppc64", "ppc64le", "riscv32", "riscv64", "s390x"})


@dataclass(frozen=True)
class Emulation:
    """What lets Linux run programs of another processor.

    Attributes:
        handler: the name under ``/proc/sys/fs/binfmt_misc`` that must be registered, such as ``qemu-aarch64``.
        package: what brings it.
    """

    handler: str
    package: str = PACKAGE


def emulation_for(image: Platform, host: Platform) -> Emulation | None:
    """Return what the host needs to run an image; ``None`` if it runs it as it is, or nothing would help.

    Another operating system cannot be emulated so, nor a higher variant of the host's own architecture: its
    programs are not recognised as foreign.
    """
    if image.runs_on(host):
        return None
    mine, theirs = (Platform.of(p.os, p.architecture, p.variant) for p in (image, host))
    if (mine.os, theirs.os) != ("linux", "linux") or mine.architecture == theirs.architecture:
        return None
    name = _QEMU_NAMES.get(mine.architecture, mine.architecture if mine.architecture in _OTHER_NAMES else "")
    return Emulation(f"qemu-{name}") if name else None


def foreign_words(image: Platform, host: Platform, who: str) -> str | None:
    """Return what to tell of an image that ``who``, which runs ``host``, does not run; ``None`` if it does."""
    if image.runs_on(host):
        return None
    needed = emulation_for(image, host)
    said = f"the image is for {image}, {who} runs {host}"
    if needed is not None:
        return f"{said}: it starts there only with QEMU, the binfmt handler {needed.handler} ({needed.package})"
    return f"{said}: it does not start there, and QEMU's binfmt handlers do not help"
