"""The bundle format and everything that reads it."""
