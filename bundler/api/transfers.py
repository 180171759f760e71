"""Out of a bundle: load into an engine, push to a registry, extract to a layout or archive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bundler.bundle.manifest import Application, Image
from bundler.bundle.reader import Bundle
from bundler.content.images import ImageDestination, OnExistingTag, PutResult
from bundler.errors import AirbundleError, Unreachable, UsageError
from bundler.model.digest import Digest
from bundler.model.limits import Limits
from bundler.progress import SILENT, Progress, Task


@dataclass(frozen=True)
class Selection:
    """Which images of a bundle: those of some applications, of some names, or all where nothing is said."""

    applications: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class TransferReport:
    """What became of each image that was asked for.

    Attributes:
        results: images that are complete at the destination.
        failures: the reference and the error of each that is not.
    """

    results: tuple[PutResult, ...]
    failures: tuple[tuple[str, AirbundleError], ...] = field(default=())

    @property
    def bytes_sent(self) -> int:
        """Bytes of blobs that crossed to the destination."""
        return sum(result.bytes_sent for result in self.results)

    @property
    def bytes_skipped(self) -> int:
        """Bytes of blobs that were there already."""
        return sum(result.bytes_skipped for result in self.results)


def load(
    bundle: Bundle,
    selection: Selection | None = None,
    *,
    on_existing_tag: OnExistingTag = "overwrite",
    progress: Progress = SILENT,
) -> TransferReport:
    """Load images into the Docker engine that the docker command would use.

    Raises:
        Unreachable: there is no engine.
        NotFound: the bundle has no such application or image.
    """
    from bundler.destinations.engine import EngineDestination
    from bundler.transports.engine.client import EngineClient

    return _transfer(
        bundle,
        selection,
        lambda: EngineDestination(
            EngineClient(limits=bundle.limits), on_existing_tag=on_existing_tag, progress=progress
        ),
        "load",
        progress,
    )


def push(
    bundle: Bundle,
    destination: str,
    selection: Selection | None = None,
    *,
    jobs: int = 4,
    plain_http: bool = False,
    on_existing_tag: OnExistingTag = "overwrite",
    progress: Progress = SILENT,
) -> TransferReport:
    """Push images to ``REGISTRY[/PREFIX]``.

    Raises:
        InvalidReference: the destination is no such name.
        NotFound: the bundle has no such application or image.
    """
    from bundler.destinations.registry import RegistryDestination

    return _transfer(
        bundle,
        selection,
        lambda: RegistryDestination(
            destination, jobs=jobs, plain_http=plain_http, on_existing_tag=on_existing_tag, limits=bundle.limits
        ),
        "push",
        progress,
    )


def extract(
    bundle: Bundle, destination: str, selection: Selection | None = None, *, progress: Progress = SILENT
) -> TransferReport:
    """Extract images to ``oci:DIRECTORY`` (also without the prefix) or ``docker-archive:FILE``.

    Raises:
        UsageError: another transport, or no path.
        OutputExists: there is something else.
        NotFound: the bundle has no such application or image.
    """
    return _transfer(bundle, selection, lambda: _open_files(destination, bundle.limits), "extract", progress)


def _open_files(destination: str, limits: Limits) -> ImageDestination:
    from bundler.destinations.docker_archive import DockerArchiveDestination
    from bundler.destinations.oci_layout import OciLayoutDestination

    transport, colon, path = destination.partition(":")
    if not colon:
        transport, path = "oci", destination
    if transport not in ("oci", "docker-archive") or not path:
        raise UsageError(
            f"cannot extract to {destination!r}", advice="Write oci:DIRECTORY or docker-archive:FILE."
        )
    return OciLayoutDestination(Path(path), limits) if transport == "oci" else DockerArchiveDestination(Path(path))


def _transfer(
    bundle: Bundle,
    selection: Selection | None,
    open_destination: Callable[[], ImageDestination],
    label: str,
    progress: Progress,
) -> TransferReport:
    """Put one image after another; one that fails does not stop the others, a lost destination does."""
    chosen = selection or Selection()
    images = _each_once(bundle.images(chosen.applications, chosen.images))
    destination = open_destination()
    results: list[PutResult] = []
    failures: list[tuple[str, AirbundleError]] = []
    try:
        with progress.task(label, _bytes_of(bundle, images)) as task:
            seen: set[Digest] = set()
            for number, image in enumerate(images):
                share = _Share(task, _bytes_of(bundle, [image], seen))
                seen.update(image.blobs)
                try:
                    results.append(destination.put(bundle.outgoing(image), bundle, share))
                except AirbundleError as error:
                    failures.append((image.reference, error))
                    if isinstance(error, Unreachable):
                        lost = Unreachable(f"not tried, the destination was lost: {error}", advice=error.advice)
                        failures += [(rest.reference, lost) for rest in images[number + 1 :]]
                        break
                share.complete()
        if failures and destination.is_one_file:
            # A file of this name would look like all of them, and would be in the way of the next run.
            destination.abort()
            failures += [(result.reference, _not_written(failures[0][1])) for result in results]
            results = []
        else:
            destination.finish()
    except BaseException:
        destination.abort()
        raise
    return TransferReport(tuple(results), tuple(failures))


def _not_written(cause: AirbundleError) -> AirbundleError:
    return type(cause)(f"not written, because another image failed: {cause}", advice=cause.advice)


def _each_once(selected: Iterable[tuple[Application, Image]]) -> list[Image]:
    """Return the images without those that an earlier application has too.

    Raises:
        UsageError: two applications have different images of one name, which a destination can hold only once.
    """
    images: dict[str, Image] = {}
    for application, image in selected:
        if images.setdefault(image.reference, image).descriptor.digest != image.descriptor.digest:
            raise UsageError(
                f"{image.reference} is another image in the application {application.name}",
                advice="Name one application with --app.",
            )
    return list(images.values())


def _bytes_of(bundle: Bundle, images: Collection[Image], besides: Collection[Digest] = ()) -> int:
    """Return the bytes of the blobs of some images, each counted once, without those ``besides``."""
    digests = {digest for image in images for digest in image.blobs} - set(besides)
    return sum(bundle.manifest.blob_by_digest[digest].size for digest in digests)


class _Share:
    """The part of a task that one image accounts for: layers that images share are counted once.

    A destination may have to send a shared layer again, or find it there already; neither moves the task
    beyond what the image brings, and at its end the task stands where it should.
    """

    def __init__(self, task: Task, size: int) -> None:
        self._task = task
        self._left = size
        self._lock = threading.Lock()

    def advance(self, count: int) -> None:
        with self._lock:
            step = min(count, self._left)
            self._left -= step
        self._task.advance(step)

    def complete(self) -> None:
        self.advance(self._left)

    def describe(self, text: str) -> None:
        self._task.describe(text)

    def expect(self, total: int | None) -> None:
        pass

    def __enter__(self) -> _Share:
        return self

    def __exit__(self, *_: object) -> None:
        pass
