"""From an error of a registry to one that says what the product means by it.

The registry is asked about itself only after it refused something.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from urllib.parse import quote

from bundler.errors import AirbundleError, NotFound, Refused
from bundler.transports.registry.answered import Answered, Signs, answer_behind
from bundler.transports.registry.client import RegistryClient, Repository
from bundler.transports.registry.products import (
    artifactory,
    distribution,
    docker_hub,
    gitlab,
    harbor,
    nexus,
    quay,
    zot,
)
from bundler.transports.registry.products.forms import explain_form
from bundler.transports.registry.products.projects import HarborProjects
from bundler.transports.registry.products.recognise import Product, recognise
from bundler.transports.registry.products.refusals import Explanation, Refusal

#: What each product means by a refusal.
EXPLANATIONS: Mapping[Product, Callable[[Refusal], Explanation | None]] = {
    Product.HARBOR: harbor.explain,
    Product.NEXUS: nexus.explain,
    Product.ARTIFACTORY: artifactory.explain,
    Product.GITLAB: gitlab.explain,
    Product.QUAY: quay.explain,
    Product.ZOT: zot.explain,
    Product.DOCKER_HUB: docker_hub.explain,
    Product.DISTRIBUTION: distribution.explain,
}


def _is_about(repository: Repository, answered: Answered) -> bool:
    """Tell whether an answer depends on the repository, and not on the user or another service alone."""
    if f"/v2/{repository.name}/" in answered.url:
        return True
    # A token service that does not know the user at all says so with 401.
    return answered.status != 401 and f"scope=repository%3A{quote(repository.name, safe='')}" in answered.url


class Explainer:
    """Explains the refusals of one registry. Safe to use from several threads."""

    def __init__(self, client: RegistryClient) -> None:
        """Prepare; nothing is asked."""
        self._client = client
        self._projects = HarborProjects(client)
        self._product: Product | None = None
        self._is_known = False
        self._lock = threading.Lock()

    def product(self, seen: Signs | None = None) -> Product | None:
        """Return which product it is; asked once, ``None`` where nothing tells."""
        with self._lock:
            if not self._is_known:
                self._product = recognise(self._client, seen)
                self._is_known = True
            return self._product

    def explain(
        self,
        error: AirbundleError,
        repository: Repository,
        reference: str,
        *,
        writing: bool,
        media_types: Collection[str] = (),
    ) -> None:
        """Put into an error what the product means by it, and what to do; its kind stays what it is.

        An error that is no answer of a registry stays as it is.

        Args:
            error: What ended the work on one image; it is changed.
            repository: Of the image.
            reference: The tag or digest that was asked for, or that the image should get.
            writing: Whether an image was to be put there.
            media_types: Of its documents, configs and layers.
        """
        answered = answer_behind(error) if isinstance(error, (Refused, NotFound)) else None
        if answered is None or (answered.status == 404 and not writing):
            # What is not there cannot be read; whoever merely looks asks for no explanation.
            return
        if not _is_about(repository, answered):
            return
        product = self.product(answered.signs)
        if answered.method == "HEAD":
            answered = self._in_words(repository, reference, answered)
        tag = "" if ":" in reference else reference
        refusal = Refusal(repository.name, tag, writing, answered, media_types=frozenset(media_types))
        if product is Product.HARBOR and refusal.is_about_rights and refusal.rest:
            refusal = replace(refusal, project_exists=self._projects.exists(refusal.first))
        found = EXPLANATIONS[product](refusal) if product is not None else None
        found = found or explain_form(refusal)
        if answered.words and answered.words not in error.message:
            error.message += f": {answered.words}"
        if found is not None:
            error.message += f"\n{product.value if product is not None else 'the registry'}: {found.text}"
            error.advice = found.advice
        if answered.status == 401 and self._client.is_anonymous:
            log_in = f"Nobody is logged in there: run `docker login {self._client.address.name}`."
            error.advice = log_in if found is None else f"{log_in} {found.advice}"

    def _in_words(self, repository: Repository, reference: str, answered: Answered) -> Answered:
        """Ask again in a way that may be answered with a body: none comes to a HEAD."""
        try:
            path = repository.path(f"manifests/{reference}")
            repository.request("GET", path, expected=(), what="asking for the reason").close()
        except AirbundleError as error:
            again = answer_behind(error)
            if again is not None and again.status == answered.status:
                return again
        return answered
