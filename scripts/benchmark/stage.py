"""What works need around them: images, engines, registries, bundles, each made when first asked for."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from benchmark.images import SHARING, ImageSet, image_set
from benchmark.measuring import BrokenRun, warm
from benchmark.servers import Engine, Registry
from benchmark.turns import Turns

_CHECKOUT = Path(__file__).parents[2]
_MIB = 1 << 20


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        quick: Small images, and sizes that go with them.
        pairs: How often each side of a comparison runs.
        cache: Where images are kept.
    """

    quick: bool
    pairs: int
    cache: Path


class Stage:
    """The surroundings of all works; everything is removed or stopped when ``ends`` is closed.

    Attributes:
        options: What was asked for.
        work: A directory beside the cache, on the same medium.
        ends: Stops what was started.
        say: Tells the user what happens.
    """

    def __init__(
        self, options: Options, work: Path, ends: contextlib.ExitStack, say: Callable[[str], None]
    ) -> None:
        self.options = options
        self.work = work
        self.ends = ends
        self.say = say
        compileall.compile_dir(_CHECKOUT / "bundler", quiet=2)

    # -- commands ------------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """Of all commands: nothing of the user's configuration, temporary files in the work directory."""
        temporary, home = self.work / "tmp", self.work / "home"
        for directory in (temporary, home):
            directory.mkdir(exist_ok=True)
        # PYTHONDONTWRITEBYTECODE, for one, would let every start compile what an installation has compiled.
        foreign = ("DOCKER_", "XDG_", "PYTHON")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        own = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(_CHECKOUT), "LC_ALL": "C.UTF-8"}
        return {**kept, **own}

    def airbundle(self, *arguments: str | Path) -> list[str]:
        """Return a command of airbundle, as the console script starts it."""
        return [sys.executable, "-m", "bundler", *map(str, arguments)]

    @cached_property
    def options_of_pack(self) -> str:
        """What `pack --help` says, to know which options this release has."""
        return self.run(self.airbundle("pack", "--help"))

    def run(self, command: Sequence[str]) -> str:
        """Run a command without measuring it; return what it prints.

        Raises:
            BrokenRun: it failed.
        """
        run = subprocess.run(command, capture_output=True, text=True, env=self.environment, check=False)
        if run.returncode:
            raise BrokenRun(f"{' '.join(command)}: {(run.stdout + run.stderr)[-2000:]}")
        return run.stdout

    def shell(self, script: str) -> list[str]:
        """Return a command that runs a script of bash; a pipeline fails with any of its commands."""
        return ["bash", "-euo", "pipefail", "-c", script]

    def turns(self, **environment: str) -> Turns:
        """Return how this run measures, with some more variables in the environment of the commands."""
        directory = self.work / "runs"
        directory.mkdir(exist_ok=True)
        return Turns(self.options.pairs, directory, {**self.environment, **environment}, self.say)

    def forget_state(self) -> None:
        """Remove what airbundle remembers of earlier runs, such as finished pushes."""
        shutil.rmtree(self.work / "home", ignore_errors=True)

    # -- images and servers ----------------------------------------------------------------------------------

    @cached_property
    def images(self) -> ImageSet:
        """The images of this run."""
        return image_set(self.options.cache, quick=self.options.quick, say=self.say)

    @property
    def images_in_use(self) -> ImageSet | None:
        """The images, if a work asked for them."""
        return self.__dict__.get("images")

    @cached_property
    def engine(self) -> Engine:
        """An engine that holds all images, with its files in the page cache."""
        images = self.images
        engine = self.ends.enter_context(Engine())
        self.say("loading the images into an engine")
        images.load_into(engine)
        self.warm_engine()
        return engine

    def warm_engine(self) -> None:
        """Read the files of the engine's layers."""
        engine = self.__dict__.get("engine")
        if engine is not None:
            warm([engine.layers_directory])

    @cached_property
    def far_engine(self) -> Engine:
        """Another engine, empty at first, to load into."""
        return self.ends.enter_context(Engine())

    @cached_property
    def registry(self) -> Registry:
        """A registry that holds the three images as the engine pushes them; kept in the cache."""
        kept = self.images.directory / "registry"
        whole = kept / "whole"
        if not whole.exists():
            self.say("filling a registry, once")
            shutil.rmtree(kept, ignore_errors=True)
            engine = self.engine
            with Registry(kept) as filled:
                for name in SHARING:
                    target = f"{filled.address}/{name}"
                    engine.docker("tag", name, target)
                    engine.docker("push", "--quiet", target)
                    engine.docker("rmi", target)
            whole.touch()
        return self.ends.enter_context(Registry(kept))

    # -- what carries images -----------------------------------------------------------------------------------

    @property
    def part_size(self) -> str:
        """Of bundles and of `split`."""
        return "32MiB" if self.options.quick else "1GiB"

    @property
    def split(self) -> str:
        """The same for the command that cuts by the byte."""
        return f"split --bytes {self.part_size.removesuffix('iB')}"

    def kept(self, name: str, make: Callable[[Path], Sequence[str]]) -> Path:
        """Return a file or directory in the cache; the first time, the command makes it."""
        path = self.images.directory / name
        if not path.exists():
            self.say(f"making {name}, once")
            unfinished = path.with_name(f"{name}.partial")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.unlink(missing_ok=True)
            self.run(make(unfinished))
            unfinished.rename(path)
        return path

    @cached_property
    def bundle(self) -> Path:
        """A bundle of the three images, packed from their archive."""
        path = self.work / "bundle"
        source = f"docker-archive:{self.images.sharing}"
        self.run(self.airbundle("pack", f"set={source}", "-o", path, "--part-size", self.part_size, "--quiet"))
        return path

    @cached_property
    def layouts(self) -> list[tuple[str, Path]]:
        """For each image its name and an OCI layout, extracted from the bundle."""
        made = []
        for name in SHARING:
            path = self.work / f"layout-{short(name)}"
            self.run(self.airbundle("extract", self.bundle, f"oci:{path}", "--image", name, "--quiet"))
            made.append((name, path))
        return made

    def oci_archives(self) -> list[tuple[str, Path]]:
        """Return for each image an archive as skopeo makes it from the engine."""
        return [(name, self.kept(f"{short(name)}.oci.tar", partial(self._to_archive, name))) for name in SHARING]

    def _to_archive(self, name: str, target: Path) -> list[str]:
        copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-daemon-host", self.engine.host]
        return [*copy, f"docker-daemon:{name}", f"oci-archive:{target}:{name}"]

    # -- checks ------------------------------------------------------------------------------------------------

    def check_bundle(self, directory: Path, images: int = len(SHARING)) -> None:
        """Check that a bundle is intact and holds so many images.

        Raises:
            BrokenRun: it is not, or does not.
        """
        self.run(self.airbundle("verify", "--quiet", directory))
        table = json.loads((directory / "bundle.json").read_text())
        found = sum(len(application["images"]) for application in table["applications"])
        if found != images:
            raise BrokenRun(f"the bundle holds {found} images, not {images}")


def short(name: str) -> str:
    """Return ``python`` for ``bench/python:1``."""
    return name.rpartition("/")[2].partition(":")[0]


def parts_of(bundle: Path) -> list[Path]:
    """Return the parts of a bundle, without its tables."""
    return sorted(path for path in bundle.iterdir() if ".oci.tar" in path.name)
