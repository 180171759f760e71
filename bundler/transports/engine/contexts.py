"""Which engine the docker command would use, and whether its address can be used here."""

from __future__ import annotations

import os

from bundler.errors import ConfigError, NotFound

_LONGEST_SHOWN = 200


def require_engine_address() -> None:
    """Refuse what names no engine: the SDK would take the default one, or fail in words of its own.

    Raises:
        NotFound: DOCKER_CONTEXT, or the configuration of the docker command, names a context that is not there.
        ConfigError: DOCKER_HOST or the context gives an address that cannot be used.
    """
    if host := os.environ.get("DOCKER_HOST"):
        check_address(host, "DOCKER_HOST")
        return
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if name == "default":
        return
    context = ContextAPI.get_context(name)
    if context is None:
        raise NotFound(
            f"there is no docker context {name!r}", advice="See `docker context ls`, or set DOCKER_HOST."
        )
    if context.Host:
        check_address(context.Host, f"the docker context {name!r}")


def check_address(host: str, giver: str) -> None:
    """Refuse an address that no engine can be reached by from here; nobody is asked.

    Args:
        host: Such as ``unix:///var/run/docker.sock``.
        giver: What the address was given by, for the error.

    Raises:
        ConfigError: it is none, or goes over ssh.
    """
    from docker.errors import DockerException
    from docker.utils import parse_host

    shown = repr(host[:_LONGEST_SHOWN])
    if host.strip().lower().startswith("ssh://"):
        raise ConfigError(
            f"{giver} says {shown}: engines are not spoken to over ssh here",
            advice="Forward the socket, as with `ssh -N -L /tmp/engine.sock:/var/run/docker.sock USER@HOST`, "
            "and set DOCKER_HOST=unix:///tmp/engine.sock.",
        )
    try:
        parse_host(host)
    except (DockerException, ValueError) as error:
        raise ConfigError(
            f"{giver} says {shown}, which is no address of an engine",
            advice="Write unix:///PATH or tcp://HOST:PORT.",
        ) from error
