"""The containers of the fake engine: they know a few commands, and wait as real ones do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Answer = tuple[int, Any]
_NO_COMMAND = 'OCI runtime create failed: exec: "{}": executable file not found in $PATH: unknown'


@dataclass
class FakeContainer:
    """One container.

    Attributes:
        asked: the document that asked for it.
        ended: is set when its command has ended.
        output: what its command wrote, with the number of the stream.
    """

    asked: Mapping[str, Any]
    ended: threading.Event = field(default_factory=threading.Event)
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    output: list[tuple[int, bytes]] = field(default_factory=list)

    def start(self) -> Answer:
        """Do what the command says: ``busybox`` and ``true``, ``false``, ``echo``, ``sleep`` or ``eat``."""
        program, *words = self.asked["Entrypoint"]
        if program != "/bin/busybox":
            self.exit_code, self.error = 127, _NO_COMMAND.format(program)
            self.ended.set()
            return 400, {"message": self.error}
        if words[0] == "sleep":
            return 204, None
        self.exit_code = {"true": 0, "echo": 0, "false": 1, "eat": 137}[words[0]]
        self.oom_killed = words[0] == "eat"
        if words[0] == "echo":
            self.output = [(1, " ".join(words[1:]).encode() + b"\n"), (2, b"and an error\n")]
        self.ended.set()
        return 204, None

    def kill(self) -> Answer:
        """End it by force."""
        self.exit_code = 137
        self.ended.set()
        return 204, None

    @property
    def state(self) -> dict[str, Any]:
        """What inspecting says of it."""
        return {"ExitCode": self.exit_code, "OOMKilled": self.oom_killed, "Error": self.error}

    @property
    def frames(self) -> bytes:
        """What it wrote, as the engine sends it."""
        return b"".join(
            bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for stream, text in self.output
        )


@dataclass
class FakeContainers:
    """All containers by name.

    Attributes:
        asked: every document that asked for a container, in order.
        before_create: is called before one is made, as long as an engine may take.
        refuse_start: the message with which every start is refused, as by an engine that cannot run any.
        says_status: a container that could not start has a shell's status, as Docker says and Podman does not.
    """

    by_name: dict[str, FakeContainer] = field(default_factory=dict)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    before_create: Callable[[], None] | None = None
    refuse_start: str | None = None
    says_status: bool = True

    def create(self, name: str, asked: Mapping[str, Any]) -> Answer:
        """Make one."""
        if self.before_create is not None:
            self.before_create()
        self.asked.append(asked)
        self.by_name[name] = FakeContainer(asked)
        return 201, {"Id": name, "Warnings": []}

    def post(self, name: str, action: str) -> Answer:
        """Start, kill or wait for one."""
        container = self.by_name.get(name)
        if container is None:
            return 404, {"message": f"No such container: {name}"}
        if action == "start":
            if self.refuse_start is not None:
                return 500, {"message": self.refuse_start}
            answer = container.start()
            if answer[0] != 204 and not self.says_status:
                container.exit_code, container.error = 0, ""
                return 500, answer[1]
            return answer
        if action == "kill":
            return container.kill()
        container.ended.wait(60)
        return 200, {"StatusCode": container.exit_code, "Error": None}

    def remove(self, name: str) -> Answer:
        """Remove one, also if it runs."""
        container = self.by_name.pop(name, None)
        if container is None:
            return 404, {"message": f"No such container: {name}"}
        container.kill()
        return 204, None
