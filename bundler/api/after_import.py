"""After an import: is each image of a bundle there, is it the bundle's, and does it work?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bundler.api.one_by_one import each_once, not_tried
from bundler.api.registry_access import DEFAULT_ACCESS, AccessOptions, open_access
from bundler.api.transfers import Selection
from bundler.bundle.manifest import Application, Image
from bundler.bundle.reader import Bundle
from bundler.content.arrivals import Arrival, Inspector, SmokeResult
from bundler.errors import AirbundleError, NotListed, OtherImage, SmokeFailed, is_lost
from bundler.model.limits import Limits
from bundler.model.naming.naming import Naming
from bundler.progress import SILENT, Progress

#: What ``check`` takes for the engine.
ENGINE = "docker-daemon:"
DEFAULT_SECONDS = 60.0
_MOST_NAMED = 5


@dataclass(frozen=True)
class CheckedImage:
    """What was found of one image.

    Attributes:
        reference: its name in the bundle.
        arrival: what is there under its name; ``None`` if that could not be found out.
        smoke: how its smoke tests ended.
        error: why something could not be found out. That says nothing of the image.
    """

    reference: str
    arrival: Arrival | None = None
    smoke: tuple[SmokeResult, ...] = ()
    error: AirbundleError | None = None

    @property
    def status(self) -> str:
        """``ok``, ``not listed``, ``differs``, ``smoke failed`` or ``not checked``."""
        if self.arrival is not None and not self.arrival.is_listed:
            return "not listed"
        if self.arrival is not None and not self.arrival.is_same:
            return "differs"
        if any(result.status == "failed" for result in self.smoke):
            return "smoke failed"
        return "ok" if self.error is None else "not checked"


@dataclass(frozen=True)
class CheckReport:
    """What was found of each image that was asked for."""

    images: tuple[CheckedImage, ...]

    @property
    def error(self) -> AirbundleError | None:
        """What decides the exit status: a wrong image before one that is not there, before one that fails."""
        for status, kind in (("differs", OtherImage), ("not listed", NotListed), ("smoke failed", SmokeFailed)):
            hit = [image.reference for image in self.images if image.status == status]
            if hit:
                named = ", ".join(hit[:_MOST_NAMED]) + (" …" if len(hit) > _MOST_NAMED else "")
                return kind(f"{len(hit)} of {len(self.images)} images: {status}: {named}")
        return next((image.error for image in self.images if image.error is not None), None)


def check(
    bundle: Bundle,
    target: str = ENGINE,
    selection: Selection | None = None,
    *,
    smoke: bool = True,
    seconds: float = DEFAULT_SECONDS,
    access: AccessOptions = DEFAULT_ACCESS,
    naming: Naming | None = None,
    progress: Progress = SILENT,
) -> CheckReport:
    """Look at each image where it was imported; nothing there is changed.

    Args:
        bundle: What was imported.
        target: ``docker-daemon:``, the engine that the docker command would use, or ``REGISTRY[/PREFIX]``.
        selection: Which of its images.
        smoke: Run the smoke tests that the bundle names, each in a container of its own.
        seconds: How long one may take.
        access: How the registry is reached.
        naming: What images are called there; without one, the rename rules of the bundle say it, as for a push.
        progress: Is told what goes on.

    Raises:
        Unreachable: there is no engine. Unauthorised: this user may not use it.
        InvalidReference: the target is no registry and prefix.
        UsageError: two applications have different images of one name.
        NotFound: the bundle has no such application or image.
    """
    chosen = selection or Selection()
    selected = bundle.images(chosen.applications, chosen.images)
    images, commands = each_once(selected), _commands(selected)
    inspector = _open_inspector(target, bundle.limits, access, naming or Naming(bundle.manifest.rename))
    checked: list[CheckedImage] = []
    lost: AirbundleError | None = None
    try:
        with progress.task("check", None) as task:
            for image in images:
                task.describe(f"looking at {image.reference}")
                wanted = commands.get(image.reference, ()) if smoke else ()
                checked.append(_check(bundle, image, inspector, wanted, seconds))
                error = checked[-1].error
                if error is not None and is_lost(error):
                    lost = error
                    break
    finally:
        inspector.close()
    if lost is not None:
        # Whoever answers, be it with a fault, may say more of other images; here nobody is left to be asked.
        checked += [CheckedImage(image.reference, error=not_tried(lost)) for image in images[len(checked) :]]
    return CheckReport(tuple(checked))


def _open_inspector(target: str, limits: Limits, access: AccessOptions, naming: Naming) -> Inspector:
    if target in (ENGINE, ENGINE.rstrip(":")):
        from bundler.destinations.engine_inspector import EngineInspector
        from bundler.transports.engine.client import EngineClient

        return EngineInspector(EngineClient(limits=limits))
    from bundler.destinations.registry import RegistryDestination
    from bundler.destinations.registry_inspector import RegistryInspector

    registry = target.removeprefix("docker://")
    reached = open_access(access, [registry.partition("/")[0]], limits=limits)
    return RegistryInspector(RegistryDestination(registry, reached, naming=naming, limits=limits))


def _check(
    bundle: Bundle, image: Image, inspector: Inspector, commands: Sequence[tuple[str, ...]], seconds: float
) -> CheckedImage:
    arrival: Arrival | None = None
    results: list[SmokeResult] = []
    try:
        arrival = inspector.look(bundle.outgoing(image))
        if not arrival.is_same:
            # Whatever it is, its success or failure would say nothing of the bundle's image.
            commands = ()
        for command in commands:
            skipped = SmokeResult(command, "skipped", reason=arrival.cannot_run)
            results.append(skipped if arrival.cannot_run else inspector.run(arrival, command, seconds))
    except AirbundleError as error:
        return CheckedImage(image.reference, arrival, tuple(results), error)
    return CheckedImage(image.reference, arrival, tuple(results))


def _commands(selected: Sequence[tuple[Application, Image]]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return the smoke tests of each image; two applications may have different ones for the same image."""
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for _, image in selected:
        if image.smoke:
            found.setdefault(image.reference, {})[image.smoke] = None
    return {reference: tuple(commands) for reference, commands in found.items()}
