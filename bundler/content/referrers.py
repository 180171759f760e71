"""Gathers the referrers of an image, and those of these, from whatever can be asked for one subject at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from bundler.errors import LimitExceeded, MalformedDocument
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.manifest import Index
from bundler.model.referrers import Lead, Referrer, Referrers, names_subject

#: Returns what is said to refer to a manifest; it may be wrong.
Find = Callable[[Digest], Collection[Lead]]
#: Collects the documents of a manifest that was found, verified; ``None`` where it is not there.
Collect = Callable[[Descriptor], "ImageTree | None"]


def collect_referrers(tree: ImageTree, find: Find, collect: Collect, limits: Limits = DEFAULT_LIMITS) -> Referrers:
    """Find the referrers of an image and of each of its platforms, and theirs, level by level.

    Each subject is asked for once. A referrer that cannot be carried whole, or that does not refer to what it was
    found by, is left out, which is said; what passes a limit is an error, since signatures do not get lost
    quietly.

    Args:
        tree: Of the image. What its index lists belongs to the image; what that lists and the image has not is
            not brought back by a referrer.
        find: Is asked for each subject.
        collect: Is asked for each referrer.
        limits: Bounds their number, their size together, and how deep they are looked for.

    Raises:
        LimitExceeded: a limit is passed.
        DamagedContent: a document of a referrer is not what its digest says.
        AirbundleError: what ``find`` and ``collect`` raise.
    """
    search = _Search(tree, collect, limits)
    level, depth, deepest = search.subjects(), 0, limits.referrer_nesting
    while level:
        # Listed by digest: sources give them in whatever order, and the order decides the bytes of a bundle.
        leads = [(subject, lead) for subject in level for lead in _in_order(find(subject))]
        depth += bool(leads)
        if depth > deepest:
            raise _too_much(deepest, "the referrers of the image have referrers in too many levels")
        level = search.take(leads)
    return Referrers(tuple(search.found), tuple(search.left_out))


class _Search:
    def __init__(self, tree: ImageTree, collect: Collect, limits: Limits) -> None:
        self._tree = tree
        self._collect = collect
        self._limits = limits
        self._absent = _absent(tree)
        self._asked: set[Digest] = set()
        self._counted = {blob.digest for blob in tree.blobs()}
        self._left = limits.referrer_bytes
        self.found: list[Referrer] = []
        self.left_out: list[str] = []

    def subjects(self) -> list[Digest]:
        """Return what of the image can be referred to: its root, its platforms, indexes between them."""
        strange = {one.descriptor.digest for one in self._tree.platform_images() if not one.platform.is_known}
        nodes = [descriptor.digest for descriptor, _ in self._tree.nodes()]
        return self._new(digest for digest in nodes if digest == self._tree.root.digest or digest not in strange)

    def take(self, leads: Iterable[tuple[Digest, Lead]]) -> list[Digest]:
        """Look at what was found; return those that may have referrers themselves."""
        taken = [referrer for subject, lead in leads if (referrer := self._take(subject, lead))]
        return self._new(referrer.digest for referrer in taken)

    def _new(self, digests: Iterable[Digest]) -> list[Digest]:
        new = [digest for digest in dict.fromkeys(digests) if digest not in self._asked]
        self._asked.update(new)
        return new

    def _take(self, subject: Digest, lead: Lead) -> Referrer | None:
        try:
            tree = self._tree_of(lead.descriptor)
            if isinstance(tree, str):
                problem = tree
            elif not lead.tag and not names_subject(next(tree.nodes())[1], subject):
                problem = "it does not refer to that"
            else:
                referrer = Referrer(tree, subject, lead.tag)
                self._count(referrer)
                return referrer
        except LimitExceeded:
            raise
        except MalformedDocument as error:
            problem = str(error)
        self.left_out.append(f"the referrer {lead.descriptor.digest} of {subject} is not taken: {problem}")
        return None

    def _tree_of(self, descriptor: Descriptor) -> ImageTree | str:
        """Return the documents of a referrer, or why it cannot be taken."""
        if not media_types.is_image_document(descriptor.media_type):
            return f"it is of a type that is not known here, {descriptor.media_type!r:.100}"
        tree = self._collect(descriptor)
        if tree is None:
            return "it is listed, but not there"
        if _absent(tree):
            return "it is an index, and not all that it lists is there"
        if any(blob.is_withheld for blob in tree.blobs()):
            return "it has layers that only their owner may distribute"
        if not self._absent.isdisjoint(blob.digest for blob in tree.blobs()):
            return "it has what the index of the image lists, and is not taken of that"
        return tree

    def _count(self, referrer: Referrer) -> None:
        self.found.append(referrer)
        if len(self.found) > self._limits.referrers:
            raise _too_much(self._limits.referrers, "the image has too many referrers")
        for blob in referrer.tree.blobs():
            if blob.digest not in self._counted:
                self._counted.add(blob.digest)
                self._left -= blob.size
        if self._left < 0:
            raise _too_much(self._limits.referrer_bytes, "the referrers of the image are too large together")


def _in_order(leads: Collection[Lead]) -> list[Lead]:
    """Return leads by digest, each once; what has a tag of cosign is not taken without it too."""
    # A tag stands for one thing: of a layout that lists it twice the last one counts, as everywhere.
    tagged = {lead.tag: lead for lead in leads if lead.tag}
    with_tag = {lead.descriptor.digest for lead in tagged.values()}
    bare = {lead.descriptor.digest: lead for lead in leads if not lead.tag}
    chosen = [*tagged.values(), *(lead for digest, lead in bare.items() if digest not in with_tag)]
    return sorted(chosen, key=lambda lead: (lead.descriptor.digest, lead.tag))


def _absent(tree: ImageTree) -> set[Digest]:
    """Return what indexes list and is not there."""
    listed = {child.digest for _, node in tree.nodes() if isinstance(node, Index) for child in node.manifests}
    return listed - tree.documents.keys() - tree.opaque


def _too_much(limit: int, what: str) -> MalformedDocument:
    error = beyond(limit, what)
    return type(error)(error.message, advice=f"{error.advice} Or pack without them: --no-referrers.")
