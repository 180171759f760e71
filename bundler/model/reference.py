"""Image names (the grammar of distribution/reference, with docker's defaults)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bundler.errors import InvalidReference, MalformedDocument
from bundler.model.digest import Digest

DEFAULT_REGISTRY = "docker.io"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_LABEL = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_IMAGE_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LONGEST_NAME = 255


@dataclass(frozen=True, order=True)
class Reference:
    """``registry/repository[:tag][@digest]``, always complete. Law: ``Reference.parse(str(r)) == r``."""

    registry: str
    repository: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a name as docker reads it: ``busybox`` is ``docker.io/library/busybox:latest``.

        A name with a digest gets no tag that it does not have.

        Raises:
            InvalidReference: the text does not follow the grammar.
        """
        if _IMAGE_ID.fullmatch(text):
            raise InvalidReference(f"{text} is an image ID, not a name")
        rest, _, digest_text = text.partition("@")
        try:
            digest = Digest(digest_text) if "@" in text else None
        except MalformedDocument as error:
            raise InvalidReference(f"{text!r:.200}: {error}") from error
        head, slash, last = rest.rpartition("/")
        last, colon, tag = last.partition(":")
        if colon and not _TAG.fullmatch(tag):
            raise InvalidReference(f"{text!r:.200} has no valid tag")
        registry, repository = _split_registry(head + slash + last)
        if not _REGISTRY.fullmatch(registry):
            raise InvalidReference(f"{text!r:.200} has no valid registry name")
        if not _REPOSITORY.fullmatch(repository) or len(registry) + 1 + len(repository) > _LONGEST_NAME:
            hint = "; repositories are in lower case" if repository != repository.lower() else ""
            raise InvalidReference(f"{text!r:.200} has no valid repository name{hint}")
        return cls(registry, repository, tag or ("" if digest else "latest"), digest)

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def tagged(self) -> str | None:
        """The full name with its tag and without digest, as engines take it; ``None`` without a tag."""
        return f"{self.name}:{self.tag}" if self.tag else None

    @property
    def familiar(self) -> str:
        """The name as docker shows it: ``busybox:1`` for ``docker.io/library/busybox:1``.

        Law: ``Reference.parse(r.familiar) == r``.
        """
        text = str(self)
        for prefix in (f"{DEFAULT_REGISTRY}/library/", f"{DEFAULT_REGISTRY}/"):
            # Not every rest is still this name: `library/a/b` must not become `a/b`.
            if text.startswith(prefix) and self._is_meant_by(text[len(prefix) :]):
                return text[len(prefix) :]
        return text

    def _is_meant_by(self, text: str) -> bool:
        try:
            return Reference.parse(text) == self
        except InvalidReference:
            return False

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def _split_registry(path: str) -> tuple[str, str]:
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        registry = DEFAULT_REGISTRY if first == "index.docker.io" else first
    else:
        registry, rest = DEFAULT_REGISTRY, path
    if registry == DEFAULT_REGISTRY and "/" not in rest:
        rest = "library/" + rest
    return registry, rest
