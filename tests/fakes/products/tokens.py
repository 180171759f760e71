"""Products with a token service: it gives a token to everybody, with the rights that they have, maybe none."""

from __future__ import annotations

import json

from tests.fakes.products.product import JSON, Asked, Product, Read, refused
from tests.fakes.registry_doorman import Reply


class TokenProduct(Product):
    """Attributes: the path and name of the service; ``issued`` are the rights of each token."""

    token_path = "/token"
    service = "registry"

    def __init__(self) -> None:
        super().__init__()
        self.issued: dict[str, set[tuple[str, str]]] = {}

    def may(self, user: str, name: str, action: str) -> bool:
        """Tell whether somebody has a right; ``user`` is empty for strangers."""
        return bool(user)

    def answer(self, asked: Asked, read: Read) -> Reply | None:
        if asked.path.endswith(self.token_path):
            return self.give_token(asked)
        if asked.path == "/v2/" and not self.granted(asked) and not asked.authorization.startswith("Bearer "):
            return self.challenge(asked)
        needs = self.needs(asked)
        if not needs <= self.granted(asked):
            return self.challenge(asked, needs)
        return self.refuse(asked, read)

    def refuse(self, asked: Asked, read: Read) -> Reply | None:
        """Refuse what somebody with the rights asks for."""
        return None

    def needs(self, asked: Asked) -> set[tuple[str, str]]:
        """Return what a token must allow."""
        return asked.needs

    def granted(self, asked: Asked) -> set[tuple[str, str]]:
        """Return what the token that came along allows."""
        return self.issued.get(asked.authorization.removeprefix("Bearer "), set())

    def give_token(self, asked: Asked) -> Reply:
        """Answer a request for a token."""
        user = self.user(asked)
        if asked.basic and not user:
            return refused(401, "UNAUTHORIZED", "incorrect username or password")
        scopes = [scope.split(":") for scope in asked.query.get("scope", ())]
        token = f"token-{len(self.issued)}"
        self.issued[token] = {
            (name, action)
            for _, name, actions in scopes
            for action in actions.split(",")
            if self.may(user, name, action)
        }
        return Reply(200, json.dumps({"token": token, "expires_in": 300}).encode(), JSON)

    def realm(self, asked: Asked) -> str:
        """Return the address of the token service."""
        return f"http://{asked.address}{self.token_path}"

    def challenge(self, asked: Asked, needs: set[tuple[str, str]] | None = None) -> Reply:
        """Ask for a token; one that came along is not enough then."""
        parts = [f'realm="{self.realm(asked)}"', f'service="{self.service}"']
        wanted = sorted(needs or ())
        actions = {name: ",".join(action for other, action in wanted if other == name) for name, _ in wanted}
        if actions:
            scopes = " ".join(f"repository:{name}:{actions[name]}" for name in actions)
            parts.append(f'scope="{scopes}"')
        if asked.authorization.startswith("Bearer "):
            parts.append('error="insufficient_scope"')
        detail = [{"Type": "repository", "Class": "", "Name": name, "Action": action} for name, action in wanted]
        challenge = f"Bearer {','.join(parts)}"
        return refused(401, "UNAUTHORIZED", "authentication required", detail or None, WWW_Authenticate=challenge)
