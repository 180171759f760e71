"""The contexts of the docker command: which engine is meant where DOCKER_HOST does not say it."""

from __future__ import annotations

import os

from bundler.errors import NotFound


def require_context() -> None:
    """Refuse a current context that does not exist: the SDK would silently take the default engine instead.

    Raises:
        NotFound: DOCKER_CONTEXT, or the configuration of the docker command, names a context that is not there.
    """
    if os.environ.get("DOCKER_HOST"):
        return
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if name != "default" and ContextAPI.get_context(name) is None:
        raise NotFound(
            f"there is no docker context {name!r}", advice="See `docker context ls`, or set DOCKER_HOST."
        )
