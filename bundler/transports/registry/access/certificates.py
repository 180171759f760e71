"""Certificates for one registry: docker's and podman's ``certs.d`` (containers-certs.d(5))."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bundler.errors import ConfigError


@dataclass(frozen=True)
class Certificates:
    """What is trusted besides the system's authorities, and what this side proves itself with.

    Attributes:
        authorities: files in PEM form.
        client: certificates and their keys, both in PEM form.
    """

    authorities: tuple[Path, ...] = ()
    client: tuple[tuple[Path, Path], ...] = ()


#: Finds the certificates for ``host[:port]``.
CertificateFinder = Callable[[str], Certificates]


def no_certificates(host: str) -> Certificates:
    """Find none: only the system's authorities are trusted."""
    return Certificates()


def certificates_in(directories: Iterable[Path]) -> CertificateFinder:
    """Return a finder that takes what all of these directories have for a host."""
    kept = tuple(directories)

    def find(host: str) -> Certificates:
        parts = [find_certificates(directory / host) for directory in kept]
        return Certificates(
            tuple(path for part in parts for path in part.authorities),
            tuple(pair for part in parts for pair in part.client),
        )

    return find


def find_certificates(directory: Path) -> Certificates:
    """List the files of a directory: ``*.crt`` are authorities, ``*.cert`` this side's, each with its ``*.key``.

    Raises:
        ConfigError: a certificate has no key, a key no certificate, or the directory cannot be listed.
    """
    try:
        paths = sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return Certificates()
    except OSError as error:
        raise ConfigError(
            f"{directory} cannot be read: {error.strerror}", advice="Let this user read the directory."
        ) from error
    names = {path.name for path in paths}
    client = []
    for path in paths:
        if path.suffix in (".cert", ".key"):
            other = path.with_suffix(".key" if path.suffix == ".cert" else ".cert")
            if other.name not in names:
                raise ConfigError(
                    f"{path} has no {other.name} beside it",
                    advice="Client certificates are pairs NAME.cert and NAME.key; authorities end in .crt.",
                )
            if path.suffix == ".cert":
                client.append((path, other))
    return Certificates(tuple(path for path in paths if path.suffix == ".crt"), tuple(client))
