"""Nexus Repository with path-based routing: the name of one of its repositories is the first part of the path."""

from __future__ import annotations

from tests.fakes.products.product import Asked, Product, Read, refused
from tests.fakes.registry_doorman import Reply


class Nexus(Product):
    """A hosted one unless said otherwise.

    Attributes:
        repositories: their deployment policies: ``allow``, ``once`` (no redeploying) or ``group``.
        late: digests of blobs that somebody else completes in the moment in which they come.
    """

    def __init__(self) -> None:
        super().__init__()
        self.repositories = {"shop": "allow"}
        self.late: set[str] = set()

    def head(self) -> dict[str, str]:
        return {
            "Server": "Nexus/3.95.0-07 (COMMUNITY)",
            "Docker-Distribution-Api-Version": "registry/2.0",
            "X-Content-Type-Options": "nosniff",
        }

    def answer(self, asked: Asked, read: Read) -> Reply | None:
        if not self.user(asked):
            challenge = 'BASIC realm="Sonatype Nexus Repository Manager"'
            return refused(
                401,
                "UNAUTHORIZED",
                "access to the requested resource is not authorized",
                WWW_Authenticate=challenge,
            )
        if not asked.name:
            return None
        repository = asked.name.partition("/")[0]
        policy = self.repositories.get(repository)
        if policy is None:
            return refused(404, "NAME_UNKNOWN", "repository name not known to registry", {"name": repository})
        if asked.is_writing and policy == "group":
            see = "See https://links.sonatype.com/product-nexus-repository"
            return refused(403, "DENIED", f"Deploying to groups is a PRO-licensed feature. {see}")
        (digest,) = asked.query.get("digest", [""])
        if asked.kind == "blobs/uploads" and asked.method == "PUT" and digest in self.late:
            self.late.remove(digest)
            body = bytes(self.store.uploads.pop(asked.reference)) + read()
            self.store.add_blob(asked.name, body)
            detail = f"{repository}/v2/-/blobs/{digest} cannot be updated"
            return refused(400, "BLOB_UPLOAD_INVALID", "blob upload invalid", detail)
        if asked.puts_manifest:
            if "Content-Length" not in asked.headers:
                message = "manifest upload requires Content-Length"
                return refused(411, "MANIFEST_INVALID", message, {"maxSize": 10485760})
            if policy == "once" and self.moves_a_tag(asked, read()):
                detail = f"Repository does not allow updating assets: {repository}"
                return refused(400, "BLOB_UPLOAD_INVALID", "blob upload invalid", detail)
        return None
