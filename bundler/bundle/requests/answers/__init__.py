"""Answers to requests: a directory of blocks, how it is written, and how it is read."""
