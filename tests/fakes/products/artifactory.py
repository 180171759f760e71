"""Artifactory with the repository path method: the key of a repository is the first part of the path."""

from __future__ import annotations

import json

from tests.fakes.products.product import JSON, Asked, Read, refused
from tests.fakes.products.tokens import TokenProduct
from tests.fakes.registry_doorman import Reply


class Artifactory(TokenProduct):
    """Attributes: ``keys`` of repositories, and of ``virtual`` ones; ``may_delete``: pushers may overwrite."""

    token_path = "/v2/token"
    service = "artifactory"

    def __init__(self) -> None:
        super().__init__()
        self.keys = {"shop"}
        self.virtual: set[str] = set()
        self.may_delete = True
        #: Newer ones say what is missing, older ones only that the manifest is not right.
        self.speaks = True

    def head(self) -> dict[str, str]:
        return {
            "Server": "Artifactory/7.90.7 79007900",
            "X-JFrog-Version": "Artifactory/7.90.7 79007900",
            "X-Artifactory-Id": "6d70dcfd451c8e98:237a9c5d:1792f16ad1d:-8000",
            "Docker-Distribution-Api-Version": "registry/2.0",
        }

    def answer(self, asked: Asked, read: Read) -> Reply | None:
        key = asked.name.partition("/")[0]
        if asked.name and key not in self.keys | self.virtual:
            return _status(404, "Not Found")
        return super().answer(asked, read)

    def needs(self, asked: Asked) -> set[tuple[str, str]]:
        return {(name.partition("/")[2], action) for name, action in asked.needs}

    def realm(self, asked: Asked) -> str:
        key = asked.name.partition("/")[0] or "null"
        return f"http://{asked.address}/artifactory/api/docker/{key}{self.token_path}"

    def refuse(self, asked: Asked, read: Read) -> Reply | None:
        key, _, rest = asked.name.partition("/")
        if asked.is_writing and key in self.virtual:
            return _status(409, f"No local repository found for deploying to the '{key}' virtual repository")
        if asked.puts_manifest and not self.may_delete and asked.reference in self.store.repo(asked.name).tags:
            if not self.speaks:
                return refused(403, "MANIFEST_INVALID", "manifest invalid", {"description": "HTTP 403 Forbidden"})
            place = f"{key}:{rest}/{asked.reference}/manifest.json"
            needs = "(user 'ci' needs DELETE permission)"
            return _status(403, f"Not enough permissions to delete/overwrite artifact '{place}' {needs}.")
        return None


def _status(status: int, message: str) -> Reply:
    """Make the body of errors that Artifactory has everywhere."""
    return Reply(status, json.dumps({"errors": [{"status": status, "message": message}]}).encode(), JSON)
