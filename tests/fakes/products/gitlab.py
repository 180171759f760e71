"""GitLab's container registry: names hang below projects, and tokens come without rights rather than not."""

from __future__ import annotations

from tests.fakes.products.product import Asked, refused
from tests.fakes.products.tokens import TokenProduct
from tests.fakes.registry_doorman import Reply

_LEVELS = 3


class GitLab(TokenProduct):
    """Attributes: ``projects`` are paths of projects, and who may push there."""

    token_path = "/jwt/auth"
    service = "container_registry"

    def __init__(self) -> None:
        super().__init__()
        self.projects = {"plant/shop": {"ci"}}

    def head(self) -> dict[str, str]:
        return {
            "Docker-Distribution-Api-Version": "registry/2.0",
            "Gitlab-Container-Registry-Version": "4.5.0-gitlab",
        }

    def may(self, user: str, name: str, action: str) -> bool:
        parts = name.split("/")
        paths = ["/".join(parts[: len(parts) - below]) for below in range(_LEVELS)]
        return any(user in self.projects.get(path, ()) for path in paths)

    def give_token(self, asked: Asked) -> Reply:
        if not asked.basic and "scope" not in asked.query:
            return refused(403, "DENIED", "access forbidden")
        return super().give_token(asked)
