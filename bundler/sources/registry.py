"""A registry as an image source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from bundler.content.images import Content, FoundImage, Place, RegistryForm, tree_places
from bundler.content.platform_trees import collect_chosen
from bundler.content.referrers import collect_referrers
from bundler.content.stopping import Stopping
from bundler.content.streams import ByteStream, MemoryStream
from bundler.errors import (
    AirbundleError,
    DamagedContent,
    NoSuchPlatform,
    NotFound,
    PolicyRefused,
    Refused,
    Unreachable,
    UsageError,
    is_lost,
)
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.manifest import Index, parse_manifest
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.reference import Reference
from bundler.model.referrers import Referrers
from bundler.progress import SILENT, Progress, Task
from bundler.sources.registry_referrers import RegistryReferrers, fetch_document
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.access.registries_conf import Route
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.blobs import has_blob, open_blob, open_raw_blob
from bundler.transports.registry.client import RegistryClient, Repository
from bundler.transports.registry.manifests import fetch_manifest, fetch_unknown
from bundler.transports.registry.prefetch import Opener, Prefetch
from bundler.transports.registry.products.explaining import Explainer
from bundler.transports.registry.retries import Retries
from bundler.transports.registry.tags import list_tags

_Homes = tuple[Repository, ...]


class RegistrySource:
    """Images of all registries that their names lead to: an ``ImageSource`` and a ``BlobReader``.

    A name may lead to mirrors first, and a short one to a registry of its own, as the access says. What comes
    from a mirror is named after the registry that it stands in for, and comes from one place. Only a blob that a
    mirror turns out to lack comes from the next one: what it must be is known by then.
    """

    kind = "registry"

    def __init__(
        self,
        access: RegistryAccess | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        progress: Progress = SILENT,
        referrers: bool = True,
    ) -> None:
        """Prepare; no registry is asked yet.

        Args:
            access: How registries are reached.
            limits: Bounds what is read.
            progress: Is told of every further try, and of mirrors that are passed over.
            referrers: Look for what refers to images, too.
        """
        self._access = access or RegistryAccess()
        self._limits = limits
        self._progress = progress
        self._clients: dict[RegistryAddress, RegistryClient] = {}
        self._finders: dict[str, RegistryReferrers] | None = {} if referrers else None
        # Why a mirror was passed over when it was first, by its name.
        self._passed_over: dict[str, str] = {}
        # Mirrors that did not answer at all: to wait for each of them again with every image could take hours.
        self._silent: set[str] = set()
        # With each, where it is asked for: first where it was found, then what that place stands in for.
        self._images: list[tuple[_Homes, RegistryForm]] = []
        self._homes: dict[Digest, _Homes] = {}

    def resolve(self, name: str, platforms: PlatformChoice = EVERY_PLATFORM) -> tuple[FoundImage, ...]:
        """Find the image of a reference; one with tag and digest is fetched by its digest.

        An index whose children are partly absent at the registry, or not wanted, comes back sparse; manifests of
        other platforms are not asked for.

        Raises:
            InvalidReference: the name is none.
            NotFound: the registry has no such image.
            NoSuchPlatform: the index has nothing for one of the platforms.
            DamagedContent, MalformedDocument: a document is not what its digest or specification says.
            Unauthorised, Refused, Unreachable, ProtocolError: the registry.
            PolicyRefused, ConfigError: what the user's or the machine's files say of registries.
        """
        reference = self._access.routes.expand(name)
        *mirrors, own = routes = self._access.routes.to(reference)
        for number, mirror in enumerate(mirrors, start=1):
            if mirror.reference.registry in self._silent:
                continue
            try:
                return (self._resolve_at(mirror, reference, platforms, routes[number:]),)
            except (PolicyRefused, NoSuchPlatform):
                raise
            # Whatever it is, the next one may do better; and the last one tells what it is.
            except AirbundleError as error:
                self._pass_over(mirror, error)
        return (self._resolve_at(own, reference, platforms),)

    def _pass_over(self, mirror: Route, error: AirbundleError) -> None:
        name = mirror.reference.registry
        if is_lost(error):
            self._silent.add(name)
        if name not in self._passed_over:
            self._passed_over[name] = str(error)
            self._progress.message(f"the mirror {name} is passed over: {error}")

    def _resolve_at(
        self, route: Route, reference: Reference, platforms: PlatformChoice, behind: Sequence[Route] = ()
    ) -> RegistryForm:
        there, repository = route.reference, self._repository(route)
        asked = str(there.digest or there.tag)
        try:
            found, raw = fetch_manifest(repository, asked)
        except Refused as error:
            Explainer(repository.client).explain(error, repository, asked, writing=False)
            raise
        node = parse_manifest(raw, found.media_type, self._limits)
        root = Descriptor(media_type=node.media_type, digest=found.digest, size=found.size)
        tree, selection = collect_chosen(
            root,
            lambda wanted: raw if wanted is root else fetch_document(repository, wanted),
            platforms,
            self._limits,
            lambda wanted: has_blob(repository, wanted) or fetch_unknown(repository, wanted) is not None,
        )
        if isinstance(node, Index) and node.manifests and len(tree.documents) == 1 and not tree.opaque:
            raise NotFound(f"{reference}: the index is there, but none of the manifests that it lists")
        referrers = self._referrers(repository, tree)
        at = there.name if there.name != reference.name else ""
        image = RegistryForm(reference, tree, referrers.found, referrers.left_out, at, selection)
        homes = (repository, *map(self._repository, behind))
        self._homes.update((blob.digest, homes) for blob in image.blobs())
        self._images.append((homes, image))
        return image

    def notes(self) -> tuple[str, ...]:
        """Return what users should know of the registries that were asked: their limits, mirrors passed over."""
        limits = [
            f"{client.address.name}: {client.rate_limit}"
            for client in self._clients.values()
            if client.rate_limit is not None
        ]
        passed = [f"the mirror {name} is passed over: {why}" for name, why in self._passed_over.items()]
        return (*passed, *limits)

    def tags(self, name: str) -> tuple[str, ...]:
        """Return all tags of the repository of a reference.

        Raises:
            InvalidReference: the name is none.
            NotFound, Unauthorised, Refused, Unreachable, ProtocolError, LimitExceeded: the registry.
        """
        # Mirrors may lag behind, or lack some: what there is, the registry itself says.
        return list_tags(self._repository(self._access.routes.to(self._access.routes.expand(name))[-1]))

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        """Yield the wanted blobs of an image that this source resolved, in the order of its tree.

        The next blobs are fetched while one is read, within the bounds of :class:`Prefetch`.

        Raises:
            NotFound: this source did not resolve the image.
            DamagedContent: a blob that the image names is not at the registry, or not in the image.
            Unauthorised, Refused, Unreachable, ProtocolError: the registry.
        """
        (image,) = images
        homes, form = self._resolved(image)
        repository, places = homes[0], tree_places(form)
        told = tuple(home.telling(task.describe) for home in homes)
        blobs = [blob for blob in form.blobs() if blob.digest in wanted]
        ahead = Prefetch([_opener(told, form.tree, blob) for blob in blobs if blob.digest not in form.documents])
        try:
            for blob in blobs:
                task.describe(f"fetching {blob.digest.short} from {repository.client.address.name}")
                known = form.documents.get(blob.digest)
                stream = ahead.next() if known is None else MemoryStream(known)
                try:
                    yield Content(blob.digest, blob.size, stream, places[blob.digest])
                finally:
                    stream.close()
        finally:
            ahead.close()
        missing = set(wanted).difference(blob.digest for blob in blobs)
        if missing:
            raise DamagedContent(f"{repository} has no {min(missing)} in this image")

    def places(self, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]) -> Mapping[Digest, Place]:
        """Return the place of everything, see :meth:`ImageSource.places`; no registry is asked."""
        (image,) = images
        return tree_places(image) if isinstance(image, RegistryForm) else {}

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        """Open a blob of any image that was resolved; see ``BlobReader``.

        Raises:
            NotFound: no resolved image has such a blob, or the registry lost it.
            UsageError: the offset lies outside of the blob.
            DamagedContent, Unauthorised, Refused, Unreachable, ProtocolError: see ``transports.registry.blobs``.
        """
        if not 0 <= offset <= descriptor.size:
            raise UsageError(f"offset {offset} lies outside of {descriptor.digest}")
        homes = self._homes.get(descriptor.digest)
        if homes is None:
            raise NotFound(f"no image that was resolved has {descriptor.digest}")
        for _, image in self._images:
            if descriptor.digest in image.documents:
                return MemoryStream(memoryview(image.documents[descriptor.digest])[offset:])
        return _at_first_that_can(homes, lambda home: open_blob(home, descriptor, offset))

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def _repository(self, route: Route) -> Repository:
        client = self._client(self._access.address(route.reference.registry, route))
        return Repository(client, route.reference.repository)

    def _client(self, address: RegistryAddress) -> RegistryClient:
        if address not in self._clients:
            self._clients[address] = RegistryClient(
                address, self._access, limits=self._limits, retries=Retries(tell=self._progress.message)
            )
        return self._clients[address]

    def _referrers(self, repository: Repository, tree: ImageTree) -> Referrers:
        if self._finders is None:
            return Referrers()
        finder = self._finders.setdefault(str(repository), RegistryReferrers(repository))
        return collect_referrers(tree, finder.find, finder.collect, self._limits)

    def _resolved(self, image: FoundImage) -> tuple[_Homes, RegistryForm]:
        if isinstance(image, RegistryForm):
            for homes, known in self._images:
                if known.tree is image.tree:
                    return homes, known
        raise NotFound(f"{image.reference} was not resolved by this source")


def _opener(homes: _Homes, tree: ImageTree, blob: Descriptor) -> Opener:
    def opened(stopping: Stopping) -> ByteStream:
        return _at_first_that_can(homes, lambda home: _open_unverified(home.waiting(stopping.wait), tree, blob))

    return opened


def _at_first_that_can(homes: _Homes, open_at: Callable[[Repository], ByteStream]) -> ByteStream:
    """Open a blob at the first place that can give it; what goes wrong at the last one is raised."""
    *mirrors, own = homes
    for mirror in mirrors:
        try:
            return open_at(mirror)
        except (NotFound, DamagedContent, Refused, Unreachable) as error:
            mirror.retries.tell(f"{error}; the next place is asked instead")
    return open_at(own)


def _open_unverified(repository: Repository, tree: ImageTree, blob: Descriptor) -> ByteStream:
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
