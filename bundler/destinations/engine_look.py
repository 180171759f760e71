"""What an engine has of an image, by its own word when asked afterwards: what it says of a load proves nothing."""

from __future__ import annotations

from bundler.destinations.engine_plan import LoadPlan
from bundler.errors import Refused
from bundler.model.reference import Reference
from bundler.transports.engine import EngineClient, EngineImage


class EngineLook:
    """Looks for what a plan wants to be there."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    def named(self, plan: LoadPlan) -> EngineImage | None:
        """Return what the name of the image points to, whatever that is."""
        return self._client.inspect(plan.archive.name) if plan.archive.name else None

    def find(self, plan: LoadPlan) -> EngineImage | None:
        """Return the image, under whatever name the engine has it."""
        found = self._client.inspect(plan.ids[0])
        return found if plan.is_met_by(found) else None

    def has_all(self, plan: LoadPlan, found: EngineImage) -> bool:
        """Tell whether nothing of the image needs to be sent."""
        if not plan.registry_form:
            return True
        available = self._client.available_manifests(found.id)
        if available is not None:
            return plan.manifests <= available
        # An engine that cannot tell which platforms it has whole is sent several of them again. What attests one
        # came with it.
        return plan.platforms == 1 and self._client.is_listed(found.id)

    def confirm(self, plan: LoadPlan) -> EngineImage:
        """Return what the engine now has.

        Raises:
            Refused: it is not the image, or not whole, or has not got its name.
        """
        name = plan.archive.name
        found = self._client.inspect(name or plan.ids[0])
        doubt = ""
        if found is None:
            doubt = "there is no such image now"
        elif not plan.is_met_by(found):
            doubt = f"it has another image there, {found.id}"
        elif name and Reference.parse(name) not in found.repo_tags:
            doubt = "the image has not got its name"
        elif plan.registry_form and not self._is_usable(plan, found):
            doubt = "it does not have all of the image"
        if found is None or doubt:
            raise Refused(
                f"the engine took {name or plan.ids[0]} without an error, but {doubt}",
                advice="See the engine's own log; its store may be damaged or full.",
            )
        return found

    def _is_usable(self, plan: LoadPlan, found: EngineImage) -> bool:
        available = self._client.available_manifests(found.id)
        return self._client.is_listed(found.id) if available is None else plan.manifests <= available
