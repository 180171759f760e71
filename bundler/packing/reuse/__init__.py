"""Blobs that were made or fetched before, from older bundles and a cache, instead of from their sources."""
