"""Compose files, as the Compose specification and `docker compose config --images` read them."""
