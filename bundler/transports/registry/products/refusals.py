"""A refusal, and its explanation in the words of one product. Values: no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.transports.registry.answered import Answered

#: Codes of what is not there in a repository that may be read.
_MERELY_ABSENT = ("MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN")


@dataclass(frozen=True)
class Refusal:
    """What a registry refused.

    Attributes:
        repository: the path that was asked for, without the registry: ``shop/web``.
        tag: the tag that the image should get, ``""`` for a digest.
        writing: whether an image was to be put there, and not to be read.
        answered: what the registry said.
        project_exists: whether the project is there, for products that tell; ``None`` where nobody knows.
        media_types: of the image's documents, configs and layers, as far as there is one.
    """

    repository: str
    tag: str
    writing: bool
    answered: Answered
    project_exists: bool | None = None
    media_types: frozenset[str] = frozenset()

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.answered.status

    @property
    def parts(self) -> list[str]:
        """The path in its parts, at least one."""
        return self.repository.split("/")

    @property
    def first(self) -> str:
        """The first part of the path, which most products give a meaning of its own."""
        return self.parts[0]

    @property
    def rest(self) -> str:
        """What is behind the first part, ``""`` for nothing."""
        return "/".join(self.parts[1:])

    @property
    def is_about_rights(self) -> bool:
        """Whether the answer is one of those that products give for want of rights, and for wrong names."""
        if self.status == 404:
            return not any(code in _MERELY_ABSENT for code in self.answered.codes)
        return self.status in (401, 403)

    @property
    def is_about_a_manifest(self) -> bool:
        """Whether a manifest or index was to be put."""
        return self.answered.method == "PUT" and "/manifests/" in self.answered.url

    def says(self, *texts: str) -> bool:
        """Tell whether the registry said one of these, in whatever case."""
        said = self.answered.words.lower()
        return any(text.lower() in said for text in texts)

    @property
    def lacks_scope(self) -> bool:
        """Tell whether the token was taken, and allows something else (RFC 6750 §3.1)."""
        challenges = self.answered.signs.challenges
        return any(challenge.parameters.get("error") == "insufficient_scope" for challenge in challenges)


@dataclass(frozen=True)
class Explanation:
    """What a refusal means, and what can be done."""

    text: str
    advice: str
