"""Every parser takes any bytes: a value that keeps its laws, or an error that it declares, and nothing else.

The parsers, their laws and their valid input are the fuzz targets: those that read streams are fed whole, byte
by byte and in uneven pieces there. Here each gets input that is nearly right; ``scripts/fuzz`` searches further.
"""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings

from tests.fuzz.target import ROOT, Target
from tests.fuzz.targets import TARGETS
from tests.property.hostile import nearly

#: For one input of a few KiB, on a machine that does other work too.
_MOST_SECONDS = 5.0


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_any_bytes_are_a_value_or_refused(target: Target) -> None:
    @settings(max_examples=100)
    @given(nearly(list(target.seeds)))
    def holds(data: bytes) -> None:
        began = time.monotonic()
        target.check(data)
        assert time.monotonic() - began < _MOST_SECONDS

    holds()


#: Every module of these rooms that reads what comes from outside has a target; this list is the inventory.
_READ_BY = {
    "model/reference.py": "reference", "model/digest.py": "digest", "model/platforms.py": "platform",
    "model/platform_choice.py": "platform-choice",
    "model/naming/patterns.py": "rename-pattern", "model/naming/table.py": "rename-table",
    "model/sizes.py": "size", "model/json_documents.py": "json", "model/manifest.py": "manifest",
    "model/image_config.py": "image-config", "content/trees.py": "tree", "content/tar.py": "tar",
    "content/compression.py": "compressed", "content/zstd_frames.py": "zstd-frames",
    "bundle/manifest.py": "bundle-json", "bundle/checksums.py": "sums", "bundle/names.py": "file-name",
    "bundle/parity/table.py": "parity-json", "bundle/parity/journal.py": "parity-journal",
    "bundle/parity/wish.py": "redundancy",
    "bundle/requests/request_file.py": "request", "bundle/requests/answers/table.py": "answer-json",
    "packing/planning/config.py": "pack-config", "packing/planning/strict_yaml.py": "pack-config",
    "packing/resume/journal.py": "pack-journal", "packing/locking/lock_file.py": "lock",
    "model/versions.py": "version-range", "transports/engine/containers.py": "container-output",
    "packing/reuse/entries.py": "cache-entry", "transports/engine/v1_ids.py": "v1-ids",
    "api/image_names.py": "image-name", "trust/signatures.py": "signature",
    "transports/docker_archive.py": "docker-table", "transports/saved_index.py": "saved-index",
    "transports/oci_layout.py": "oci-archive", "sources/docker_archive.py": "docker-archive",
    "transports/engine/facts.py": "engine", "transports/engine/load_answer.py": "load-answer",
    "transports/engine/save_names.py": "save-names", "transports/registry/challenges.py": "challenges",
    "transports/registry/address.py": "location", "transports/registry/answers.py": "error-body",
    "transports/registry/retries.py": "retry-after", "transports/registry/upload/saved.py": "saved-upload",
    "transports/registry/upload/protocol.py": "ranges", "transports/registry/access/auth_files.py": "credentials",
    "transports/registry/access/registries_conf.py": "registries-conf",
    "transports/registry/access/mirrors.py": "docker-mirrors", "transports/registry/rate_limits.py": "rate-limit",
    "discover/yaml_documents.py": "project-yaml", "discover/compose/dotenv.py": "dotenv",
    "discover/compose/interpolation.py": "interpolation", "discover/compose/project.py": "compose",
    "model/referrers.py": "cosign-tag", "transports/registry/referrers.py": "referrers",
    "discover/single_file.py": "project-file", "discover/update.py": "config-update",
}  # fmt: skip


def test_the_inventory_is_complete() -> None:
    assert set(_READ_BY.values()) == set(TARGETS)
    rooms = ROOT / "bundler"
    parsing = {
        str(path.relative_to(rooms))
        for path in rooms.rglob("*.py")
        if re.search(r"^def parse_|^    def parse\(|^def read_load|^def named_", path.read_text(), re.MULTILINE)
    }
    # Part sizes are sizes, and are checked with them.
    assert parsing - {"packing/planning/options.py"} <= set(_READ_BY)
