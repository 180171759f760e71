"""Every bound on what is accepted from outside, with its unit."""

from __future__ import annotations

from dataclasses import dataclass

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limits:
    """Bounds on input. The defaults hold for every image and bundle that is known to exist.

    Attributes:
        document_bytes: size of one manifest, index or image config (registries take 4 MiB).
        bundle_manifest_bytes: size of bundle.json.
        json_depth: nesting of arrays and objects in any JSON document.
        documents: manifests, indexes and configs reachable from one image.
        document_nesting: indexes inside indexes.
        tree_bytes: all manifests, indexes and configs of one image together.
        archive_entries: entries of one tar.
        archive_bytes: uncompressed size of one compressed archive; size of what comes by standard input.
        archive_document_bytes: JSON files of one archive that must be kept in memory while its layers go by.
        header_record_bytes: one PAX record set or GNU long name in a tar.
        annotation_count: annotations of one descriptor or document.
        name_chars: a reference, a path in a tar, an annotation's key.
        layer_bytes: uncompressed size of one layer.
        layer_ratio: uncompressed bytes per compressed byte of a layer or archive, on average over all of it.
        window_log: base-2 logarithm of the zstd window that a decoder must hold in memory.
        error_body_bytes: how much of a registry's error answer is read.
    """

    document_bytes: int = 4 * _MIB
    bundle_manifest_bytes: int = 256 * _MIB
    json_depth: int = 64
    documents: int = 10_000
    document_nesting: int = 8
    tree_bytes: int = 64 * _MIB
    archive_entries: int = 250_000
    archive_bytes: int = 4096 * _GIB
    archive_document_bytes: int = 256 * _MIB
    header_record_bytes: int = 1 * _MIB
    annotation_count: int = 1_000
    name_chars: int = 4 * _KIB
    layer_bytes: int = 1024 * _GIB
    layer_ratio: int = 20_000
    window_log: int = 27
    error_body_bytes: int = 64 * _KIB


DEFAULT_LIMITS = Limits()
