"""Docker Hub: two names, a namespace of one's own, repositories made by the push, a limit of pulls."""

from __future__ import annotations

from tests.fakes.products.product import Asked, Read, refused
from tests.fakes.products.tokens import TokenProduct
from tests.fakes.registry_doorman import Reply

_PARTS, _LIMIT = 2, 100


class DockerHub(TokenProduct):
    """Attributes: ``members`` of namespaces; ``pulls_left`` until the limit; ``seconds`` it asks to wait then."""

    token_path = "/token"
    service = "registry.docker.io"

    def __init__(self) -> None:
        super().__init__()
        self.members = {"shop": {"ci"}}
        self.pulls_left = _LIMIT
        self.seconds = 0

    def head(self) -> dict[str, str]:
        return {
            "Docker-Distribution-Api-Version": "registry/2.0",
            "ratelimit-limit": f"{_LIMIT};w=21600",
            "ratelimit-remaining": f"{max(self.pulls_left, 0)};w=21600",
            "docker-ratelimit-source": "192.0.2.7",
        }

    def may(self, user: str, name: str, action: str) -> bool:
        namespace, *rest = name.split("/")
        return len(rest) == _PARTS - 1 and user in self.members.get(namespace, ())

    def refuse(self, asked: Asked, read: Read) -> Reply | None:
        if asked.method != "GET" or asked.kind != "manifests":
            return None
        self.pulls_left -= 1
        if self.pulls_left >= 0:
            return None
        message = (
            "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
        )
        return refused(429, "TOOMANYREQUESTS", message, Retry_After=str(self.seconds))
