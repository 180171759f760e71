"""Which services of a project are on: by their profiles (15-profiles) and by what they depend on."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from bundler.discover.compose.merge import as_dependencies
from bundler.discover.trees import Mapping, Tree, list_at
from bundler.errors import ProjectError

_EVERY = "*"
_REFERRING = ("network_mode", "ipc", "pid")


def enabled(services: Mapping, profiles: Iterable[str]) -> Mapping:
    """Return the services without a profile and those with one that is on; ``*`` turns all on.

    Raises:
        ProjectError: a service needs one that is off or not there, or in the end itself.
    """
    on = {profile.strip() for profile in profiles} - {""}
    kept = {name: service for name, service in services.items() if _is_on(service, on)}
    needed = {name: _needed(service) for name, service in kept.items()}
    for name, others in needed.items():
        for other, optional in others.items():
            if other not in kept and not (optional and other in services):
                why = "is off: no profile of it is chosen" if other in services else "is not there"
                raise ProjectError(
                    f"service {name!r:.100} depends on {other!r:.100}, which {why}",
                    advice="Choose the profile with --profile NAME, or all with --profile '*'.",
                )
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        circle = " depends on ".join(error.args[1])
        raise ProjectError(f"services depend on one another in a circle: {circle:.500}") from None
    return kept


def _is_on(service: Tree, on: set[str]) -> bool:
    own = {profile for profile in list_at(service, "profiles") if isinstance(profile, str)}
    return not own or _EVERY in on or bool(own & on)


def _needed(service: Tree) -> dict[str, bool]:
    """Return the services that one needs, and whether it can do without."""
    if not isinstance(service, dict):
        return {}
    depends = as_dependencies(service.get("depends_on"))
    needed = {}
    for name, how in depends.items() if isinstance(depends, dict) else ():
        needed[name] = isinstance(how, dict) and str(how.get("required")).lower() == "false"
    others = [link.partition(":")[0] for link in list_at(service, "links") if isinstance(link, str)]
    for name in list_at(service, "volumes_from"):
        if isinstance(name, str) and not name.startswith("container:"):
            others.append(name.partition(":")[0])
    for key in _REFERRING:
        value = service.get(key)
        if isinstance(value, str) and value.startswith("service:"):
            others.append(value.removeprefix("service:"))
    return {**needed, **dict.fromkeys(others, False)}
