"""``extends``: a service begins with another one, of the same file or of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bundler.discover.compose.merge import Path as KeyPath
from bundler.discover.compose.merge import cut, merge_services
from bundler.discover.reading import too_much
from bundler.discover.trees import Tree
from bundler.errors import ProjectError
from bundler.model.limits import Limits


@dataclass(frozen=True)
class Services:
    """The services of one file, without any other file over them.

    Attributes:
        file: its name.
        directory: where files that it names are looked for.
        trees: the services.
        cuts: for each service the paths in it at which what it extends counts no more.
    """

    file: str
    directory: Path
    trees: Mapping[str, Tree]
    cuts: Mapping[str, tuple[KeyPath, ...]] = field(default_factory=dict)


class Extender:
    """Resolves the ``extends`` of services."""

    def __init__(self, load: Callable[[str, Path, str], Services], limits: Limits) -> None:
        """Keep what is needed.

        Args:
            load: Reads the services of a file, given its name, the directory where a relative one begins, and who
                asks, for errors.
            limits: Bound how long a chain of services may be.
        """
        self._load = load
        self._limits = limits

    def extended(self, services: Services) -> dict[str, Tree]:
        """Return all services of a file without ``extends``.

        Raises:
            ProjectError: a service or file is not there, extends itself, or the chain is too long.
        """
        return {name: self._service(name, services, ()) for name in services.trees}

    def _service(self, name: str, services: Services, chain: tuple[tuple[str, str], ...]) -> Tree:
        service = services.trees[name]
        if not isinstance(service, dict) or service.get("extends") is None:
            return service
        if (services.file, name) in chain:
            way = " extends ".join(one for _, one in (*chain, (services.file, name)))
            raise ProjectError(f"{services.file}: service {name!r:.100} extends itself: {way:.500}")
        if len(chain) >= self._limits.project_nesting:
            raise too_much(self._limits.project_nesting, f"{services.file}: too many services extend one another")
        base_name, file = _extended_name(service["extends"], name, services.file)
        whose = f"{services.file}: service {name!r:.100}"
        others = services if file is None else self._load(file, services.directory, whose)
        if base_name not in others.trees:
            raise ProjectError(f"{whose} extends {base_name!r:.100}, which is not in {others.file}")
        base = self._service(base_name, others, (*chain, (services.file, name)))
        own = {key: value for key, value in service.items() if key != "extends"}
        if not isinstance(base, dict):
            return own
        return merge_services(cut(base, services.cuts.get(name, ())), own)


def _extended_name(extends: Tree, name: str, file: str) -> tuple[str, str | None]:
    if isinstance(extends, str):
        return str(extends), None
    service = extends.get("service") if isinstance(extends, dict) else None
    other = extends.get("file") if isinstance(extends, dict) else None
    if not isinstance(service, str) or not (other is None or isinstance(other, str)):
        raise ProjectError(f"{file}: service {name!r:.100}: extends needs the name of a service")
    return str(service), None if other is None else str(other)
