"""``--create-projects``: what is made, what is said, what is refused, and what is not asked twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bundler.errors import Refused, Unauthorised
from bundler.transports.registry.credentials import Credentials
from tests.fakes.memory import MemorySource
from tests.fakes.products.harbor import PROJECTS, Harbor, Project
from tests.fakes.products.pushing import PRODUCTS, as_ci, image, pushing, put
from tests.fakes.registry import FakeRegistry, Script
from tests.registry_access import PLAIN_HTTP

CREATE, LOOK = f"POST {PROJECTS}", f"HEAD {PROJECTS}"


@pytest.fixture
def harbor() -> Harbor:
    made = Harbor()
    made.admins = {"ci"}
    return made


@pytest.fixture
def fake(harbor: Harbor) -> Iterator[FakeRegistry]:
    with FakeRegistry(product=harbor) as running:
        yield running


@pytest.fixture
def memory() -> MemorySource:
    return MemorySource()


def test_a_missing_project_is_made_once_and_private(
    fake: FakeRegistry, harbor: Harbor, memory: MemorySource
) -> None:
    with pushing(fake, "plant", create_projects=True) as destination:
        first, second = (put(destination, memory, image(memory, name)) for name in ("web", "api"))
    assert first.status == second.status == "pushed"
    assert any("project plant" in note and "created" in note for note in first.notes)
    assert second.notes == ()
    assert not harbor.projects["plant"].public
    assert harbor.asked_api == [LOOK, CREATE]


def test_a_project_that_is_there_is_left_alone(fake: FakeRegistry, harbor: Harbor, memory: MemorySource) -> None:
    with pushing(fake, "shop", create_projects=True) as destination:
        assert put(destination, memory, image(memory)).notes == ()
    assert harbor.asked_api == [LOOK]


@pytest.mark.parametrize("exists", [True, False])
def test_where_harbor_does_not_tell_it_is_tried(
    fake: FakeRegistry, harbor: Harbor, memory: MemorySource, exists: bool
) -> None:
    harbor.tells = False
    with pushing(fake, "shop" if exists else "plant", create_projects=True) as destination:
        result = put(destination, memory, image(memory))
    assert result.status == "pushed"
    assert bool(result.notes) is not exists
    assert harbor.asked_api == [LOOK, CREATE]


def test_who_may_not_create_and_does_not_know_goes_on(
    fake: FakeRegistry, harbor: Harbor, memory: MemorySource
) -> None:
    harbor.admins, harbor.tells = set(), False
    with pushing(fake, "shop", create_projects=True) as destination:
        assert put(destination, memory, image(memory)).status == "pushed"


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("robot$plant+ci", "Only system level robot"),
        ("robot$ci", "Only system admin"),
        ("ci", "Only system admin"),
    ],
)
def test_who_may_not_create_is_told_what_is_needed(
    fake: FakeRegistry, harbor: Harbor, memory: MemorySource, user: str, said: str
) -> None:
    harbor.admins, harbor.users = set(), {user: "secret"}
    harbor.projects["shop"].pushers.add(user)
    access = replace(as_ci(), credentials=lambda *_: Credentials(user, "secret"))
    options = {"access": access, "create_projects": True}
    with pushing(fake, "plant", **options) as destination:
        for name in ("web", "api"):
            with pytest.raises(Refused) as caught:
                put(destination, memory, image(memory, name))
            assert said in caught.value.message
            assert "Harbor: the project plant is missing" in caught.value.message
            assert "permission to create projects" in caught.value.advice
    assert harbor.asked_api == [LOOK, CREATE]
    with pushing(fake, "shop", **options) as destination:
        assert put(destination, memory, image(memory)).status == "pushed"


def test_without_a_password_nothing_is_made(fake: FakeRegistry, memory: MemorySource) -> None:
    with (
        pushing(fake, "plant", create_projects=True, access=PLAIN_HTTP) as destination,
        pytest.raises(Unauthorised, match="password of a user or robot"),
    ):
        put(destination, memory, image(memory))


def test_a_creation_whose_answer_is_lost_is_no_error(
    fake: FakeRegistry, harbor: Harbor, memory: MemorySource
) -> None:
    fake.quirks.scripts[f"POST {PROJECTS}"] = Script(503, b"", {"Retry-After": "0"}, uses=2)
    with pushing(fake, "plant", create_projects=True) as destination:
        assert put(destination, memory, image(memory)).status == "pushed"


def test_what_was_made_is_said_also_when_the_push_then_fails(
    fake: FakeRegistry, harbor: Harbor, memory: MemorySource
) -> None:
    fake.quirks.scripts["PUT .*/manifests/"] = Script(403, b"")
    with (
        pushing(fake, "plant", create_projects=True) as destination,
        pytest.raises(Refused, match="project plant was not there and was created"),
    ):
        put(destination, memory, image(memory))


def test_projects_are_not_made_unasked(fake: FakeRegistry, harbor: Harbor, memory: MemorySource) -> None:
    with pushing(fake, "plant") as destination, pytest.raises(Unauthorised):
        put(destination, memory, image(memory))
    assert CREATE not in harbor.asked_api
    assert harbor.projects == {"shop": Project({"ci"}), "library": Project(public=True)}


@pytest.mark.parametrize("name", [name for name in PRODUCTS if name != "Harbor"])
def test_elsewhere_it_does_nothing_and_says_so_once(name: str, memory: MemorySource) -> None:
    make, prefix = PRODUCTS[name]
    with FakeRegistry(product=make()) as fake, pushing(fake, prefix, create_projects=True) as destination:
        first, second = (put(destination, memory, image(memory, name)) for name in ("web", "api"))
        (note,) = first.notes
        assert "only in Harbor" in note
        assert second.notes == ()
        assert not any(entry.path.startswith("/api/") for entry in fake.log)
