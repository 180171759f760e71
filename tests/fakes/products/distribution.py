"""distribution 2.8 with a token service in front, in its read-only mode, or as a mirror of another registry."""

from __future__ import annotations

from tests.fakes.products.product import Asked, Read, refused
from tests.fakes.products.tokens import TokenProduct
from tests.fakes.registry_doorman import Reply


class Distribution(TokenProduct):
    """Attributes: ``pushers`` may push anywhere, who else is known may pull; ``read_only``; ``mirror``."""

    def __init__(self) -> None:
        super().__init__()
        self.pushers = {"ci"}
        self.read_only = False
        self.mirror = False

    def head(self) -> dict[str, str]:
        return {"Docker-Distribution-Api-Version": "registry/2.0"}

    def may(self, user: str, name: str, action: str) -> bool:
        return user in self.pushers or (bool(user) and action == "pull")

    def refuse(self, asked: Asked, read: Read) -> Reply | None:
        if asked.is_writing and self.read_only:
            return Reply(
                405, b"Method not allowed\n", {"Content-Type": "text/plain; charset=utf-8", "Allow": "GET, HEAD"}
            )
        if asked.is_writing and self.mirror:
            return refused(405, "UNSUPPORTED", "The operation is unsupported.")
        return None
