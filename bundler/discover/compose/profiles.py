"""Which services of a project are on: by their profiles (15-profiles) and by what they depend on."""

from __future__ import annotations

from collections.abc import Iterable

from bundler.discover.compose.merge import as_dependencies
from bundler.discover.trees import Mapping, Tree, list_at
from bundler.errors import ProjectError

_EVERY = "*"
_REFERRING = ("network_mode", "ipc", "pid")


def enabled(services: Mapping, profiles: Iterable[str]) -> Mapping:
    """Return the services without a profile and those with one that is on; ``*`` turns all on.

    Raises:
        ProjectError: a service needs one that is off or not there.
    """
    on = {profile.strip() for profile in profiles} - {""}
    kept = {name: service for name, service in services.items() if _is_on(service, on)}
    for name, service in kept.items():
        for needed in _needed(service):
            if needed not in kept:
                why = "is off: no profile of it is chosen" if needed in services else "is not there"
                raise ProjectError(
                    f"service {name!r:.100} depends on {needed!r:.100}, which {why}",
                    advice="Choose the profile with --profile NAME, or all with --profile '*'.",
                )
    return kept


def _is_on(service: Tree, on: set[str]) -> bool:
    own = {profile for profile in list_at(service, "profiles") if isinstance(profile, str)}
    return not own or _EVERY in on or bool(own & on)


def _needed(service: Tree) -> list[str]:
    if not isinstance(service, dict):
        return []
    depends = as_dependencies(service.get("depends_on"))
    needed = []
    for name, how in depends.items() if isinstance(depends, dict) else ():
        optional = isinstance(how, dict) and str(how.get("required")).lower() == "false"
        if not optional:
            needed.append(name)
    needed += [link.partition(":")[0] for link in list_at(service, "links") if isinstance(link, str)]
    for name in list_at(service, "volumes_from"):
        if isinstance(name, str) and not name.startswith("container:"):
            needed.append(name.partition(":")[0])
    for key in _REFERRING:
        value = service.get(key)
        if isinstance(value, str) and value.startswith("service:"):
            needed.append(value.removeprefix("service:"))
    return needed
