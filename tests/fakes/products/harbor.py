"""Harbor 2: projects, roles, robots, quotas, immutable tags, and as much of its API as makes projects."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field

from tests.fakes.products.product import JSON, Asked, Product, Read, refused
from tests.fakes.registry_doorman import Reply

PROJECTS = "/api/v2.0/projects"


@dataclass
class Project:
    """Attributes: ``pushers`` may push and pull; ``quota`` in bytes; ``immutable`` are patterns of tags."""

    pushers: set[str] = field(default_factory=set)
    public: bool = False
    quota: int | None = None
    immutable: tuple[str, ...] = ()


class Harbor(Product):
    """Attributes: ``admins`` may make projects; ``read_only`` is all of it; ``tells`` says whether HEAD tells."""

    def __init__(self) -> None:
        super().__init__()
        self.projects = {"shop": Project({"ci"}), "library": Project(public=True)}
        self.admins: set[str] = set()
        self.read_only = False
        self.tells = True
        self.asked_api: list[str] = []
        self.issued: dict[str, str] = {}

    def answer(self, asked: Asked, read: Read) -> Reply | None:
        if asked.path == "/service/token":
            return self._token(asked)
        if asked.path.startswith("/api/"):
            return self._api(asked, read)
        if self.read_only and asked.is_writing:
            return refused(403, "DENIED", "The system is in read only mode. Any modification is prohibited.")
        return self._check(asked) or self._refuse(asked, read)

    # -- the ways in ----------------------------------------------------------------------------------------

    def who(self, asked: Asked) -> str:
        bearer = asked.authorization.removeprefix("Bearer ")
        return self.issued.get(bearer, "") if bearer != asked.authorization else self.user(asked)

    def _token(self, asked: Asked) -> Reply:
        user = self.user(asked)
        if asked.basic and not user:
            return refused(401, "UNAUTHORIZED", "unauthorized")
        token = f"token-{len(self.issued)}"
        self.issued[token] = user
        return Reply(200, json.dumps({"token": token, "expires_in": 1800}).encode(), JSON)

    def _challenge(self, asked: Asked) -> str:
        if asked.authorization:
            return 'Basic realm="harbor"'
        scope = (
            f',scope="repository:{asked.name}:{"pull,push" if asked.is_writing else "pull"}"' if asked.name else ""
        )
        return f'Bearer realm="http://{asked.address}/service/token",service="harbor-registry"{scope}'

    def _check(self, asked: Asked) -> Reply | None:
        if asked.path == "/v2/":
            allowed, message, challenge = bool(self.who(asked)), "unauthorized", self._challenge(asked)
        elif "/" not in asked.name:
            if asked.name:
                return refused(400, "BAD_REQUEST", f"invalid repository name: {asked.name}")
            allowed, message, challenge = False, f"un-recognized request: {asked.method} {asked.path}", ""
        elif asked.method == "HEAD" and not asked.authorization:
            allowed, message = False, "authorize header needed to send HEAD to repository"
            challenge = self._challenge(asked)
        else:
            allowed, message, challenge = self._project_check(asked)
        if allowed:
            return None
        return refused(401, "UNAUTHORIZED", message, WWW_Authenticate=challenge)

    def _project_check(self, asked: Asked) -> tuple[bool, str, str]:
        name = asked.name.partition("/")[0]
        project = self.projects.get(name)
        if project is None:
            return False, f"project {name} not found", ""
        action = "push" if asked.is_writing else "pull"
        allowed = self.who(asked) in project.pushers or (project.public and action == "pull")
        message = f"unauthorized to access repository: {asked.name}, action: {action}"
        return allowed, message, self._challenge(asked)

    # -- what it refuses to those who are in ----------------------------------------------------------------

    def _refuse(self, asked: Asked, read: Read) -> Reply | None:
        name, _, rest = asked.name.partition("/")
        project = self.projects.get(name, Project())
        tag = asked.reference
        is_there = asked.puts_manifest and tag in self.store.repo(asked.name).tags
        if is_there and any(fnmatch.fnmatch(tag, pattern) for pattern in project.immutable):
            message = f"Failed to process request due to '{rest}:{tag}' configured as immutable."
            return refused(412, "PRECONDITION", message)
        if project.quota is not None and asked.method == "PUT" and asked.kind == "blobs/uploads":
            used = self._used(name)
            if (
                used + len(self.store.uploads.get(tag, b"")) + int(asked.headers.get("Content-Length", 0))
                > project.quota
            ):
                message = (
                    f"adding 2.1 MiB of storage resource, which when updated to current usage of {used} B will "
                    f"exceed the configured upper limit of {project.quota} B."
                )
                return refused(403, "DENIED", message)
        return None

    def _used(self, project: str) -> int:
        held = {
            digest
            for name, repo in self.store.repos.items()
            if name.startswith(f"{project}/")
            for digest in repo.blobs
        }
        return sum(len(self.store.blobs[digest]) for digest in held)

    # -- API v2.0 -------------------------------------------------------------------------------------------

    def _api(self, asked: Asked, read: Read) -> Reply | None:
        self.asked_api.append(f"{asked.method} {asked.path}")
        user = self.user(asked)
        if asked.path == "/api/v2.0/ping":
            return Reply(200, b"Pong", {"Content-Type": "text/plain"})
        if asked.path != PROJECTS:
            return refused(404, "NOT_FOUND", "page not found")
        if not user:
            return refused(401, "UNAUTHORIZED", "unauthorized")
        if asked.method == "HEAD":
            (name,) = asked.query["project_name"]
            if not self.tells:
                return refused(403, "FORBIDDEN", "forbidden")
            return Reply(200 if name in self.projects else 404, b"", {})
        return self._create(json.loads(read()), user)

    def _create(self, wanted: dict[str, object], user: str) -> Reply:
        if user.startswith("robot$") and "+" in user:
            return refused(403, "FORBIDDEN", "Only system level robot can create project")
        if user not in self.admins:
            return refused(403, "FORBIDDEN", "Only system admin can create project")
        name, metadata = wanted["project_name"], wanted.get("metadata")
        assert isinstance(name, str)
        assert isinstance(metadata, dict)
        if name in self.projects:
            return refused(409, "CONFLICT", f"The project named {name} already exists")
        self.projects[name] = Project({user}, public=metadata["public"] == "true")
        return Reply(201, b"", {"Location": f"{PROJECTS}/{len(self.projects)}"})
