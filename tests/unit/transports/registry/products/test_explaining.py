"""What each product refuses is explained: the part of the path, what the product said, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bundler.errors import AirbundleError, ExitStatus, Refused, Unauthorised
from bundler.sources.registry import RegistrySource
from tests.fakes.memory import MemorySource
from tests.fakes.products.artifactory import Artifactory
from tests.fakes.products.distribution import Distribution
from tests.fakes.products.docker_hub import DockerHub
from tests.fakes.products.gitlab import GitLab
from tests.fakes.products.harbor import Harbor, Project
from tests.fakes.products.nexus import Nexus
from tests.fakes.products.product import Product
from tests.fakes.products.pushing import PRODUCTS, as_ci, docker_image, image, pushing, put
from tests.fakes.products.quay import Quay
from tests.fakes.products.zot import Zot
from tests.fakes.registry import FakeRegistry, Script
from tests.registry_access import PLAIN_HTTP
from tests.requirements import require, why_no_program
from tests.servers.registry import PROGRAM, RealRegistry

#: A product in a state; the prefix that is pushed to; what the error must say; what its advice must say.
Case = tuple[Callable[[], Product], str, tuple[str, ...], str]


def having(kind: type[Product], **state: Any) -> Callable[[], Product]:
    def make() -> Product:
        product = kind()
        for name, value in state.items():
            assert hasattr(product, name)
            setattr(product, name, value)
        return product

    return make


CASES: dict[str, Case] = {
    "harbor: no such project": (
        having(Harbor),
        "plant",
        ("project plant not found", "Harbor: of plant/web the first part is the project"),
        "--create-projects",
    ),
    "harbor: no right": (
        having(Harbor, projects={"plant": Project()}),
        "plant",
        ("unauthorized to access repository: plant/web", "plant exists, and this account may not put"),
        "robot$",
    ),
    "harbor: pull only": (
        having(Harbor, projects={"plant": Project(public=True)}),
        "plant",
        ("action: push", "plant exists"),
        "robot$",
    ),
    "harbor: no project in the name": (having(Harbor), "", ("invalid repository name: web",), "REGISTRY/PROJECT"),
    "harbor: quota": (
        having(Harbor, projects={"shop": Project({"ci"}, quota=100)}),
        "shop",
        ("DENIED: adding", "quota of the project shop"),
        "raised",
    ),
    "harbor: read-only": (having(Harbor, read_only=True), "shop", ("in read only mode",), "again"),
    "nexus: no such repository": (having(Nexus), "plant", ("Nexus Repository: ", "plant"), "path-based routing"),
    "nexus: a group": (
        having(Nexus, repositories={"shop": "group"}),
        "shop",
        ("PRO-licensed", "a group repository"),
        "hosted",
    ),
    "artifactory: no such key": (
        having(Artifactory),
        "plant",
        ("Artifactory: ", "plant, is the key of a Docker repository"),
        "HOST/REPOSITORY_KEY",
    ),
    "artifactory: a virtual one": (
        having(Artifactory, virtual={"all"}),
        "all",
        ("No local repository found", "default deployment repository"),
        "local",
    ),
    "gitlab: no such project": (
        having(GitLab),
        "plant/none",
        ("GitLab: plant/none/web must begin with the path of a project",),
        "write_registry",
    ),
    "gitlab: too deep": (having(GitLab), "plant/shop/a/b", ("at most 2 names", "plant/shop/a or"), "--flatten"),
    "quay: too deep": (having(Quay), "shop/a", ("Nested repositories", "Quay: names have two parts"), "--flatten"),
    "quay: another's namespace": (having(Quay), "plant", ("plant, is the namespace",), "plant+NAME"),
    "quay: quota": (having(Quay, over_quota=True), "shop", ("DENIED: Quota", "namespace shop"), "raised"),
    "quay: read-only": (having(Quay, read_only=True), "shop", ("currently read-only",), "later"),
    "zot: no right": (having(Zot, updaters=set()), "shop", ("zot: no rule",), "accessControl"),
    "hub: too deep": (having(DockerHub), "shop/a", ("Docker Hub: names have two parts",), "--flatten"),
    "hub: another's namespace": (having(DockerHub), "plant", ("plant, is the namespace",), "Log in as plant"),
    "distribution: no right": (
        having(Distribution, pushers=set()),
        "a/b",
        ("lets this account push to a/b/web",),
        "right",
    ),
    "distribution: a mirror": (having(Distribution, mirror=True), "a", ("UNSUPPORTED", "a mirror of"), "another"),
    "distribution: read-only": (
        having(Distribution, read_only=True),
        "a",
        ("it is read-only",),
        "another registry",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_is_explained(name: str) -> None:
    make, prefix, said, advice = CASES[name]
    memory = MemorySource()
    with FakeRegistry(product=make()) as fake, pushing(fake, prefix) as destination:
        error = refused(lambda: put(destination, memory, image(memory)))
        for text in said:
            assert text in error.message
        assert advice in error.advice
        assert error.exit_status is ExitStatus.REFUSED or error.exit_status is ExitStatus.USAGE
        first = error.message.split("\n")[0]
        assert f"{fake.address}" in first or "token for" in first
        # The second image of the same kind costs no more questions about the product.
        asked = len([e for e in fake.log if e.path == "/v2/"])
        refused(lambda: put(destination, memory, image(memory, "web2")))
        assert len([e for e in fake.log if e.path == "/v2/"]) == asked


MOVING: dict[str, tuple[Callable[[], Product], tuple[str, ...], str]] = {
    "harbor": (
        having(Harbor, projects={"shop": Project({"ci"}, immutable=("1",))}),
        ("configured as immutable", "Harbor: a rule of the project shop makes the tag 1 immutable"),
        "--on-existing-tag skip",
    ),
    "nexus": (
        having(Nexus, repositories={"shop": "once"}),
        (
            "does not allow updating assets: shop",
            "Nexus Repository: its deployment policy forbids to move the tag 1",
        ),
        "another tag",
    ),
    "artifactory": (
        having(Artifactory, may_delete=False),
        ("needs DELETE permission", "Artifactory: the tag 1 exists"),
        "Delete/Overwrite",
    ),
    "artifactory, older": (
        having(Artifactory, may_delete=False, speaks=False),
        ("MANIFEST_INVALID", "Artifactory: the tag 1 exists"),
        "Delete/Overwrite",
    ),
}


@pytest.mark.parametrize("name", MOVING)
def test_a_tag_that_must_not_move(name: str) -> None:
    make, said, advice = MOVING[name]
    memory = MemorySource()
    with FakeRegistry(product=make()) as fake, pushing(fake, "shop", on_existing_tag="overwrite") as destination:
        first = image(memory)
        put(destination, memory, first)
        assert put(destination, memory, first).status == "skipped"
        error = refused(lambda: put(destination, memory, image(memory, text="other")))
        assert all(text in error.message for text in said)
        assert advice in error.advice
        # Others are not hit by it.
        assert put(destination, memory, image(memory, "api")).status == "pushed"


def test_docker_types_at_zot() -> None:
    memory = MemorySource()
    made, product = docker_image(memory), Zot()
    with FakeRegistry(product=product) as fake, pushing(fake) as destination:
        error = refused(lambda: put(destination, memory, made))
        assert "zot: the image is in Docker's own form" in error.message
        assert "docker2s2" in error.advice
        product.compat = True
        assert put(destination, memory, made).status == "pushed"


@pytest.mark.parametrize(("compression", "advice"), [("zstd", "--compression gzip"), ("gzip", "updated")])
def test_forms_that_an_old_registry_does_not_take(compression: str, advice: str) -> None:
    memory = MemorySource()
    with FakeRegistry() as fake, pushing(fake) as destination:
        fake.quirks.scripts["PUT .*/manifests/"] = Script(
            415, b'{"errors": [{"code": "MANIFEST_INVALID", "message": "manifest invalid"}]}'
        )
        error = refused(lambda: put(destination, memory, image(memory, compression=compression)))
        assert "the registry: the image" in error.message
        assert advice in error.advice


def test_what_is_missing_is_no_question_of_form() -> None:
    memory = MemorySource()
    with FakeRegistry() as fake, pushing(fake) as destination:
        body = b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "manifest invalid"}]}'
        fake.quirks.scripts["PUT .*/manifests/"] = Script(400, body)
        error = refused(lambda: put(destination, memory, image(memory, compression="zstd")))
        assert "\n" not in error.message


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_stranger_is_refused(name: str) -> None:
    make, prefix = PRODUCTS[name]
    memory = MemorySource()
    with FakeRegistry(product=make()) as fake, pushing(fake, prefix, access=PLAIN_HTTP) as destination:
        error = refused(lambda: put(destination, memory, image(memory)))
        assert isinstance(error, Unauthorised)
        assert "docker login" in error.advice


@pytest.mark.registry
def test_the_real_distribution() -> None:
    require(why_no_program(PROGRAM))
    memory = MemorySource()
    with RealRegistry(read_only=True) as real, pushing(real, "shop") as destination:
        error = refused(lambda: put(destination, memory, image(memory)))
        assert "405: Method not allowed" in error.message
        assert "distribution: it is read-only" in error.message
    with RealRegistry(htpasswd=("ci", "secret")) as real:
        with pushing(real, "shop", access=PLAIN_HTTP) as destination:
            error = refused(lambda: put(destination, memory, image(memory)))
            assert "authentication required" in error.message
            assert f"docker login {real.address}" in error.advice
        with pushing(real, "shop", create_projects=True) as destination:
            (note,) = put(destination, memory, image(memory)).notes
            assert "the registry is distribution" in note


@pytest.mark.parametrize("name", ["Harbor", "GitLab", "Quay"])
def test_a_wrong_password_is_not_taken_for_a_wrong_name(name: str) -> None:
    make, prefix = PRODUCTS[name]
    product, memory = make(), MemorySource()
    product.users = {"ci": "another"}
    with FakeRegistry(product=product) as fake, pushing(fake, prefix) as destination:
        error = refused(lambda: put(destination, memory, image(memory)))
        assert isinstance(error, Unauthorised)
        assert "\n" not in error.message
        assert "docker login" in error.advice


def test_what_a_product_says_is_cleaned_and_bounded() -> None:
    memory = MemorySource()
    with FakeRegistry(product=Zot()) as fake, pushing(fake, "shop") as destination:
        body = b'{"errors": [{"code": "DENIED", "message": "\\u001b[2J' + b"x" * 9000 + b'"}]}'
        fake.quirks.scripts["POST"] = Script(403, body)
        error = refused(lambda: put(destination, memory, image(memory)))
        assert "\x1b" not in error.message
        assert len(error.message) < 2000


def test_a_refused_pull_is_explained() -> None:
    with FakeRegistry(product=Harbor()) as fake:
        source = RegistrySource(PLAIN_HTTP)
        error = refused(lambda: source.resolve(f"{fake.address}/shop/web:1"))
        source.close()
    assert "Harbor: of shop/web the first part is the project" in error.message
    assert f"docker login {fake.address}" in error.advice


def test_looking_for_what_is_not_there_asks_nothing_more() -> None:
    with FakeRegistry(product=Zot()) as fake:
        source = RegistrySource(as_ci())
        error = refused(lambda: source.resolve(f"{fake.address}/shop/web:1"))
        source.close()
        assert error.code == "not-found"
        assert {entry.path for entry in fake.log} == {"/v2/shop/web/manifests/1"}


def test_the_good_path_asks_nothing_more() -> None:
    memory = MemorySource()
    with FakeRegistry(product=Harbor()) as fake, pushing(fake, "shop") as destination:
        put(destination, memory, image(memory))
        assert not [entry for entry in fake.log if entry.path == "/v2/" or entry.path.startswith("/api/")]


def refused(action: Callable[[], object]) -> AirbundleError:
    with pytest.raises(AirbundleError) as caught:
        action()
    assert isinstance(caught.value, Refused) or caught.value.code == "not-found"
    return caught.value
