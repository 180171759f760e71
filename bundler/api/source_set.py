"""Opens the sources that names ask for, each once, and closes them together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar

from bundler.api.image_names import ImageName
from bundler.api.standard_input import StandardInput
from bundler.bundle.reader import open_bundle
from bundler.content.images import FoundImage, ImageSource, TellingSource
from bundler.errors import NotFound, Unauthorised, Unreachable
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.packing.writing.output import OutputDirectory
from bundler.progress import SILENT, Progress

if TYPE_CHECKING:
    from bundler.transports.registry.access.access import RegistryAccess


class SourceSet:
    """The sources of one pack; a context manager that closes what it opened."""

    def __init__(
        self,
        *,
        access: RegistryAccess | None = None,
        limits: Limits = DEFAULT_LIMITS,
        progress: Progress = SILENT,
        output: OutputDirectory | None = None,
        referrers: bool = True,
    ) -> None:
        """Open nothing yet.

        Args:
            access: How registries are reached.
            limits: Bounds what is read.
            progress: Is told what takes long.
            output: Where a pipe on standard input is kept while it is needed; ``None`` refuses it.
            referrers: Find what refers to images with them.
        """
        self._standard_input = StandardInput(output, limits, progress)
        self._progress = progress
        self._access = access
        self._limits = limits
        self._referrers = referrers
        self._open: dict[tuple[str, str], ImageSource] = {}
        # Several applications may have the same image: nobody is asked for it twice, and they get the same one.
        self._found: dict[tuple[str, PlatformChoice], tuple[ImageSource, tuple[FoundImage, ...]]] = {}

    def find(
        self, text: str, platforms: PlatformChoice = EVERY_PLATFORM
    ) -> tuple[ImageSource, tuple[FoundImage, ...]]:
        """Find what an image name stands for, and the source that has it; of an index only some platforms.

        Raises:
            NotFound: nobody has it.
            NoSuchPlatform: it has nothing for one of the platforms.
            Unreachable: the source does not answer.
        """
        key = (text, platforms)
        if key not in self._found:
            self._found[key] = self._find(text, platforms)
        return self._found[key]

    def tags(self, repository: str) -> tuple[str, ...]:
        """Return the tags of ``registry/repository``, which only registries have.

        Raises:
            NotFound: there is no such repository. Unauthorised, Refused, Unreachable: the registry.
        """
        from bundler.sources.registry import RegistrySource

        source = self._source(ImageName("docker", "", repository))
        assert isinstance(source, RegistrySource), "its maker is below"
        return source.tags(repository)

    def _find(self, text: str, platforms: PlatformChoice) -> tuple[ImageSource, tuple[FoundImage, ...]]:
        name = ImageName.parse(text)
        if not name.transport:
            return self._find_bare(name.image, platforms)
        source = self._source(name)
        return source, source.resolve(name.image, platforms)

    def _find_bare(self, image: str, platforms: PlatformChoice) -> tuple[ImageSource, tuple[FoundImage, ...]]:
        """Ask the local engine first; a machine without one is no error, its registry may still answer."""
        try:
            engine = self._source(ImageName("docker-daemon", "", image))
            return engine, engine.resolve(image, platforms)
        except (NotFound, Unreachable, Unauthorised) as from_engine:
            registry = self._source(ImageName("docker", "", image))
            try:
                return registry, registry.resolve(image, platforms)
            except (NotFound, Unreachable) as from_registry:
                kind = NotFound if isinstance(from_engine, NotFound) else type(from_registry)
                raise kind(
                    f"{image}: the engine says: {from_engine}; the registry says: {from_registry}"
                ) from None

    def notes(self) -> tuple[str, ...]:
        """Return what users should know of the sources that were asked."""
        return tuple(
            note for source in self._open.values() if isinstance(source, TellingSource) for note in source.notes()
        )

    def _source(self, name: ImageName) -> ImageSource:
        key = (name.transport, name.location)
        if key not in self._open:
            self._open[key] = self._makers[name.transport](self, Path(name.location))
        return self._open[key]

    # Transports are imported when they are used: the docker SDK alone takes longer to load than all of ours.

    def _engine(self, _: Path) -> ImageSource:
        from bundler.sources.engine import EngineSource
        from bundler.transports.engine.client import EngineClient

        client = EngineClient(limits=self._limits)
        return EngineSource(client, self._progress, self._limits, referrers=self._referrers)

    def _registry(self, _: Path) -> ImageSource:
        from bundler.sources.registry import RegistrySource

        return RegistrySource(
            self._access, limits=self._limits, progress=self._progress, referrers=self._referrers
        )

    def _docker_archive(self, path: Path) -> ImageSource:
        from bundler.sources.docker_archive import DockerArchiveSource

        return DockerArchiveSource(self._file(path), self._limits, self._progress, referrers=self._referrers)

    def _oci(self, path: Path) -> ImageSource:
        from bundler.sources.oci_layout import OciLayoutSource

        return OciLayoutSource(path, archive=False, limits=self._limits, referrers=self._referrers)

    def _oci_archive(self, path: Path) -> ImageSource:
        from bundler.sources.oci_layout import OciLayoutSource

        return OciLayoutSource(
            self._file(path),
            archive=True,
            limits=self._limits,
            name=path.name,
            progress=self._progress,
            referrers=self._referrers,
        )

    def _file(self, path: Path) -> Path:
        return self._standard_input.path() if str(path) == "-" else path

    def _bundle(self, path: Path) -> ImageSource:
        return open_bundle(path, limits=self._limits, referrers=self._referrers)

    _makers: ClassVar[dict[str, Callable[[SourceSet, Path], ImageSource]]] = {
        "docker-daemon": _engine,
        "docker": _registry,
        "docker-archive": _docker_archive,
        "oci": _oci,
        "oci-archive": _oci_archive,
        "bundle": _bundle,
    }

    def __enter__(self) -> SourceSet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for source in self._open.values():
            source.close()
        self._standard_input.close()
