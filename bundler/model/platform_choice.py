"""Which platforms of an image are wanted, and what became of that wish at one image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bundler.errors import UsageError
from bundler.model.digest import Digest
from bundler.model.platforms import Platform

ALL = "all"
_MOST_WANTED = 100


@dataclass(frozen=True)
class PlatformChoice:
    """A wish.

    Attributes:
        wanted: without repetition, in the order in which they were named; ``()`` means every platform.
        is_default: nobody named a platform; it is the one of this machine.
    """

    wanted: tuple[Platform, ...] = ()
    is_default: bool = False

    @classmethod
    def parse(cls, texts: Iterable[str]) -> PlatformChoice:
        """Read ``all``, or platforms; each text may hold several with commas between them.

        Raises:
            UsageError: a text is no platform, nothing is named, or ``all`` and something else.
        """
        names = [name.strip() for text in texts for name in text.split(",")]
        if [name.lower() for name in names] == [ALL]:
            return EVERY_PLATFORM
        if not names or len(names) > _MOST_WANTED or ALL in map(str.lower, names):
            raise UsageError(
                f"these are no platforms to choose: {', '.join(names)!r:.100}",
                advice="Name platforms such as linux/amd64,linux/arm64, or all by itself.",
            )
        return cls(tuple(dict.fromkeys(map(Platform.parse, names))))

    @property
    def is_all(self) -> bool:
        """Whether every platform is wanted."""
        return not self.wanted

    def __str__(self) -> str:
        return ",".join(map(str, self.wanted)) or ALL


EVERY_PLATFORM = PlatformChoice()


@dataclass(frozen=True)
class PlatformSelection:
    """What was taken of an image whose index names several.

    Attributes:
        listed: the platforms that its indexes name, whether or not the source has them; sorted, each once.
        left_out: digests of what its indexes list and was not taken; sorted.
        notes: what the user should know: a lower variant was taken, or the only one there is.
    """

    listed: tuple[Platform, ...] = ()
    left_out: tuple[Digest, ...] = ()
    notes: tuple[str, ...] = ()


NOTHING_CHOSEN = PlatformSelection()
