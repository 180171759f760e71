"""What a registry answered when it refused: kept beside the error, for whoever can explain it."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.model.limits import Limits
from bundler.transports.registry.challenges import Challenge, parse_challenges
from bundler.transports.registry.wire import Answer
from bundler.transports.registry.words import clean

#: Headers that only one product sends.
_TELLING = ("X-JFrog-Version", "X-Artifactory-Id", "Gitlab-Container-Registry-Version")


@dataclass(frozen=True)
class Signs:
    """What the head of an answer tells about the software behind it.

    Attributes:
        server: the header ``Server``, cleaned.
        challenges: the ways in that it offers.
        headers: which of the headers are there that only one product sends, as they are spelt here.
    """

    server: str = ""
    challenges: tuple[Challenge, ...] = ()
    headers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, answer: Answer, limits: Limits) -> Signs:
        """Read them; the body is left alone."""
        return cls(
            clean(answer.header("Server")),
            tuple(parse_challenges(answer.headers("WWW-Authenticate"), limits)),
            frozenset(name for name in _TELLING if answer.header(name)),
        )


class Answered(Exception):
    """The cause of an error that is a registry's answer. Its text is that answer, cleaned and bounded.

    Attributes:
        method: of the request.
        url: of the request, as it was sent.
        status: of the answer.
        codes: those of the distribution specification that the body holds, and whatever else stood there.
        words: what the body says, cleaned; ``""`` for an answer without a body.
        signs: what its head tells about the product.
    """

    def __init__(
        self, method: str, url: str, status: int, codes: tuple[str, ...], words: str, signs: Signs
    ) -> None:
        super().__init__(f"{method} was answered with {status}" + (f": {words}" if words else ""))
        self.method = method
        self.url = url
        self.status = status
        self.codes = codes
        self.words = words
        self.signs = signs


def answer_behind(error: BaseException) -> Answered | None:
    """Return the answer that an error was made of; ``None`` if it was made of something else."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Answered):
        cause = cause.__cause__
    return cause
