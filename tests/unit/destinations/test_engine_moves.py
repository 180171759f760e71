"""A name that moves is said before it moves."""

from __future__ import annotations

from dataclasses import dataclass, field

from bundler.content.images import OutgoingImage
from bundler.destinations.engine import EngineDestination
from bundler.progress import SILENT, SilentProgress
from bundler.transports.engine import EngineClient
from tests.fakes.engine import FakeEngine
from tests.fakes.memory import MemorySource, tar_of


@dataclass
class Watching(SilentProgress):
    """Notes, with each message, what the engine had under the name at that moment."""

    client: EngineClient
    name: str
    said: list[tuple[str, str]] = field(default_factory=list)

    def message(self, text: str) -> None:
        found = self.client.inspect(self.name)
        self.said.append((text, str(found.id) if found else ""))


def test_what_a_name_pointed_to_is_said_before_it_moves() -> None:
    memory = MemorySource()
    old = memory.make_image([tar_of({"a": b"old"})], "moves.test/app:1")
    new = memory.make_image([tar_of({"a": b"new"})], "moves.test/app:1")
    with FakeEngine() as engine:
        client = EngineClient(engine.host)
        EngineDestination(client).put(OutgoingImage(old.reference, old.tree), memory, SILENT.task(""))
        old_id = old.tree.platform_images()[0].image_id
        watching = Watching(client, "moves.test/app:1")

        result = EngineDestination(client, progress=watching).put(
            OutgoingImage(new.reference, new.tree), memory, SILENT.task("")
        )

        ((text, id_then),) = watching.said
        assert str(old_id) in text
        assert id_then == old_id, "it had not moved yet"
        assert result.replaced == old_id
        client.close()
