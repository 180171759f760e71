"""distribution with a token service in front, or in its read-only mode."""

from __future__ import annotations

from tests.fakes.products.product import Asked, Read, refused
from tests.fakes.products.tokens import TokenProduct
from tests.fakes.registry_doorman import Reply


class Distribution(TokenProduct):
    """Attributes: ``pushers`` may push anywhere, everybody else who is known may pull; ``read_only``."""

    def __init__(self) -> None:
        super().__init__()
        self.pushers = {"ci"}
        self.read_only = False

    def head(self) -> dict[str, str]:
        return {"Docker-Distribution-Api-Version": "registry/2.0"}

    def may(self, user: str, name: str, action: str) -> bool:
        return user in self.pushers or (bool(user) and action == "pull")

    def refuse(self, asked: Asked, read: Read) -> Reply | None:
        if asked.is_writing and self.read_only:
            return refused(405, "UNSUPPORTED", "The operation is unsupported.")
        return None
