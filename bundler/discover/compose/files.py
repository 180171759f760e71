"""Reads the Compose files of a project, with all that they include and extend, into one set of services."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from bundler.discover.compose.extends import Extender, Services
from bundler.discover.compose.include import Included, check_local, import_services, read_includes
from bundler.discover.compose.interpolation import Interpolation
from bundler.discover.compose.merge import Path as KeyPath
from bundler.discover.compose.merge import by_service, cut, merge_services, without_marks
from bundler.discover.compose.options import STANDARD_INPUT, add_variables
from bundler.discover.reading import check_size, read_bytes, too_much
from bundler.discover.trees import Mapping, text_at
from bundler.discover.yaml_documents import parse_documents
from bundler.errors import ProjectError
from bundler.model.limits import Limits

_TOP = frozenset({"version", "name", "networks", "volumes", "secrets", "configs", "models"})


@dataclass
class Model:
    """What the files say together.

    Attributes:
        services: by name.
        homes: for each service the file that names its image, or that has it first.
    """

    services: Mapping = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)

    def add(self, services: Mapping, cuts: tuple[KeyPath, ...], file: str) -> None:
        """Put the services of one file over those that are there."""
        for name, paths in by_service(cuts).items():
            earlier = self.services.get(name)
            if () in paths:
                self.services.pop(name, None)
            elif isinstance(earlier, dict):
                self.services[name] = cut(earlier, paths)
        for name, service in services.items():
            earlier = self.services.get(name)
            both = isinstance(earlier, dict) and isinstance(service, dict)
            self.services[name] = merge_services(earlier, service) if both else service  # type: ignore[arg-type]
            if name not in self.homes or (isinstance(service, dict) and service.get("image") is not None):
                self.homes[name] = file


class ComposeFiles:
    """Reads files; counts them and their bytes, for files that include one another multiply."""

    def __init__(self, limits: Limits, standard_input: bytes | None) -> None:
        """Read nothing yet.

        Args:
            limits: Bound files and bytes.
            standard_input: What came there.
        """
        self._limits = limits
        self._input = standard_input
        self._files = self._bytes = 0
        self._raw: dict[str, bytes] = {}
        self._extended: dict[tuple[str, int], Services] = {}

    def project_name(self, files: tuple[str, ...], interpolation: Interpolation) -> str:
        """Return the last ``name`` of the files, with its variables replaced; ``""`` if there is none."""
        name = ""
        for file in files:
            for document in parse_documents(self._read(file), file, self._limits):
                name = text_at(document.tree, "name") or name
        return interpolation.text(name, "name", files[-1])

    def model(
        self, files: tuple[str, ...], directory: Path, interpolation: Interpolation, chain: tuple[str, ...] = ()
    ) -> Model:
        """Read files, each over those before it.

        Args:
            files: Their names, relative to where the user is.
            directory: Where the relative paths in them begin.
            interpolation: The variables.
            chain: The files that include them, with links resolved.

        Raises:
            ProjectError, NotFound: they are not Compose files, or name files that are not there.
        """
        model = Model()
        for file in files:
            check_local(file, "the Compose file")
            for services, cuts, includes in self._parsed(file, directory, interpolation):
                extender = Extender(
                    lambda name, place, whose: self._services_of(name, place, whose, interpolation), self._limits
                )
                own: Mapping = extender.extended(Services(file, directory, services, by_service(cuts)))
                homes = dict.fromkeys(own, file)
                for included in includes:
                    other = self._included(included, interpolation, (*chain, os.path.realpath(file)))
                    own = import_services(
                        own, other.services, f"{file}: the project that includes {included.files[0]}"
                    )
                    homes.update(other.homes)
                model.add(own, cuts, file)
                model.homes.update({name: home for name, home in homes.items() if home != file})
        return model

    def _included(self, included: Included, interpolation: Interpolation, chain: tuple[str, ...]) -> Model:
        if os.path.realpath(included.files[0]) in chain:
            way = " includes ".join((*chain, included.files[0]))
            raise ProjectError(f"files include one another in a circle: {way:.1000}")
        if len(chain) > self._limits.project_nesting:
            raise too_much(self._limits.project_nesting, f"{chain[0]}: too many files include one another")
        environment = dict(interpolation.environment)
        add_variables(environment, list(included.env_files), self._limits, interpolation.blanks)
        return self.model(included.files, included.directory, interpolation.over(environment), chain)

    def _services_of(self, name: str, place: Path, whose: str, interpolation: Interpolation) -> Services:
        """Return the services of a file that one is extended from."""
        path = place / check_local(name, f"{whose}: the file that it extends")
        key = (str(path), id(interpolation))
        if key not in self._extended:
            merged = Model()
            all_cuts: tuple[KeyPath, ...] = ()
            for services, cuts, _ in self._parsed(str(path), path.parent, interpolation, with_includes=False):
                merged.add(services, cuts, str(path))
                all_cuts += cuts
            self._extended[key] = Services(str(path), path.parent, merged.services, by_service(all_cuts))
        return self._extended[key]

    def _parsed(
        self, file: str, directory: Path, interpolation: Interpolation, *, with_includes: bool = True
    ) -> list[tuple[Mapping, tuple[KeyPath, ...], list[Included]]]:
        """Return services, paths that are cut from what stands before, and includes of each document of a file."""
        found = []
        for document in parse_documents(self._read(file), file, self._limits):
            if document.twice:
                raise ProjectError(f"{file}: a key stands twice: {document.twice}")
            tree, cuts = without_marks(document.tree)
            if not isinstance(tree, dict):
                raise ProjectError(f"{file} is not a Compose file: its top is not a mapping")
            tree = interpolation.tree(tree, "", file)
            assert isinstance(tree, dict)
            _check_form(tree, file)
            services = tree.get("services")
            if services is not None and not isinstance(services, dict):
                raise ProjectError(f"{file}: services must be a mapping")
            includes = read_includes(tree.get("include"), directory, file) if with_includes else []
            found.append((services or {}, cuts, includes))
        return found

    def _read(self, file: str) -> bytes:
        if file not in self._raw:
            if file == STANDARD_INPUT:
                if self._input is None:
                    raise ProjectError("standard input is asked for twice, or cannot be read")
                self._raw[file] = check_size(self._input, "standard input", self._limits)
            else:
                self._raw[file] = read_bytes(Path(file), self._limits)
        self._files += 1
        self._bytes += len(self._raw[file])
        if self._files > self._limits.project_files:
            raise too_much(self._limits.project_files, f"{file}: too many files include one another")
        if self._bytes > self._limits.discovered_bytes:
            raise too_much(self._limits.discovered_bytes, f"{file} and the files before it are too large")
        return self._raw[file]


def _check_form(tree: Mapping, file: str) -> None:
    """Refuse a mapping that is something else, such as a file of the first version of Compose."""
    if not tree.keys() & {"services", "include"}:
        stranger = next((key for key in tree if key not in _TOP and not key.startswith("x-")), None)
        if stranger is not None:
            raise ProjectError(
                f"{file} is not a Compose file: it has no services, and {stranger!r:.100} at its top"
            )
