"""Copies parts of a bundle into one directory, from wherever each block of them is right."""
