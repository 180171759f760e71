"""What is kept of uploads: private, atomic, advice only."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest

from bundler.errors import MalformedDocument
from bundler.model.digest import Digest
from bundler.transports.registry.upload.protocol import UploadState
from bundler.transports.registry.upload.saved import (
    SavedUpload,
    SavedUploads,
    default_directory,
    parse_saved_state,
)

DIGEST = Digest.from_hex("a" * 64)
STATE = UploadState("https://reg.test/v2/a/blobs/uploads/1?_state=secret", 12345, 77)


def claim(directory: Path | None, repository: str = "a/b", digest: Digest = DIGEST) -> SavedUpload:
    return SavedUploads(directory).claim("reg.test:5000", repository, digest)


def test_another_run_finds_it(tmp_path: Path) -> None:
    directory = tmp_path / "state" / "airbundle" / "uploads"
    first = claim(directory)
    assert first.load() is None
    first.save(STATE)
    first.release()
    second = claim(directory)
    assert second.load() == STATE
    assert claim(directory, "a/c").load() is None
    assert claim(directory, digest=Digest.from_hex("b" * 64)).load() is None
    second.forget()
    assert second.load() is None
    second.release()


def test_what_a_killed_run_left_of_a_blob_that_is_there_is_dropped(tmp_path: Path) -> None:
    left = claim(tmp_path)
    left.save(STATE)
    (path,) = tmp_path.glob("*.json")
    (tmp_path / "other.json").touch()
    # Of a blob that another run is sending now everything stays.
    SavedUploads(tmp_path).drop("reg.test:5000", "a/b", DIGEST)
    assert len(list(tmp_path.iterdir())) == 3
    left.release()
    for suffixes in ((".json",), (".json", ".json.partial", ".lock"), (".lock",), (".json.partial",), ()):
        for suffix in suffixes:
            path.with_suffix(suffix).touch()
        SavedUploads(tmp_path).drop("reg.test:5000", "a/b", DIGEST)
        SavedUploads(None).drop("reg.test:5000", "a/b", DIGEST)
        assert [path.name for path in tmp_path.iterdir()] == ["other.json"]
    # Where there is nothing, nothing is made.
    SavedUploads(tmp_path / "none").drop("reg.test:5000", "a/b", DIGEST)
    assert not (tmp_path / "none").exists()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        held = claim(tmp_path / "uploads")
        held.save(STATE)
    finally:
        os.umask(before)
    (path,) = (tmp_path / "uploads").glob("*.json")
    assert {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "uploads").iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    # No name is taken from outside, and no text that is shown holds the URL.
    assert len(path.stem) == 64
    assert "secret" not in repr(STATE)


def test_only_one_run_has_it(tmp_path: Path) -> None:
    first = claim(tmp_path)
    first.save(STATE)
    other = claim(tmp_path)
    assert other.load() is None
    other.save(UploadState("https://reg.test/other"))
    other.forget()
    other.release()
    assert first.load() == STATE
    first.release()
    assert claim(tmp_path).load() == STATE


def test_nothing_but_the_states_stays(tmp_path: Path) -> None:
    upload = claim(tmp_path)
    upload.save(STATE)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".lock"]
    upload.forget()
    upload.release()
    upload.release()
    assert list(tmp_path.iterdir()) == []


def test_old_ones_are_dropped(tmp_path: Path) -> None:
    for name, days in (("old", 9), ("new", 6)):
        path = tmp_path / f"{name}.json"
        path.write_text("{}")
        os.utime(path, (time.time() - days * 86_400,) * 2)
    claim(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["new.json"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"x" * 100_000,
        b'{"registry": "reg.test:5000"}',
        *(
            json.dumps(
                {
                    "registry": "reg.test:5000", "repository": "a/b", "digest": DIGEST,
                    "location": "https://reg.test/x", "offset": 5, **change,
                }
            ).encode()
            for change in (
                {"offset": -1}, {"offset": "5"}, {"offset": 1 << 63}, {"location": "file:///etc/passwd"},
                {"location": "https://reg.test/a b"}, {"location": 5}, {"digest": "sha256:x"},
                {"registry": "other.test"}, {"repository": "c"}, {"digest": "sha256:" + "b" * 64},
            )
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_passed_over(tmp_path: Path, raw: bytes) -> None:
    upload = claim(tmp_path)
    upload.save(STATE)
    (path,) = tmp_path.glob("*.json")
    path.write_bytes(raw)
    assert upload.load() is None
    upload.save(STATE)
    assert upload.load() == STATE


def test_the_parser_declares_its_error() -> None:
    with pytest.raises(MalformedDocument):
        parse_saved_state(b"nothing")


def test_without_a_place_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (None, tmp_path / "file", tmp_path / "file" / "below"):
        upload = claim(directory)
        upload.save(STATE)
        assert upload.load() is None
        upload.forget()
        upload.release()


def test_a_directory_that_goes_away(tmp_path: Path) -> None:
    upload = claim(tmp_path / "uploads")
    upload.save(STATE)
    (tmp_path / "uploads").rename(tmp_path / "gone")
    upload.save(UploadState("https://reg.test/next"))
    upload.forget()
    upload.release()


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "airbundle" / "uploads"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert default_directory() == tmp_path / "home" / ".local" / "state" / "airbundle" / "uploads"
