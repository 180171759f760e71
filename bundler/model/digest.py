"""Digests as the OCI image specification writes them (descriptor.md, "Digests")."""

from __future__ import annotations

import re

from bundler.errors import MalformedDocument

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


class Digest(str):
    """``sha256:`` and 64 lower-case hexadecimal digits. Law: ``Digest(str(d)) == d``.

    A string, so that it orders, hashes and prints as what it is. Other algorithms are not accepted:
    no registry or engine in the field stores them.

    Raises:
        MalformedDocument: the text is not such a digest.
    """

    __slots__ = ()

    def __new__(cls, text: object) -> Digest:  # noqa: D102  # said by the class
        if not isinstance(text, str) or not _SHA256.fullmatch(text):
            raise MalformedDocument(f"not a sha256 digest: {text!r:.100}")
        return super().__new__(cls, text)

    @classmethod
    def from_hex(cls, digits: str) -> Digest:
        """Make a digest of 64 hexadecimal digits."""
        return cls("sha256:" + digits)

    @property
    def hex(self) -> str:
        """The 64 digits without the algorithm."""
        return self[7:]

    @property
    def short(self) -> str:
        """The first twelve digits, as docker prints image IDs."""
        return self[7:19]
