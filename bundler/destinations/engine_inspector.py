"""Looks at images in a Docker engine after they were imported, and runs their smoke tests there."""

from __future__ import annotations

from collections.abc import Sequence

from bundler.content.arrivals import Arrival, SmokeResult
from bundler.content.images import OutgoingImage
from bundler.destinations.engine_plan import plan_load
from bundler.model.platforms import Platform
from bundler.transports.engine import EngineClient

#: What makes a Linux machine run programs for another processor.
_QEMU = "QEMU for binfmt_misc (packages qemu-user-static and binfmt-support) would run it by hand, slowly"


class EngineInspector:
    """An ``Inspector`` of an engine."""

    def __init__(self, client: EngineClient) -> None:
        """Look into the engine that the client is connected to; the inspector closes it."""
        self._client = client

    def look(self, image: OutgoingImage) -> Arrival:
        """Compare what the image's name points to with the image, by its ID in the sense of either store.

        Raises:
            NotFound, UsageError: the engine can hold nothing of this image.
            Refused, Unreachable: the engine.
        """
        info = self._client.info
        plan = plan_load(image, info)
        target = plan.archive.name or plan.ids[0]
        found = self._client.inspect(target)
        chosen = plan.archive.chosen
        return Arrival(
            target=target,
            expected=plan.ids,
            found=None if found is None else found.id,
            is_same=plan.is_met_by(found),
            cannot_run=_obstacle(chosen.platform if chosen is not None else None, info.platform),
            notes=plan.notes,
        )

    def run(self, arrival: Arrival, command: Sequence[str], seconds: float) -> SmokeResult:
        """Run a command in a container, see :meth:`Inspector.run`."""
        words = tuple(command)
        if arrival.found is None or arrival.cannot_run:
            return SmokeResult(words, "skipped", reason=arrival.cannot_run or "there is no such image")
        ended = self._client.containers.run(arrival.found, command, seconds)
        if ended.exit_status == 0 and not ended.reason:
            return SmokeResult(words, "passed", 0, output=ended.output)
        reason = ended.reason or f"it ended with status {ended.exit_status}"
        return SmokeResult(words, "failed", ended.exit_status, reason, ended.output)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _obstacle(image: Platform | None, engine: Platform) -> str:
    """Say why an engine runs no container of what was chosen for it; ``""`` if it does."""
    if image is None:
        return "it is no image for this engine"
    return "" if image.runs_on(engine) else f"it is for {image}, the engine runs {engine}; {_QEMU}"
