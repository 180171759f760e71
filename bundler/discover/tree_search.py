"""Searches a directory that is no project itself: everything below, without ``.git`` and links that lead out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bundler.discover.compose.options import default_files
from bundler.discover.kubernetes.charts import CHART_FILE
from bundler.discover.kubernetes.kustomize import kustomization_of
from bundler.discover.reading import too_much
from bundler.discover.recognise import YAML_SUFFIXES, kind_by_name
from bundler.errors import NotReadable
from bundler.model.limits import Limits

_NOT_SEARCHED = frozenset({".git"})


@dataclass
class Below:
    """What lies below a directory, all sorted.

    Attributes:
        compose: directories with a Compose file.
        kustomizations: directories with a kustomization.
        charts: directories with a Helm chart.
        files: single files that may name images.
    """

    compose: list[Path] = field(default_factory=list)
    kustomizations: list[Path] = field(default_factory=list)
    charts: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def look_below(root: Path, limits: Limits) -> Below:
    """Look through a directory. What lies in a Compose project or a chart belongs to it and is not looked at.

    Raises:
        ProjectError: there is more than the limit. NotReadable: a directory cannot be read.
    """
    below = Below()
    inside = root.resolve()
    seen = 0
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        if _is_whole(directory, root, below):
            continue
        for path in _entries(directory):
            seen += 1
            if seen > limits.discovered_files:
                raise too_much(limits.discovered_files, f"{root} holds too many files")
            if path.is_dir():
                # A link to a directory leads out, or to what is found anyway.
                waiting += [path] if path.name not in _NOT_SEARCHED and not path.is_symlink() else []
            elif path.is_file() and path.resolve().is_relative_to(inside) and _may_name_images(path):
                below.files.append(path)
    for found in (below.compose, below.kustomizations, below.charts, below.files):
        found.sort()
    return below


def _is_whole(directory: Path, root: Path, below: Below) -> bool:
    """Tell whether everything in a directory belongs to one project; note what the directory is."""
    if directory != root and default_files(directory):
        below.compose.append(directory)
        return True
    if (directory / CHART_FILE).is_file():
        below.charts.append(directory)
        return True
    if kustomization_of(directory):
        below.kustomizations.append(directory)
    return False


def _entries(directory: Path) -> Iterator[Path]:
    try:
        with os.scandir(directory) as entries:
            yield from [directory / entry.name for entry in entries]
    except PermissionError as error:
        raise NotReadable(f"{directory}: {os.strerror(error.errno or 13)}") from error


def _may_name_images(path: Path) -> bool:
    return kind_by_name(path) is not None or path.suffix in YAML_SUFFIXES
