"""What the fake registry holds, and the rules by which it takes things in; no HTTP here."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from dataclasses import dataclass, field


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Rejected(Exception):
    """A request that the registry answers with an error of the distribution specification."""

    def __init__(self, status: int, code: str, detail: object = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass
class Repo:
    """One repository: the blobs that it may see, its manifests, and its tags."""

    blobs: set[str] = field(default_factory=set)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class Store:
    """Everything in memory. A test may look into it, and damage it."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.repos: dict[str, Repo] = {}
        self.uploads: dict[str, bytearray] = {}
        self.lock = threading.RLock()
        #: whether an index is taken whose children are not all there
        self.takes_sparse = False

    def repo(self, name: str) -> Repo:
        with self.lock:
            return self.repos.setdefault(name, Repo())

    # -- blobs ----------------------------------------------------------------------------------------------

    def blob(self, name: str, digest: str) -> bytes:
        if digest not in self.repo(name).blobs:
            raise Rejected(404, "BLOB_UNKNOWN", digest)
        return self.blobs[digest]

    def add_blob(self, name: str, data: bytes, digest: str = "") -> str:
        """Store a blob; under a digest that is not its own if one is given."""
        with self.lock:
            digest = digest or digest_of(data)
            self.blobs[digest] = bytes(data)
            self.repo(name).blobs.add(digest)
            return digest

    def mount(self, name: str, digest: str, sibling: str) -> bool:
        with self.lock:
            if digest not in self.repo(sibling).blobs:
                return False
            self.repo(name).blobs.add(digest)
            return True

    def start_upload(self) -> str:
        with self.lock:
            identity = str(uuid.uuid4())
            self.uploads[identity] = bytearray()
            return identity

    def check_upload(self, identity: str, state: str, *, mistaken: int = 404, free: bool = False) -> None:
        """An upload goes on only where the newest Location says; with ``free`` it may say anything."""
        held = self.uploads.get(identity)
        if held is None:
            raise Rejected(404, "BLOB_UPLOAD_UNKNOWN")
        if not free and state != str(len(held)):
            raise Rejected(mistaken, "BLOB_UPLOAD_INVALID")

    def check_piece(self, identity: str, content_range: str, length: int, least: int, *, last: bool) -> bytearray:
        """Take only a piece whose Content-Range is right to the letter, as distribution 3 and zot ask for it."""
        if (held := self.uploads.get(identity)) is None:
            raise Rejected(404, "BLOB_UPLOAD_UNKNOWN")
        if content_range != f"{len(held)}-{len(held) + length - 1}":
            raise Rejected(416, "BLOB_UPLOAD_INVALID", content_range)
        if length < 2 and not last:
            raise Rejected(400, "SIZE_INVALID", "a piece of one byte")
        if length < least and not last:
            raise Rejected(416, "SIZE_INVALID", "a piece of less than was announced")
        return held

    def finish(self, name: str, identity: str, digest: str) -> None:
        with self.lock:
            if identity not in self.uploads:
                # Cancelled while its body was read.
                raise Rejected(404, "BLOB_UPLOAD_UNKNOWN")
            data = bytes(self.uploads.pop(identity))
            if digest_of(data) != digest:
                raise Rejected(400, "DIGEST_INVALID", digest)
            self.add_blob(name, data)

    # -- manifests ------------------------------------------------------------------------------------------

    def manifest(self, name: str, reference: str, accept: str) -> tuple[str, str, bytes]:
        repo = self.repo(name)
        digest = repo.tags.get(reference, reference)
        if digest not in repo.manifests or repo.manifests[digest][0] not in accept:
            raise Rejected(404, "MANIFEST_UNKNOWN", reference)
        media_type, raw = repo.manifests[digest]
        return digest, media_type, raw

    def put_manifest(self, name: str, reference: str, media_type: str, raw: bytes) -> str:
        with self.lock:
            repo = self.repo(name)
            document = json.loads(raw)
            if document.get("mediaType", media_type) != media_type:
                raise Rejected(400, "MANIFEST_INVALID")
            for child in [*document.get("layers", ()), *filter(None, [document.get("config")])]:
                if child["digest"] not in repo.blobs:
                    raise Rejected(400, "MANIFEST_BLOB_UNKNOWN", child["digest"])
            for child in document.get("manifests", ()) if not self.takes_sparse else ():
                if child["digest"] not in repo.manifests:
                    raise Rejected(400, "MANIFEST_BLOB_UNKNOWN", child["digest"])
            digest = digest_of(raw)
            if reference.startswith("sha256:"):
                if reference != digest:
                    raise Rejected(400, "DIGEST_INVALID", reference)
            else:
                repo.tags[reference] = digest
            repo.manifests[digest] = (media_type, raw)
            return digest

    def subject(self, name: str, digest: str) -> str | None:
        """Return what a manifest refers to."""
        subject = json.loads(self.repo(name).manifests[digest][1]).get("subject") or {}
        found: str | None = subject.get("digest")
        return found

    def referrers(self, name: str, subject: str) -> list[dict[str, object]]:
        """Return the descriptors of all that refers to a manifest, by digest."""
        found: list[dict[str, object]] = []
        for digest, (media_type, raw) in sorted(self.repo(name).manifests.items()):
            if self.subject(name, digest) == subject:
                document = json.loads(raw)
                kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
                annotations = {"annotations": document["annotations"]} if "annotations" in document else {}
                found.append(
                    {
                        "mediaType": media_type,
                        "digest": digest,
                        "size": len(raw),
                        "artifactType": kind,
                        **annotations,
                    }
                )
        return found
