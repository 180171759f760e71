"""Trees become layers; slow media are as slow as they should be."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from benchmark import rootfs
from benchmark.servers import process_seconds
from benchmark.throttle import Throttle


def make_tar(path: Path, sizes: list[int]) -> None:
    with tarfile.open(path, "w") as tar:
        for number, size in enumerate(sizes):
            member = tarfile.TarInfo(f"file{number}")
            member.size = size
            tar.addfile(member, BytesIO(bytes([number]) * size))


def names(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()


def test_a_tar_is_cut_between_its_members(tmp_path: Path) -> None:
    make_tar(tmp_path / "whole", [10_000] * 6)
    parts = [tmp_path / f"part{number}" for number in range(3)]
    rootfs.cut_tar(tmp_path / "whole", parts)
    every = [name for part in parts for name in names(part)]
    assert every == names(tmp_path / "whole")
    assert all(names(part) for part in parts)
    with tarfile.open(parts[2]) as tar:
        content = tar.extractfile("file5")
        assert content is not None
        assert content.read() == b"\5" * 10_000


def test_layers_of_own_files_have_no_file_in_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(8):
        (tmp_path / "tree" / f"file{number}").write_bytes(bytes(1000))
    monkeypatch.setattr(rootfs, "_OWN_TREES", (str(tmp_path / "tree"),))
    targets = [(tmp_path / "one", 3000), (tmp_path / "two", 3000)]
    rootfs.tars_of_own_files(targets)
    assert [len(names(target)) for target, _ in targets] == [3, 3]
    assert not {*names(targets[0][0])} & {*names(targets[1][0])}
    with pytest.raises(rootfs.TooFewFiles):
        rootfs.tars_of_own_files([(tmp_path / "three", 90_000)])


def test_a_process_knows_how_long_it_worked() -> None:
    assert process_seconds(1) >= 0


def test_a_slowed_command_keeps_its_arguments() -> None:
    command = Throttle(Path("/group")).command(["cat", "a b"])
    assert command[-2:] == ["cat", "a b"]
    assert "/group/cgroup.procs" in command[2]
