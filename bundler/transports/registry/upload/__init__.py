"""Uploads of blobs: the protocol, and a whole blob sent by it whatever happens on the way."""
