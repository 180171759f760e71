"""What is said of an image before it is packed."""

from __future__ import annotations

import pytest

from bundler.content.images import RegistryForm
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.platforms import Platform
from bundler.packing.planning.platforms import platform_notes
from tests.fakes.memory import MemorySource, multi_platform

NAME = "multi.test/web:1"
ONE = PlatformChoice((Platform.parse("linux/amd64"),))


@pytest.mark.parametrize(
    ("signed", "choice", "count"), [("index", ONE, 1), ("index", EVERY_PLATFORM, 0), ("image", ONE, 0)]
)
def test_a_signature_of_an_index_that_is_packed_in_part(signed: str, choice: PlatformChoice, count: int) -> None:
    memory = MemorySource()
    index = multi_platform(memory, NAME)
    (some,) = memory.resolve(NAME, ONE)
    assert isinstance(some, RegistryForm)
    child = next(descriptor for descriptor, _ in some.tree.nodes() if descriptor.digest != index.tree.root.digest)
    memory.refer(index, memory.make_signature(index.tree.root if signed == "index" else child))
    (found,) = memory.resolve(NAME, choice)
    notes = [note for note in platform_notes(found, choice) if "of the index" in note]
    assert len(notes) == count
