"""zot: any path, OCI types only, pieces to the byte, access rules; a cut piece costs the upload."""

from __future__ import annotations

import json

from tests.fakes.products.product import JSON, Asked, Product, Read, refused
from tests.fakes.registry_doorman import Reply


class Zot(Product):
    """Attributes: ``compat`` takes Docker's types too; ``open_to_all`` wants no password; ``updaters`` push."""

    stateless = True

    def __init__(self) -> None:
        super().__init__()
        self.compat = False
        self.open_to_all = False
        self.updaters = {"ci"}

    def head(self) -> dict[str, str]:
        return {"Docker-Distribution-Api-Version": "registry/2.0"}

    def answer(self, asked: Asked, read: Read) -> Reply | None:
        if asked.path == "/v2/_zot/ext/mgmt":
            facts = {"distSpecVersion": "1.1.1", "binaryType": "-mgmt-search-ui", "releaseTag": "v2.1.7"}
            return Reply(200, json.dumps(facts).encode(), JSON)
        user = "ci" if self.open_to_all else self.user(asked)
        if not user:
            # As zot sends it: one error without a list around it.
            fields = {"code": "UNAUTHORIZED", "message": "authentication required", "detail": {"description": "…"}}
            challenge = {"WWW-Authenticate": 'Basic realm="Authorization Required"'}
            return Reply(401, json.dumps(fields).encode(), {**JSON, **challenge})
        if asked.is_writing and user not in self.updaters:
            return refused(403, "DENIED", "requested access to the resource is denied", {"description": "…"})
        media_type = asked.headers.get("Content-Type", "")
        if asked.puts_manifest and "vnd.docker." in media_type and not self.compat:
            return refused(415, "MANIFEST_INVALID", "manifest invalid", {"mediaType": media_type})
        return None
