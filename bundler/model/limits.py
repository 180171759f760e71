"""Every bound on what is accepted from outside, with its unit."""

from __future__ import annotations

from dataclasses import dataclass, fields

from bundler.errors import LimitExceeded, MalformedDocument

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
#: Limits that an honest image or bundle may have a need to pass; the command's option --limit changes them.
CHANGEABLE = (
    "document_bytes",
    "table_bytes",
    "bundle_manifest_bytes",
    "parity_table_bytes",
    "archive_entries",
    "archive_bytes",
    "archive_document_bytes",
    "layer_bytes",
    "layer_ratio",
    "window_log",
    "tags",
    "discovered_bytes",
    "discovered_files",
    "yaml_nodes",
    "referrers",
    "referrer_bytes",
    "referrer_nesting",
)


class Bound(int):
    """A limit that knows its own name, so that whatever refuses because of it can say which one it was."""

    name: str

    @classmethod
    def of(cls, value: int, name: str) -> Bound:
        """Give a number its name."""
        bound = cls(value)
        bound.name = name
        return bound


@dataclass(frozen=True)
class Limits:
    """Bounds on input. The defaults hold for every image and bundle that is known to exist.

    Every field is a :class:`Bound`, an ``int`` with the field's name.

    Attributes:
        document_bytes: size of one manifest, index or image config (registries take 4 MiB).
        table_bytes: size of the list of all images of a layout or archive: its index.json, its manifest.json.
        bundle_manifest_bytes: size of bundle.json, of SHA256SUMS, of a request, and of answer.json.
        parity_table_bytes: size of parity.json, which holds a copy of bundle.json.
        config_bytes: size of the configuration file of a pack, of its lock, and of a file of rename rules.
        signature_bytes: size of a detached signature, and of a file with a public key.
        version_file_bytes: size of ``oci-layout``.
        cache_entry_bytes: size of what a cache notes beside a blob.
        json_depth: nesting of arrays and objects in any JSON document.
        number_chars: length of a number in any JSON document.
        documents: manifests, indexes and configs reachable from one image.
        document_nesting: indexes inside indexes.
        tree_bytes: all manifests, indexes and configs of one image together.
        layers: layers of one image.
        annotation_count: annotations of one descriptor or document.
        annotation_bytes: keys and values of these together, in characters.
        name_chars: a path in a tar or in the table of a docker-archive, an annotation's key.
        applications: applications of one bundle.
        images: images of one bundle; rows in the table of a docker-archive.
        blobs: blobs of one bundle.
        parts: parts of one bundle.
        rename_rules: rename rules of one bundle or configuration; lines of a table of new names.
        block_bytes: size of a block of a bundle, which readers hold in memory.
        archive_entries: entries of one tar.
        archive_bytes: uncompressed size of one compressed archive; size of what comes by standard input.
        archive_document_bytes: JSON files of one archive that must be kept in memory while its layers go by.
        archive_links: links in an archive that lead one to another.
        header_record_bytes: one PAX record set or GNU long name in a tar.
        layer_bytes: uncompressed size of one layer.
        layer_ratio: uncompressed bytes per compressed byte of a layer or archive, on average over all of it.
        window_log: base-2 logarithm of the zstd or xz window that a decoder must hold in memory.
        error_body_bytes: how much of a registry's error answer is read; the answer of a token service.
        challenge_chars: how much of one WWW-Authenticate header is read.
        redirects: answers to one request that only lead elsewhere.
        tags: tags of one repository, where a version range or a pattern chooses one.
        tag_pages: answers in which a registry lists them.
        engine_answer_bytes: an engine's answer to a question.
        engine_line_bytes: one line of an engine's answer to a load.
        engine_messages: what is kept of the lines in which an engine says what it loaded.
        smoke_output_bytes: what is kept of the output of a smoke test, its end.
        discovered_bytes: size of one file in which images are looked for; of all Compose files of a project
            together; of what the variables in them make, in characters.
        discovered_files: files and directories that one search looks at.
        yaml_nodes: values in one YAML file, each alias counted as what it stands for.
        yaml_depth: nesting of mappings and lists in a YAML file.
        project_files: files of one Compose project or kustomization, each as often as it is read.
        project_nesting: files that include one another, services that extend one another, default values of
            variables inside default values, kustomizations on one another.
        referrers: signatures, attestations and the like of one image, those of its referrers too; entries of one
            list of them.
        referrer_bytes: all of these of one image together.
        referrer_nesting: referrers of referrers.
        referrer_pages: answers in which a registry gives one list of referrers.
    """

    document_bytes: int = 4 * _MIB
    table_bytes: int = 32 * _MIB
    bundle_manifest_bytes: int = 256 * _MIB
    parity_table_bytes: int = 512 * _MIB
    config_bytes: int = 16 * _MIB
    signature_bytes: int = 64 * _KIB
    version_file_bytes: int = 4 * _KIB
    cache_entry_bytes: int = 4 * _KIB
    json_depth: int = 64
    number_chars: int = 400
    documents: int = 10_000
    document_nesting: int = 8
    tree_bytes: int = 64 * _MIB
    layers: int = 10_000
    annotation_count: int = 1_000
    annotation_bytes: int = 1 * _MIB
    name_chars: int = 4 * _KIB
    applications: int = 10_000
    images: int = 100_000
    blobs: int = 1_000_000
    parts: int = 1_000_000
    rename_rules: int = 100_000
    block_bytes: int = 64 * _MIB
    archive_entries: int = 250_000
    archive_bytes: int = 4096 * _GIB
    archive_document_bytes: int = 256 * _MIB
    archive_links: int = 16
    header_record_bytes: int = 1 * _MIB
    layer_bytes: int = 1024 * _GIB
    layer_ratio: int = 40_000
    window_log: int = 27
    error_body_bytes: int = 64 * _KIB
    challenge_chars: int = 8 * _KIB
    redirects: int = 5
    tags: int = 200_000
    tag_pages: int = 2_000
    engine_answer_bytes: int = 64 * _MIB
    engine_line_bytes: int = 1 * _MIB
    engine_messages: int = 1_000
    smoke_output_bytes: int = 4 * _KIB
    discovered_bytes: int = 64 * _MIB
    discovered_files: int = 100_000
    yaml_nodes: int = 2_000_000
    yaml_depth: int = 100
    project_files: int = 1_000
    project_nesting: int = 32
    referrers: int = 1_000
    referrer_bytes: int = 4 * _GIB
    referrer_nesting: int = 4
    referrer_pages: int = 100

    def __post_init__(self) -> None:
        for field in fields(self):
            # The only way to give a frozen value its final form.
            object.__setattr__(self, field.name, Bound.of(getattr(self, field.name), field.name))


def beyond(limit: int, what: str) -> MalformedDocument:
    """Make the error of input that passes a limit.

    Args:
        limit: A field of :class:`Limits`; or another number, such as the size that somebody promised.
        what: What has too much of something, as the beginning of the message.
    """
    if not isinstance(limit, Bound):
        return MalformedDocument(f"{what}, more than the {limit} that there should be")
    can = f"If you trust where this comes from, give --limit {limit.name}=VALUE."
    return LimitExceeded(
        f"{what}; the limit {limit.name} is {int(limit)}", advice=can if limit.name in CHANGEABLE else None
    )


DEFAULT_LIMITS = Limits()
