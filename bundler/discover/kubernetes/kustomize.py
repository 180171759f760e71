"""A kustomization: the objects that it is made of, with its patches and ``images`` applied."""

from __future__ import annotations

from pathlib import Path

from bundler.discover.hits import Project
from bundler.discover.kubernetes.objects import objects_of
from bundler.discover.kubernetes.patches import apply_images, apply_operations, is_target, merge_patch
from bundler.discover.reading import read_bytes, too_much
from bundler.discover.trees import Mapping, Tree, list_at, mapping_at, mappings_in, text_at
from bundler.discover.yaml_documents import parse_documents
from bundler.errors import NotFound, ProjectError
from bundler.model.limits import Limits

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
#: What may change images in a way that is not followed here.
_NOT_FOLLOWED = ("helmCharts", "helmChartInflationGenerator", "generators", "transformers", "replacements")
_RENDER = "Render it and send the output: kustomize build DIR | airbundle discover -"
Object = tuple[str, Mapping]


def kustomization_of(directory: Path) -> Path | None:
    """Return the kustomization file of a directory, if it has one."""
    return next((directory / name for name in FILE_NAMES if (directory / name).is_file()), None)


class Kustomizations:
    """Builds kustomizations; counts the files, for those that include one another multiply.

    Attributes:
        used: every directory and file that was read, resolved: they are no projects of their own.
    """

    def __init__(self, project: Project, limits: Limits) -> None:
        """Read nothing yet.

        Args:
            project: Is given notes.
            limits: Bound files and nesting.
        """
        self.used: set[Path] = set()
        self._project = project
        self._limits = limits
        self._files = self._steps = 0

    def build(
        self, directory: Path, chain: tuple[Path, ...] = (), objects: list[Object] | None = None
    ) -> list[Object]:
        """Return the objects of a kustomization.

        Args:
            directory: Where it lies.
            chain: The kustomizations that include it.
            objects: Those that a component changes.

        Raises:
            ProjectError, NotFound: something that it names is not there, on another machine, or includes itself.
        """
        if directory.resolve() in chain:
            raise ProjectError(f"{directory}: kustomizations include one another in a circle")
        if len(chain) >= self._limits.project_nesting:
            raise too_much(
                self._limits.project_nesting, f"{directory}: too many kustomizations include one another"
            )
        file = kustomization_of(directory)
        if file is None:
            raise NotFound(f"{directory} has no kustomization.yaml")
        self.used.add(directory.resolve())
        tree = _mapping(next(iter(self._trees(file)), {}))
        chain = (*chain, directory.resolve())
        found = list(objects or [])
        for name in [*list_at(tree, "resources"), *list_at(tree, "bases")]:
            found += self._resource(directory, name, file, chain)
        for name in list_at(tree, "components"):
            found = self.build(self._local(directory, name, file), chain, found)
        found = self._patched(found, tree, directory, file)
        images = list_at(tree, "images")
        self._spend(len(images) * len(found))
        self._tell(tree, file)
        return [(where, _mapping(apply_images(one, images))) for where, one in found] if images else found

    def _resource(self, directory: Path, name: Tree, file: Path, chain: tuple[Path, ...]) -> list[Object]:
        path = self._local(directory, name, file)
        if path.is_dir():
            return self.build(path, chain)
        self.used.add(path.resolve())
        self._count(path)
        documents = parse_documents(read_bytes(path, self._limits), str(path), self._limits)
        return [(str(path), one) for one in objects_of(documents)]

    def _patched(self, objects: list[Object], tree: Mapping, directory: Path, file: Path) -> list[Object]:
        for name in list_at(tree, "patchesStrategicMerge"):
            inline = isinstance(name, str) and "\n" in name
            patches = self._inline(str(name), file) if inline else self._trees(self._local(directory, name, file))
            self._spend(len(objects) * len(patches))
            objects = _merged(objects, patches, {})
        for patch in mappings_in([*list_at(tree, "patches"), *list_at(tree, "patchesJson6902")]):
            target = mapping_at(patch, "target")
            text = text_at(patch, "patch")
            where = self._local(directory, patch.get("path"), file) if text is None else file
            patches = self._trees(where) if text is None else self._inline(text, file)
            self._spend(len(objects) * sum(len(one) if isinstance(one, list) else 1 for one in patches))
            for one in patches:
                if isinstance(one, list):
                    objects = [
                        (home, _mapping(apply_operations(each, one)) if is_target(each, target) else each)
                        for home, each in objects
                    ]
                else:
                    objects = _merged(objects, [one], target)
        return objects

    def _trees(self, path: Path) -> list[Tree]:
        self._count(path)
        self.used.add(path.resolve())
        return [one.tree for one in parse_documents(read_bytes(path, self._limits), str(path), self._limits)]

    def _inline(self, text: str, file: Path) -> list[Tree]:
        return [one.tree for one in parse_documents(text.encode(), f"{file}: patch", self._limits)]

    def _local(self, directory: Path, name: Tree, file: Path) -> Path:
        if not isinstance(name, str):
            raise ProjectError(f"{file}: a resource or patch has no path", advice=_RENDER)
        path = directory / name
        if "://" in name or name.startswith(("git@", "github.com/")) or (not path.exists() and "?ref=" in name):
            raise ProjectError(f"{file}: {name!r:.200} is not on this machine", advice=_RENDER)
        if not path.exists():
            raise NotFound(f"{file} names {name!r:.200}, which is not there")
        return path

    def _spend(self, steps: int) -> None:
        """Count patches and images times objects: what grows with the square of a kustomization."""
        self._steps += steps
        if self._steps > self._limits.yaml_nodes:
            raise too_much(self._limits.yaml_nodes, "a kustomization has too many objects and patches")

    def _count(self, path: Path) -> None:
        self._files += 1
        if self._files > self._limits.project_files:
            raise too_much(self._limits.project_files, f"{path}: a kustomization has too many files")

    def _tell(self, tree: Tree, file: Path) -> None:
        missed = [key for key in _NOT_FOLLOWED if isinstance(tree, dict) and tree.get(key)]
        if missed:
            self._project.notes.append(f"{file}: {', '.join(missed)} not followed. {_RENDER}")


def _merged(objects: list[Object], patches: list[Tree], target: Mapping) -> list[Object]:
    for patch in mappings_in(patches):
        wanted = target or {"kind": patch.get("kind"), "name": mapping_at(patch, "metadata").get("name")}
        deletes = text_at(patch, "$patch") == "delete"
        body = {key: value for key, value in patch.items() if key not in ("apiVersion", "kind", "metadata")}
        objects = [
            (home, _mapping(merge_patch(one, body)) if is_target(one, wanted) else one)
            for home, one in objects
            if not (deletes and is_target(one, wanted))
        ]
    return objects


def _mapping(tree: Tree) -> Mapping:
    return tree if isinstance(tree, dict) else {}
