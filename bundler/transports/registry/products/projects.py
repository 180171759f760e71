"""Projects of Harbor, by its API v2.0: whether one is there, and making it."""

from __future__ import annotations

import threading
from urllib.parse import quote

from bundler.errors import AirbundleError, Refused, Unauthorised
from bundler.model.json_documents import canonical_json
from bundler.transports.registry.answers import require
from bundler.transports.registry.client import RegistryClient
from bundler.transports.registry.products.recognise import Product, recognise
from bundler.transports.registry.products.refusals import Explanation
from bundler.transports.registry.wire import Body

_PROJECTS = "/api/v2.0/projects"
_NO_RIGHT = (
    "Have the project created by an administrator. A robot needs to be one of the system, with the permission to "
    "create projects; those of a project can never create another one."
)


class HarborProjects:
    """The projects of one Harbor. Safe to use from several threads."""

    def __init__(self, client: RegistryClient) -> None:
        """Prepare; nothing is asked."""
        self._client = client

    def exists(self, project: str) -> bool | None:
        """Tell whether a project is there; ``None`` where Harbor does not tell this account, or is silent."""
        try:
            query = f"project_name={quote(project, safe='')}"
            with self._client.beside("HEAD", f"{_PROJECTS}?{query}", repository=project) as answer:
                return {200: True, 404: False}.get(answer.status)
        except AirbundleError:
            return None

    def create(self, project: str) -> bool:
        """Make a project, private; tell whether it was not there yet.

        Raises:
            Unauthorised, Refused: this account may not, or the name is not one for a project.
            Unreachable, ProtocolError: the registry.
        """
        # Harbor takes this for text, not for a truth value.
        wanted = canonical_json({"project_name": project, "metadata": {"public": "false"}})

        def once() -> int:
            with self._client.beside("POST", _PROJECTS, repository=project, body=Body.of(wanted)) as answer:
                what = f"{self._client.address.name}: creating the project {project}"
                require(answer, (200, 201, 409), self._client.limits, what)
                return answer.status

        return self._client.retries.run(once) != 409


class ProjectMaker:
    """Makes the projects that images need before they are pushed. Safe to use from several threads."""

    def __init__(self, client: RegistryClient, *, is_wanted: bool = True) -> None:
        """Prepare; nothing is asked. Where it is not wanted nothing ever is."""
        self._client = client
        self._is_wanted = is_wanted
        self._projects = HarborProjects(client)
        self._product: Product | None = None
        self._is_asked = False
        # What became of each project: the error, where it cannot be made.
        self._done: dict[str, Refused | None] = {}
        self._news: list[str] = []
        self._lock = threading.Lock()

    def take_news(self) -> tuple[str, ...]:
        """Return what was done and has not been told to the user yet."""
        with self._lock:
            news, self._news = tuple(self._news), []
        return news

    def ensure(self, repository: str) -> None:
        """Make the project of a repository, if it has to be there and is not; asked once for each project.

        Raises:
            Unauthorised, Refused: the project is missing and this account may not make it.
            Unreachable, ProtocolError: the registry.
        """
        if not self._is_wanted:
            return
        with self._lock:
            failed = self._failure(repository)
        if failed is not None:
            # Each image has an error of its own.
            raise type(failed)(failed.message, advice=failed.advice) from failed.__cause__

    def _failure(self, repository: str) -> Refused | None:
        if not self._is_asked:
            self._product, self._is_asked = recognise(self._client), True
            if self._product is not Product.HARBOR:
                name = self._product.value if self._product is not None else "a product that is not known here"
                self._news.append(f"the registry is {name}: only in Harbor are there projects to be created")
        project, _, rest = repository.partition("/")
        if self._product is not Product.HARBOR or not rest:
            return None
        if project not in self._done:
            self._done[project] = self._make(project)
        return self._done[project]

    def _make(self, project: str) -> Refused | None:
        known = self._projects.exists(project)
        try:
            if known is not True and self._projects.create(project):
                self._news.append(f"the project {project} was not there and was created, as a private one")
        except Refused as error:
            if known is None and not isinstance(error, Unauthorised):
                # It may well be there: the push will tell.
                return None
            _explain(error, project)
            return error
        return None


def _explain(error: Refused, project: str) -> None:
    if isinstance(error, Unauthorised):
        text = "it wants the password of a user or robot for that"
        advice = (
            "Run `docker login` with a user who may create projects; a token of another service is not enough."
        )
    else:
        text, advice = "this account may not create projects, or not of this name", _NO_RIGHT
    found = Explanation(f"the project {project} is missing, and {text}", advice)
    error.message = f"{error.message}\n{Product.HARBOR.value}: {found.text}"
    error.advice = found.advice
