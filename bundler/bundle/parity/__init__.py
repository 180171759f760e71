"""Parity: blocks beside a bundle from which bad or lost blocks of its parts can be made again."""
