"""The layout samples/images/forms: every form that a bundle must carry without a change to any digest."""

from __future__ import annotations

from sample_images import CREATED, KIB, descriptor, noise, prose, stored_gzip, stored_zstd, tar

from bundler.content.hashing import sha256
from bundler.model import media_types
from bundler.model.json_documents import canonical_json

_BASE = tar({"etc/": None, "etc/forms": noise("forms", 60 * KIB)})
_APP = tar({"app": noise("forms app", 50 * KIB)})
_TEXT = tar({"notes": prose("Form", 300)})
_ARM = tar({"app": noise("forms arm", 40 * KIB)})
_SECRET = tar({"secret": b"nobody on the way can read this"})
_OWNED = tar({"owned": b"only its owner may hand this out"})
_IN_TOTO = b'{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2"}'


def forms_layout() -> dict[str, bytes]:
    """Return the files of the layout: an index with all that it may hold, an artifact, and an image without tag.

    The index lists an image for amd64 with a gzip, a zstd, a plain, an encrypted and a foreign layer, an image for
    arm64 below an index of its own, one for s390x that is not there, an attestation, and something unknown.
    """
    layout = _Layout()
    amd64 = layout.image("amd64", [_BASE, _APP, _TEXT, _SECRET, _OWNED], [
        layout.blob(media_types.OCI_LAYER_GZIP, stored_gzip(_BASE)),
        layout.blob(media_types.OCI_LAYER_ZSTD, stored_zstd(_APP)),
        layout.blob(media_types.OCI_LAYER, _TEXT),
        layout.blob(media_types.OCI_LAYER_GZIP + "+encrypted", noise("forms cipher", 900)),
        {
            **descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", stored_gzip(_OWNED)),
            "urls": ["https://owner.example/owned.tar.gz"],
        },
    ])  # fmt: skip
    arm64 = layout.image("arm64", [_BASE, _ARM], [
        layout.blob(media_types.DOCKER_LAYER_GZIP, stored_gzip(_BASE)),
        layout.blob(media_types.OCI_LAYER_ZSTD, stored_zstd(_ARM)),
    ])  # fmt: skip
    absent = descriptor(media_types.OCI_MANIFEST, b"this source has no image for s390x")
    attestation = layout.image("unknown", [_IN_TOTO], [layout.blob("application/vnd.in-toto+json", _IN_TOTO)])
    unknown = layout.blob("application/vnd.example.unknown+json", b'{"what":"of a type that came later"}')
    nested = layout.index([{**arm64, "platform": {"architecture": "arm64", "os": "linux"}}])
    root = layout.index([
        {**amd64, "platform": {"architecture": "amd64", "os": "linux"}},
        nested,
        {**absent, "platform": {"architecture": "s390x", "os": "linux"}},
        unknown,
        {**attestation, "platform": {"architecture": "unknown", "os": "unknown"}},
    ])  # fmt: skip
    names = {"forms/all:1": root, "forms/note:1": layout.artifact(), f"forms/arm@{arm64['digest']}": arm64}
    return layout.files(names)


class _Layout:
    """Collects blobs."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def blob(self, media_type: str, data: bytes) -> dict[str, object]:
        self._blobs[f"blobs/sha256/{sha256(data).hex}"] = data
        return descriptor(media_type, data)

    def image(self, architecture: str, inside: list[bytes], layers: list[dict[str, object]]) -> dict[str, object]:
        config = canonical_json({
            "architecture": architecture,
            "config": {"Cmd": ["/app"]},
            "created": CREATED,
            "os": "unknown" if architecture == "unknown" else "linux",
            "rootfs": {"type": "layers", "diff_ids": [sha256(data) for data in inside]},
        })  # fmt: skip
        return self._manifest({"config": self.blob(media_types.OCI_CONFIG, config), "layers": layers})

    def artifact(self) -> dict[str, object]:
        return self._manifest({
            "artifactType": "application/vnd.example.note",
            "config": self.blob("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [self.blob("text/plain", b"not an image\n")],
        })  # fmt: skip

    def _manifest(self, fields: dict[str, object]) -> dict[str, object]:
        document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, **fields}
        return self.blob(media_types.OCI_MANIFEST, canonical_json(document))

    def index(self, manifests: list[dict[str, object]]) -> dict[str, object]:
        document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests}
        return self.blob(media_types.OCI_INDEX, canonical_json(document))

    def files(self, names: dict[str, dict[str, object]]) -> dict[str, bytes]:
        entries = [
            {**entry, "annotations": {"org.opencontainers.image.ref.name": name}} for name, entry in names.items()
        ]
        index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
        return {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": canonical_json(index),
            **self._blobs,
        }
