"""Planning and packing: names in, bundle out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bundler.api.source_set import SourceSet
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import check_application_name
from bundler.packing.options import PackOptions
from bundler.packing.pack import write_bundle
from bundler.packing.plan import PackPlan, PlannedImage, make_plan
from bundler.progress import SILENT, Progress

#: Image names, with or without a transport, by application.
Applications = Mapping[str, Sequence[str]]


@contextmanager
def planned(
    applications: Applications,
    *,
    options: PackOptions | None = None,
    plain_http: bool = False,
    progress: Progress = SILENT,
) -> Iterator[PackPlan]:
    """Find every image and plan the bundle; its sources stay open as long as the block lasts.

    Raises:
        NotFound: an image is not there. Unreachable, Unauthorised: a source.
        ConfigError: the applications contradict themselves or the rules for names.
    """
    limits = (options or PackOptions()).limits
    for name in applications:
        check_application_name(name)
    with SourceSet(plain_http=plain_http, limits=limits, progress=progress) as sources:
        images = []
        for application, names in applications.items():
            for name in names:
                source, found = sources.find(name)
                images += [PlannedImage(application, image, source) for image in found]
        yield make_plan(images)


def pack(
    applications: Applications,
    output: Path | str,
    *,
    options: PackOptions | None = None,
    plain_http: bool = False,
    progress: Progress = SILENT,
) -> BundleManifest:
    """Pack images into a bundle.

    Args:
        applications: For each application the names of its images, as on the command line.
        output: Directory of the bundle; new or empty.
        options: Part size, compression, name and version of the bundle.
        plain_http: Allow registries to be asked without TLS.
        progress: Is told what goes on.

    Returns:
        The bundle's table of contents.

    Raises:
        AirbundleError: one of its subclasses; nothing lies under a final name then.
    """
    chosen = options or PackOptions()
    with planned(applications, options=chosen, plain_http=plain_http, progress=progress) as plan:
        return write_bundle(plan, Path(output), chosen, progress)
