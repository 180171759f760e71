"""``include``: another project's services become this one's (14-include)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundler.discover.trees import Mapping, Tree
from bundler.errors import ProjectError

#: What an entry gives to say that no file of variables is to be read.
_NO_FILE = "/dev/null"


@dataclass(frozen=True)
class Included:
    """One entry of ``include``.

    Attributes:
        files: the Compose files, the first one with the others over it.
        directory: where their relative paths begin.
        env_files: their files of variables.
    """

    files: tuple[str, ...]
    directory: Path
    env_files: tuple[Path, ...]


def read_includes(tree: Tree, directory: Path, file: str) -> list[Included]:
    """Read the entries of ``include``, short and long.

    Args:
        tree: The value of ``include``, with variables replaced.
        directory: Where relative paths begin.
        file: The file that it stands in, for errors.

    Raises:
        ProjectError: it is no list, or an entry names no file or one of another machine.
    """
    if tree is None:
        return []
    if not isinstance(tree, list):
        raise ProjectError(f"{file}: include must be a list")
    return [_entry(entry, directory, f"{file}: include {number + 1}") for number, entry in enumerate(tree)]


def _entry(entry: Tree, directory: Path, where: str) -> Included:
    long: Mapping = entry if isinstance(entry, dict) else {"path": entry}
    paths = _texts(long.get("path"), where)
    if not paths:
        raise ProjectError(f"{where} names no file")
    files = tuple(str(directory / check_local(path, where)) for path in paths)
    own = long.get("project_directory")
    if own is not None and not isinstance(own, str):
        raise ProjectError(f"{where}: project_directory must be a string")
    place = directory / own if own else Path(files[0]).parent
    names = _texts(long.get("env_file"), where)
    if names:
        env_files = tuple(directory / name for name in names if name != _NO_FILE)
    else:
        env_files = (place / ".env",) if (place / ".env").is_file() else ()
    return Included(files, place, env_files)


def check_local(path: str, where: str) -> str:
    """Return a path if it is one of this machine.

    Raises:
        ProjectError: it is an address.
    """
    if "://" in path or path.startswith(("git@", "github.com/")):
        raise ProjectError(
            f"{where} is not on this machine: {path!r:.200}",
            advice="Fetch it first and name the copy; discover asks no other machine.",
        )
    return path


def import_services(services: Mapping, imported: Mapping, where: str) -> Mapping:
    """Return services with those of an included project.

    Raises:
        ProjectError: both have one of a name, and not the same.
    """
    for name, service in imported.items():
        if name in services and services[name] != service:
            raise ProjectError(f"{where} has another service {name!r:.100} of its own")
    return {**services, **imported}


def _texts(tree: Tree, where: str) -> list[str]:
    texts = [] if tree is None else tree if isinstance(tree, list) else [tree]
    found = [str(text) for text in texts if isinstance(text, str)]
    if len(found) != len(texts):
        raise ProjectError(f"{where}: paths must be strings")
    return found
