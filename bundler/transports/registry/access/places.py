"""Where docker and podman keep what they know of registries, for this user and for the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Paths that follow from the environment. Nothing is read, and nothing need be there.

    Attributes:
        environment: the variables that move these files.
        home: of the user.
        root: of the system's own files.
    """

    environment: Mapping[str, str]
    home: Path
    root: Path = Path("/")

    @classmethod
    def of_this_process(cls, environment: Mapping[str, str] | None = None) -> Places:
        """Return the places of the user who runs this process, or of one who has another environment."""
        known = dict(os.environ) if environment is None else dict(environment)
        return cls(known, Path(known.get("HOME") or os.path.expanduser("~")))  # noqa: PTH111  # home() may fail

    @property
    def docker_config(self) -> Path:
        """Return where ``docker login`` writes to."""
        return self._named("DOCKER_CONFIG", self.home / ".docker") / "config.json"

    @property
    def podman_auth_files(self) -> tuple[Path, ...]:
        """Return where ``podman login`` writes to, and where else it looks (containers-auth.json(5))."""
        if named := self.environment.get("REGISTRY_AUTH_FILE"):
            return (Path(named),)
        user = os.getuid() if hasattr(os, "getuid") else 0
        runtime = self._named("XDG_RUNTIME_DIR", self.root / f"run/containers/{user}")
        first = "containers/auth.json" if self.environment.get("XDG_RUNTIME_DIR") else "auth.json"
        return runtime / first, self._config_home / "containers/auth.json"

    @property
    def certificate_directories(self) -> tuple[Path, ...]:
        """Return the directories that hold one directory for each registry."""
        return tuple(
            base / tool / "certs.d"
            for base in (self._config_home, self.root / "etc")
            for tool in ("containers", "docker")
        )

    @property
    def registries_conf(self) -> Path:
        """Return podman's main file on registries (containers-registries.conf(5)): the user's if there is one."""
        if named := self.environment.get("CONTAINERS_REGISTRIES_CONF"):
            return Path(named)
        own = self._config_home / "containers/registries.conf"
        return own if own.is_file() else self.root / "etc/containers/registries.conf"

    @property
    def registries_conf_directories(self) -> tuple[Path, ...]:
        """Return the directories of files that add to the main one, later ones overriding earlier ones."""
        return tuple(base / "containers/registries.conf.d" for base in (self.root / "etc", self._config_home))

    @property
    def short_name_aliases(self) -> Path:
        """Return where podman remembers what a user chose for a short name."""
        return self._named("XDG_CACHE_HOME", self.home / ".cache") / "containers/short-name-aliases.conf"

    @property
    def docker_daemon_files(self) -> tuple[Path, ...]:
        """Return the configuration of this user's own docker daemon and of the machine's; the first one counts."""
        return tuple(base / "docker/daemon.json" for base in (self._config_home, self.root / "etc"))

    @property
    def _config_home(self) -> Path:
        return self._named("XDG_CONFIG_HOME", self.home / ".config")

    def _named(self, variable: str, otherwise: Path) -> Path:
        named = self.environment.get(variable)
        return Path(named) if named else otherwise
