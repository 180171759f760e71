"""A registry as an image source."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from bundler.content.images import Content, FoundImage, Place, RegistryForm, tree_places
from bundler.content.streams import ByteStream, MemoryStream, read_all
from bundler.content.trees import collect_tree
from bundler.errors import DamagedContent, NotFound, Refused, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.manifest import Index, parse_manifest
from bundler.model.reference import Reference
from bundler.progress import Task
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.blobs import has_blob, open_blob, open_raw_blob
from bundler.transports.registry.client import RegistryClient, Repository
from bundler.transports.registry.credentials import CredentialFinder, docker_credentials
from bundler.transports.registry.manifests import fetch_manifest, fetch_unknown
from bundler.transports.registry.products.explaining import Explainer


class RegistrySource:
    """Images of all registries that their names lead to: an ``ImageSource`` and a ``BlobReader``."""

    kind = "registry"

    def __init__(
        self,
        *,
        plain_http: bool = False,
        credentials: CredentialFinder = docker_credentials,
        limits: Limits = DEFAULT_LIMITS,
        ca_file: Path | None = None,
    ) -> None:
        """Prepare; no registry is asked yet.

        Args:
            plain_http: Speak HTTP instead of HTTPS, to every registry but docker.io.
            credentials: Finds credentials by a registry's name, when it wants any.
            limits: Bounds what is read.
            ca_file: Certificates in PEM form that are trusted besides the system's.
        """
        self._plain_http = plain_http
        self._credentials = credentials
        self._limits = limits
        self._ca_file = ca_file
        self._clients: dict[str, RegistryClient] = {}
        self._images: list[tuple[Repository, ImageTree]] = []
        self._homes: dict[Digest, Repository] = {}

    def resolve(self, name: str) -> tuple[FoundImage, ...]:
        """Find the image of a reference; one with tag and digest is fetched by its digest.

        An index whose children are partly absent at the registry comes back sparse.

        Raises:
            InvalidReference: the name is none.
            NotFound: the registry has no such image.
            DamagedContent, MalformedDocument: a document is not what its digest or specification says.
            Unauthorised, Refused, Unreachable, ProtocolError: the registry.
        """
        reference = Reference.parse(name)
        repository = Repository(self._client(reference.registry), reference.repository)
        asked = str(reference.digest or reference.tag)
        try:
            found, raw = fetch_manifest(repository, asked)
        except Refused as error:
            Explainer(repository.client).explain(error, repository, asked, writing=False)
            raise
        node = parse_manifest(raw, found.media_type, self._limits)
        root = Descriptor(media_type=node.media_type, digest=found.digest, size=found.size)
        tree = collect_tree(
            root,
            lambda wanted: raw if wanted is root else _document(repository, wanted),
            self._limits,
            lambda wanted: has_blob(repository, wanted) or fetch_unknown(repository, wanted) is not None,
        )
        if isinstance(node, Index) and node.manifests and len(tree.documents) == 1 and not tree.opaque:
            raise NotFound(f"{reference}: the index is there, but none of the manifests that it lists")
        self._homes.update((blob.digest, repository) for blob in tree.blobs())
        self._images.append((repository, tree))
        return (RegistryForm(reference, tree),)

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        """Yield the wanted blobs of an image that this source resolved, in the order of its tree.

        Raises:
            NotFound: this source did not resolve the image.
            DamagedContent: a blob that the image names is not at the registry, or not in the image.
            Unauthorised, Refused, Unreachable, ProtocolError: the registry.
        """
        (image,) = images
        repository, tree = self._resolved(image)
        missing, places = set(wanted), tree_places(tree)
        for blob in tree.blobs():
            if blob.digest not in missing:
                continue
            missing.remove(blob.digest)
            task.describe(f"fetching {blob.digest.short} from {repository.client.address.name}")
            stream = self._open_unverified(repository.telling(task.describe), tree, blob)
            try:
                yield Content(blob.digest, blob.size, stream, places[blob.digest])
            finally:
                stream.close()
        if missing:
            raise DamagedContent(f"{repository} has no {min(missing)} in this image")

    def places(self, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]) -> Mapping[Digest, Place]:
        """Return the place of everything, see :meth:`ImageSource.places`; no registry is asked."""
        (image,) = images
        return tree_places(image.tree) if isinstance(image, RegistryForm) else {}

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        """Open a blob of any image that was resolved; see ``BlobReader``.

        Raises:
            NotFound: no resolved image has such a blob, or the registry lost it.
            UsageError: the offset lies outside of the blob.
            DamagedContent, Unauthorised, Refused, Unreachable, ProtocolError: see ``transports.registry.blobs``.
        """
        if not 0 <= offset <= descriptor.size:
            raise UsageError(f"offset {offset} lies outside of {descriptor.digest}")
        repository = self._homes.get(descriptor.digest)
        if repository is None:
            raise NotFound(f"no image that was resolved has {descriptor.digest}")
        for _, tree in self._images:
            if descriptor.digest in tree.documents:
                return MemoryStream(memoryview(tree.documents[descriptor.digest])[offset:])
        return open_blob(repository, descriptor, offset)

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def _client(self, registry: str) -> RegistryClient:
        if registry not in self._clients:
            self._clients[registry] = RegistryClient(
                RegistryAddress(registry, self._plain_http),
                credentials=self._credentials,
                limits=self._limits,
                ca_file=self._ca_file,
            )
        return self._clients[registry]

    def _resolved(self, image: FoundImage) -> tuple[Repository, ImageTree]:
        if isinstance(image, RegistryForm):
            for repository, tree in self._images:
                if tree is image.tree:
                    return repository, tree
        raise NotFound(f"{image.reference} was not resolved by this source")

    def _open_unverified(self, repository: Repository, tree: ImageTree, blob: Descriptor) -> ByteStream:
        if blob.digest in tree.documents:
            return MemoryStream(tree.documents[blob.digest])
        try:
            return open_raw_blob(repository, blob)
        except NotFound as error:
            if blob.digest in tree.opaque and (raw := fetch_unknown(repository, blob)) is not None:
                return MemoryStream(raw)
            foreign = media_types.is_foreign_layer(blob.media_type)
            raise DamagedContent(
                f"{repository} names the blob {blob.digest}, but does not have it",
                advice="Registries do not keep this layer: its licence forbids it." if foreign else None,
            ) from error


def _document(repository: Repository, wanted: Descriptor) -> bytes | None:
    """Fetch a child manifest or a config; ``None`` if the registry does not have it."""
    try:
        if wanted.media_type not in media_types.IMAGE_CONFIGS:
            return fetch_manifest(repository, wanted.digest)[1]
        return _read_config(repository, wanted)
    except NotFound:
        return None


def _read_config(repository: Repository, wanted: Descriptor) -> bytes:
    stream = open_blob(repository, wanted)
    try:
        return read_all(stream, wanted.size, "the image config")
    finally:
        stream.close()
