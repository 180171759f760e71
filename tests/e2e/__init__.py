"""The installed command against real engines, registries and readers."""
