"""The commands of README.txt: how one application of a bundle is imported by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bundler.bundle.manifest import Application, Archive, BundleManifest, Image
from bundler.bundle.names import SHARED, archive_file
from bundler.model.media_types import layer_compression
from bundler.model.platforms import Platform
from bundler.model.reference import Reference

#: Parts of one archive that are named one by one in a shell's line; of more the numbers are counted out. Never by
#: a pattern: that would take what lies beside the parts, and pass over a part that is not there.
_MOST_NAMED = 3
#: Windows takes about 8000 characters in a line; this is as much as a person can look over.
_LONGEST_JOIN = 1000


@dataclass(frozen=True)
class ApplicationCommands:
    """How an application is imported with each tool.

    Attributes:
        name: of the application.
        images: of the application.
        archives: that hold it, in the order in which they are joined.
        has_zstd: whether a layer of it is compressed with zstd.
    """

    name: str
    images: tuple[Image, ...]
    archives: tuple[Archive, ...]
    has_zstd: bool

    @classmethod
    def of(cls, manifest: BundleManifest, application: Application) -> ApplicationCommands:
        """Find the archives that an application needs; ``shared`` only if something of it lies there."""
        digests = {digest for image in application.images for digest in image.blobs}
        blobs = [blob for blob in manifest.blobs if blob.digest in digests]
        names = [SHARED] if any(blob.archive == SHARED for blob in blobs) else []
        return cls(
            application.name,
            application.images,
            tuple(manifest.archive_by_name[name] for name in [*names, application.name]),
            any(layer_compression(blob.media_type) == "zstd" for blob in blobs),
        )

    @property
    def files(self) -> tuple[str, ...]:
        """All files of the application, in the order in which they are joined."""
        return tuple(part.file for archive in self.archives for part in archive.parts)

    @property
    def size(self) -> int:
        """Bytes of the joined file."""
        return sum(archive.size for archive in self.archives)

    @property
    def is_joined(self) -> bool:
        """Whether there is more than one file; one alone is read where it lies."""
        return len(self.files) > 1

    @property
    def has_containers(self) -> bool:
        """Whether there is something for engines in it; artifacts are for registries only."""
        return any(image.platforms for image in self.images)

    def sh(self) -> Iterator[str]:
        """Yield the commands for sh; REGISTRY and WORK are set. The order matters only from the join on."""
        if self.is_joined:
            joined, archive = "cat " + " ".join(map(_words, self.archives)), f"$WORK/{self.name}.tar"
            load, source = f"{joined} | ", "-"
        else:
            joined, archive = "", self.files[0]
            load, source = "", archive
        read = "" if self.is_joined else f" -i {archive}"
        if self.has_containers:
            yield f"{load}docker load{read}" + ("    # Docker 23 or newer" if self.has_zstd else "")
            yield f"{load}podman load{read}"
        # What is no container image has nothing that could be unpacked.
        unpack = "" if all(image.platforms for image in self.images) else "--no-unpack "
        yield f"{load}ctr -n k8s.io image import {unpack}{source}"
        if self.is_joined:
            yield f'{joined} > "{archive}"'
        for image in self.images:
            yield _push(archive, image)
        if self.has_zstd:
            yield from filter(None, (_convert(archive, image) for image in self.images))
        if self.is_joined:
            yield f'rm "{archive}"'

    def powershell(self) -> Iterator[str]:
        """Yield the commands for PowerShell, where nothing can be piped: its pipes change bytes."""
        archive = f'"$Work\\{self.name}.tar"' if self.is_joined else self.files[0]
        if self.is_joined:
            for position, names in enumerate(_groups(self.files)):
                # The first name may be that of the result: then the others are appended to it.
                sources = [archive, *names] if position else names
                yield f"cmd /c copy /b /y {'+'.join(sources)} {archive}"
        yield f"docker load -i {archive}" + ("    # Docker 23 or newer" if self.has_zstd else "")
        yield f"podman load -i {archive}"
        if self.is_joined:
            yield f"Remove-Item {archive}"


def _push(archive: str, image: Image) -> str:
    """Return the one command that keeps digests in a registry; it compares names to the letter."""
    name = Reference.parse(image.reference)
    # Without a tag skopeo would make one, `latest`.
    target = f"{name.repository}:{name.tag}" if name.tag else f"{name.repository}@{name.digest}"
    return (
        f'skopeo --tmpdir "$WORK" {_which(image)} --preserve-digests '
        f'"oci-archive:{archive}:{image.reference}" "docker://$REGISTRY/{target}"'
    )


def _which(image: Image) -> str:
    """Return how skopeo is told what to copy; of an index that is not all there it can copy one platform only."""
    if not image.left_out or not image.platforms:
        return "copy --all"
    usual = [name for name in image.platforms if Platform.parse(name).runs_on(Platform.of("linux", "amd64"))]
    chosen = Platform.parse((usual or list(image.platforms))[0])
    variant = f" --override-variant {chosen.variant}" if chosen.variant else ""
    return f"--override-os {chosen.os} --override-arch {chosen.architecture}{variant} copy"


def _convert(archive: str, image: Image) -> str | None:
    """Return the command for an engine that reads no zstd; ``None`` for what an engine gives no name."""
    name = Reference.parse(image.reference).tagged
    if name is None or not image.platforms:
        return None
    source, target = f"docker-archive:{archive}:{name}", f"docker-archive:/dev/stdout:{name}"
    return f'skopeo copy -q "{source}" "{target}" | docker load    # Docker before 23'


def _words(archive: Archive) -> str:
    """Return the parts of an archive, in order, as words of a shell."""
    names = [part.file for part in archive.parts]
    if len(names) <= _MOST_NAMED:
        return " ".join(names)
    prefix = archive_file(archive.name)
    digits = len(names[0]) - len(prefix) - 1
    return f"$(printf '{prefix}.%0{digits}d ' $(seq {len(names)}))"


def _groups(names: Sequence[str]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    length = 0
    for name in names:
        length += len(name) + 1
        if groups[-1] and length > _LONGEST_JOIN:
            groups.append([])
            length = len(name) + 1
        groups[-1].append(name)
    return groups
