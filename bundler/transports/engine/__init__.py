"""The Docker Engine API: what the engine is and holds, images out of it, images into it."""

from bundler.transports.engine.client import EngineClient
from bundler.transports.engine.facts import EngineImage, EngineInfo

__all__ = ["EngineClient", "EngineImage", "EngineInfo"]
