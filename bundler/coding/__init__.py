"""Codings without I/O: the parity code, by which lost blocks are made again from those that are left."""
