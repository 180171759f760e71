"""Which platforms each application gets, and what to tell of an image that is not for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bundler.content.images import FoundImage, RegistryForm
from bundler.content.machine import this_machine
from bundler.model.emulation import foreign_words
from bundler.model.platform_choice import PlatformChoice
from bundler.model.platforms import Platform


@dataclass(frozen=True)
class PlatformWishes:
    """A value.

    Attributes:
        general: for all applications; ``None``: this machine's platform.
        applications: for some of them, by name, instead.
    """

    general: PlatformChoice | None = None
    applications: Mapping[str, PlatformChoice] = field(default_factory=dict)

    def of(self, application: str) -> PlatformChoice:
        """Return what is wanted of the images of an application."""
        return self.applications.get(application) or self.general or PlatformChoice((this_machine(),), True)


def platforms_of(found: FoundImage) -> list[str]:
    """Return the platforms that are taken of an image, in the order of its index; none of an artifact."""
    if not isinstance(found, RegistryForm):
        return [str(found.platform)]
    known = (image.platform for image in found.tree.platform_images())
    return [str(platform) for platform in known if platform.is_known]


def reason(choice: PlatformChoice) -> str:
    """Return in words why these platforms are taken."""
    if choice.is_default:
        return f"{choice}, this machine's platform"
    return "all platforms, as was asked" if choice.is_all else f"{choice}, as was asked"


def platform_notes(found: FoundImage, choice: PlatformChoice) -> tuple[str, ...]:
    """Return what the user should know: lower variants, platforms that it is not for, signatures of all of it."""
    if isinstance(found, RegistryForm):
        there = [image.platform for image in found.tree.platform_images() if image.platform.is_known]
        notes = (*found.selection.notes, *_stranded(found))
    else:
        there, notes = [found.platform], ()
    who = "this machine" if choice.is_default else "what was asked for"
    return (*notes, *(_foreign(there, wanted, who) for wanted in choice.wanted if _is_foreign(there, wanted)))


def _stranded(found: RegistryForm) -> tuple[str, ...]:
    """Say what refers to an index that no registry will take, since some of what it lists stays behind."""
    root = found.tree.root.digest
    count = sum(referrer.subject == root for referrer in found.referrers)
    if not count or not found.selection.left_out:
        return ()
    return (
        f"{count} signatures or alike are of the index, which registries take only with all its platforms: "
        "a push leaves them out, unless all are packed",
    )


def _is_foreign(there: list[Platform], wanted: Platform) -> bool:
    return bool(there) and not any(platform.runs_on(wanted) for platform in there)


def _foreign(there: list[Platform], wanted: Platform, who: str) -> str:
    # Which of several is emulated is no matter: any would be.
    return foreign_words(there[0], wanted, who) or ""
