"""Out of a bundle: load into an engine, push to a registry, extract to a layout or archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bundler.api.one_by_one import each_once, put_images
from bundler.api.registry_access import DEFAULT_ACCESS, AccessOptions, open_access
from bundler.api.transfer_report import TransferReport
from bundler.bundle.manifest import Application, Image
from bundler.bundle.reader import Bundle
from bundler.content.images import ImageDestination, OnExistingTag
from bundler.errors import UsageError
from bundler.model.limits import Limits
from bundler.model.naming.naming import Naming, check_targets
from bundler.model.reference import Reference
from bundler.progress import SILENT, Progress


@dataclass(frozen=True)
class Selection:
    """Which images of a bundle: those of some applications, of some names, or all where nothing is said."""

    applications: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def load(
    bundle: Bundle,
    selection: Selection | None = None,
    *,
    on_existing_tag: OnExistingTag = "overwrite",
    progress: Progress = SILENT,
) -> TransferReport:
    """Load images into the Docker engine that the docker command would use.

    Images that are there are skipped; after a connection that broke, what is there is looked at before anything
    is sent again.

    Raises:
        Unreachable: there is no engine. Unauthorised: this user may not use it.
        ConfigError: DOCKER_HOST or the docker context names an engine in a way that is not understood here.
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
    access: AccessOptions = DEFAULT_ACCESS,
    on_existing_tag: OnExistingTag = "error",
    naming: Naming | None = None,
    dry_run: bool = False,
    offline: bool = False,
    chunk_bytes: int | None = None,
    create_projects: bool = False,
    sparse_index: bool = False,
    progress: Progress = SILENT,
) -> TransferReport:
    """Push images to ``REGISTRY[/PREFIX]``.

    What images are called there says ``naming``; without one, the rename rules of the bundle. All names are
    checked before anything is sent. With ``dry_run`` nothing is sent: the results are of the kind ``Preview``.
    With ``offline`` too the registry is not even asked.
    Blobs that were half sent when an earlier push ended are gone on with; what is needed for that lies in the
    user's state directory. ``chunk_bytes`` is the size of one piece of a blob; by default it follows the rate.
    ``create_projects`` makes missing projects of Harbor, private ones; notes of the results say which.
    A user and password in ``access``, or in the environment, are for the destination. ``sparse_index`` tries
    first to push an index of which only some platforms were packed.

    Raises:
        InvalidReference: the destination is no such name, or an image would get a name that is none.
        UsageError: a number is out of its bounds, two images would get one name, or a rename rule makes no sense.
        NotFound: the bundle has no such application or image.
    """
    from bundler.destinations.registry import RegistryDestination
    from bundler.destinations.registry_preview import RegistryPreview
    from bundler.transports.registry.upload.saved import default_directory

    if offline and not dry_run:
        raise UsageError("a push that asks nobody can only be a dry run", advice="Add --dry-run.")

    def open_destination() -> ImageDestination:
        registry = RegistryDestination(
            destination,
            open_access(access, [destination.partition("/")[0]], limits=bundle.limits, progress=progress),
            jobs=jobs,
            on_existing_tag=on_existing_tag,
            naming=naming or Naming(bundle.manifest.rename),
            piece_bytes=chunk_bytes,
            create_projects=create_projects,
            sparse_index=sparse_index,
            state_directory=default_directory(),
            limits=bundle.limits,
            progress=progress,
        )
        images = each_once(_selected(bundle, selection))
        check_targets(
            ((Reference.parse(image.reference), image.descriptor.digest) for image in images), registry.target
        )
        return RegistryPreview(registry, on_existing_tag, jobs=jobs, ask=not offline) if dry_run else registry

    return _transfer(bundle, selection, open_destination, "look" if dry_run else "push", progress)


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
    return put_images(bundle, _selected(bundle, selection), open_destination, label, progress)


def _selected(bundle: Bundle, selection: Selection | None) -> list[tuple[Application, Image]]:
    chosen = selection or Selection()
    return bundle.images(chosen.applications, chosen.images)
