"""Names of images with their transport, as skopeo users write them: ``docker-archive:web.tar:web:1``."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.errors import InvalidReference

#: Transports that read a file or directory, whose path comes first and an image in it may follow.
FILE_TRANSPORTS = frozenset({"docker-archive", "oci", "oci-archive", "bundle"})


@dataclass(frozen=True)
class ImageName:
    """What a name says.

    Attributes:
        transport: ``docker-daemon``, ``docker`` (a registry), one of ``FILE_TRANSPORTS``; or ``""`` for a bare
            name, which means the local engine if it has the image, else the registry.
        location: path of the file or directory; ``""`` for the others.
        image: the reference, or what the transport takes in its place; ``""`` for all that the file holds.
    """

    transport: str
    location: str
    image: str

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Read a name.

        Raises:
            InvalidReference: empty, or a transport without what must follow it.
        """
        head, colon, rest = text.partition(":")
        if head == "docker" and rest.startswith("//"):
            name = cls("docker", "", rest[2:])
        elif head == "docker-daemon" and colon:
            name = cls("docker-daemon", "", rest)
        elif head in FILE_TRANSPORTS and colon:
            path, _, image = rest.partition(":")
            if not path:
                raise InvalidReference(f"{text!r:.200} names no file")
            return cls(head, path, image)
        else:
            name = cls("", "", text)
        if not name.image:
            raise InvalidReference(f"{text!r:.200} names no image")
        return name
