import json

import pytest

from bundler.errors import AirbundleError, MalformedDocument
from bundler.model.limits import Limits
from bundler.model.reference import Reference
from bundler.transports.docker_archive import TableEntry, parse_table, write_table

ENTRY = {"Config": "c.json", "RepoTags": ["busybox:1", "reg:5000/a/b:2"], "Layers": ["a/layer.tar"]}


def test_what_is_written_is_read_again() -> None:
    entries = (
        TableEntry(config="c.json", repo_tags=("a:1", "b:2"), layers=("x", "y")),
        TableEntry(config="d.json", layers=()),
    )
    assert parse_table(write_table(entries)) == entries
    assert json.loads(write_table(entries))[1]["RepoTags"] is None


def test_tags_become_complete_references() -> None:
    (entry,) = parse_table(json.dumps([ENTRY]).encode())
    assert entry.references == (
        Reference("docker.io", "library/busybox", "1"),
        Reference("reg:5000", "a/b", "2"),
    )


@pytest.mark.parametrize("tag", ["UPPER:1", "a b", "busybox@sha256:" + "a" * 64, "x@sha256:1", ""])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    (entry,) = parse_table(json.dumps([{**ENTRY, "RepoTags": [tag]}]).encode())
    with pytest.raises(MalformedDocument):
        _ = entry.references


@pytest.mark.parametrize(
    "value",
    [
        {},
        [1],
        [{}],
        [{"Config": 1}],
        [{**ENTRY, "Layers": "x"}],
        [{**ENTRY, "Layers": [None]}],
        [{**ENTRY, "Config": "x" * 5000}],
        [{**ENTRY, "Layers": ["x"] * 10_001}],
    ],
)
def test_other_forms_are_refused(value: object) -> None:
    with pytest.raises(MalformedDocument):
        parse_table(json.dumps(value).encode())


def test_too_many_images_and_too_many_bytes_are_refused() -> None:
    raw = json.dumps([ENTRY] * 3).encode()
    with pytest.raises(MalformedDocument):
        parse_table(raw, Limits(images=2))
    with pytest.raises(MalformedDocument):
        parse_table(raw, Limits(table_bytes=len(raw) - 1))


def test_every_truncation_gives_a_declared_error() -> None:
    raw = json.dumps([ENTRY]).encode()
    for end in range(len(raw)):
        with pytest.raises(AirbundleError):
            parse_table(raw[:end])
