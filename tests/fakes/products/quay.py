"""Quay: two names unless more are allowed, repositories made by the push, robots, quota, read-only."""

from __future__ import annotations

from tests.fakes.products.product import Asked, Read, refused
from tests.fakes.products.tokens import TokenProduct
from tests.fakes.registry_doorman import Reply

_PARTS = 2


class Quay(TokenProduct):
    """Attributes: ``creators`` may make repositories, by namespace; ``extended`` allows more than two names."""

    token_path = "/v2/auth"
    service = "quay.test"

    def __init__(self) -> None:
        super().__init__()
        self.creators = {"shop": {"ci", "shop+robot"}}
        self.extended = False
        self.read_only = False
        self.over_quota = False

    def may(self, user: str, name: str, action: str) -> bool:
        return user in self.creators.get(name.partition("/")[0], ())

    def give_token(self, asked: Asked) -> Reply:
        for scope in asked.query.get("scope", ()):
            name = scope.split(":")[1]
            if len(name.split("/")) > _PARTS and not self.extended:
                return refused(400, "NAME_INVALID", f"Nested repositories are not supported. Found: {name}", {})
        return super().give_token(asked)

    def challenge(self, asked: Asked, needs: set[tuple[str, str]] | None = None) -> Reply:
        plain = super().challenge(asked, needs)
        message = "access to the requested resource is not authorized"
        return refused(401, "UNAUTHORIZED", message, {}, WWW_Authenticate=plain.headers["WWW-Authenticate"])

    def refuse(self, asked: Asked, read: Read) -> Reply | None:
        if asked.is_writing and self.read_only:
            message = "System is currently read-only. Pulls will succeed but all write operations are suspended."
            return refused(405, "DENIED", message, {})
        if asked.puts_manifest and self.over_quota:
            return refused(403, "DENIED", "Quota has been exceed on namespace", {})
        return None
