"""Mends a bundle: from other copies, and from parity; what is made again is proven before it counts."""
