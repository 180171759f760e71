"""What an engine says about itself and about the images it has (Engine API, /version, /info, /images)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import msgspec

from bundler.errors import InvalidReference
from bundler.model.digest import Digest
from bundler.model.json_documents import convert
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.transports.engine.epoch import epoch_text

_CONTAINERD_DRIVER = "io.containerd.snapshotter.v1"


@dataclass(frozen=True)
class EngineInfo:
    """What decides how an engine is talked to.

    Attributes:
        version: release numbers, such as ``(20, 10, 24)``; ``()`` where the engine's version has none.
        store: ``classic`` keeps unpacked layers only; ``containerd`` keeps blobs and manifests as they came.
        platform: what the engine runs on.
        is_docker: false for others that speak its API, such as podman.
        epoch: Unix time 0 as it writes it; ``None`` where that is not certain.
    """

    version: tuple[int, ...]
    store: Literal["classic", "containerd"]
    platform: Platform
    is_docker: bool = True
    epoch: str | None = None

    @property
    def reads_zstd(self) -> bool:
        """Whether ``load`` takes layers compressed with zstd: a containerd store, or Docker from 23.0 on."""
        return self.store == "containerd" or self.version >= (23,)

    @property
    def completes_layers(self) -> bool:
        """Whether layers that the engine has may be left out of what is loaded.

        Docker's classic store looks a layer up by its ChainID before it opens the file. A containerd store
        reports success for an image that it did not get whole; of other engines nothing is known.
        """
        return self.store == "classic" and self.is_docker


@dataclass(frozen=True)
class EngineImage:
    """An image as an engine describes it.

    Attributes:
        id: config digest in a classic store, digest of manifest or index in a containerd store.
        diff_ids: uncompressed layers, bottom first.
        repo_tags: names with tag, complete.
        repo_digests: names with digest, complete.
        platform: what the image runs on.
        size: bytes of its files, unpacked, without what a tar adds to them.
    """

    id: Digest
    diff_ids: tuple[Digest, ...]
    repo_tags: tuple[Reference, ...]
    repo_digests: tuple[Reference, ...]
    platform: Platform
    size: int


class _Component(msgspec.Struct):
    name: str = msgspec.field(name="Name", default="")


class _Version(msgspec.Struct, rename="pascal"):
    version: str
    os: str
    arch: str
    components: tuple[_Component, ...] | None = None


class _Info(msgspec.Struct, rename="pascal"):
    driver_status: tuple[tuple[str, ...], ...] | None = None
    name: str = ""
    system_time: str = ""
    architecture: str = ""


class _RootFS(msgspec.Struct, rename="pascal"):
    layers: tuple[Digest, ...] | None = None


class _Inspected(msgspec.Struct, rename="pascal"):
    id: Digest
    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    size: int = 0
    repo_tags: tuple[str, ...] | None = None
    repo_digests: tuple[str, ...] | None = None
    root_fs: _RootFS | None = msgspec.field(name="RootFS", default=None)


class _Listed(msgspec.Struct, rename="pascal"):
    id: Digest


class _ChildDescriptor(msgspec.Struct):
    digest: Digest


class _Child(msgspec.Struct, rename="pascal"):
    descriptor: _ChildDescriptor
    available: bool = False


class _ListedWithChildren(msgspec.Struct, rename="pascal"):
    id: Digest
    manifests: tuple[_Child, ...] | None = None


def parse_engine_info(version: object, info: object) -> EngineInfo:
    """Read the answers to ``/version`` and ``/info``.

    Raises:
        MalformedDocument: they are not of the form that the API describes.
    """
    said = convert(version, _Version, "the engine's version")
    described = convert(info, _Info, "the engine's description")
    status = described.driver_status or ()
    numbers = re.match(r"\d{1,9}(?:\.\d{1,9})*", said.version, re.ASCII)
    return EngineInfo(
        version=tuple(int(number) for number in numbers[0].split(".")) if numbers else (),
        store="containerd" if any(_CONTAINERD_DRIVER in pair for pair in status) else "classic",
        platform=_engine_platform(said, described),
        is_docker=any(part.name == "Engine" for part in said.components or ()),
        epoch=epoch_text(described.system_time, described.name),
    )


def _engine_platform(said: _Version, described: _Info) -> Platform:
    """Return the platform with the variant of an ARM processor, which only the kernel's word for it holds."""
    kernel = Platform.of(said.os, described.architecture)
    plain = Platform.of(said.os, said.arch)
    return kernel if (plain.architecture, kernel.architecture) == ("arm", "arm") else plain


def parse_engine_image(value: object) -> EngineImage:
    """Read the answer to ``/images/{name}/json``.

    Raises:
        MalformedDocument: it is not of the form that the API describes.
    """
    said = convert(value, _Inspected, "the engine's description of an image")
    return EngineImage(
        id=said.id,
        diff_ids=(said.root_fs.layers or ()) if said.root_fs else (),
        repo_tags=_references(said.repo_tags),
        repo_digests=_references(said.repo_digests),
        platform=Platform(
            architecture=said.architecture, os=said.os, variant=said.variant, os_version=said.os_version
        ),
        size=max(said.size, 0),
    )


def parse_image_ids(value: object) -> tuple[Digest, ...]:
    """Read the IDs from the answer to ``/images/json``.

    Raises:
        MalformedDocument: it is not of the form that the API describes.
    """
    return tuple(image.id for image in convert(value, tuple[_Listed, ...], "the engine's list of images"))


def parse_available(value: object, image_id: Digest) -> frozenset[Digest] | None:
    """Read from ``/images/json?manifests=1`` which manifests of an image are there with all their content.

    Returns:
        ``None`` where the image is not listed or its manifests are not.

    Raises:
        MalformedDocument: the answer is not of the form that the API describes.
    """
    for image in convert(value, tuple[_ListedWithChildren, ...], "the engine's list of images"):
        if image.id == image_id and image.manifests is not None:
            return frozenset(child.descriptor.digest for child in image.manifests if child.available)
    return None


def _references(names: tuple[str, ...] | None) -> tuple[Reference, ...]:
    result = []
    for name in names or ():
        try:
            result.append(Reference.parse(name))
        except InvalidReference:
            # ``<none>:<none>`` stands for no name; other nonsense names nothing that could be asked for.
            continue
    return tuple(result)
