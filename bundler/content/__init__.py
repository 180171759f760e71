"""Bytes in motion: hashing, verified streams, compression, files, tars, and the protocols of both ends."""
