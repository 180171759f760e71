"""Same images, options and version: the same bytes in every file, whatever else differs."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bundler import PackOptions, pack
from tests.e2e.command import Airbundle
from tests.e2e.layouts import layer, write_docker_archive
from tests.requirements import require, why_no_program
from tests.servers.engine import RealEngine

_IMAGES = Path(__file__).resolve().parents[2] / "samples" / "images"
_MIB = 1 << 20
_NAMES = ("same.test/base:1", "same.test/shop:1", "same.test/erp:1")


def _wanted(images: Path) -> list[str]:
    return [
        f"shop=docker-archive:{images}/shop.tar",
        f"erp=docker-archive:{images}/erp.tar",
        f"kit=oci:{images}/erp",
        f"kit=oci:{images}/forms",
    ]


def _files(bundle: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in bundle.iterdir()}


def _differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Return the names of the files that differ: a failure should name them, and not print them."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


@pytest.fixture(scope="module")
def first(shared_airbundle: Airbundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the bundle, packed once."""
    bundle = tmp_path_factory.mktemp("first") / "bundle"
    shared_airbundle("pack", *_wanted(_IMAGES), "-o", bundle, "--part-size", "100KiB")
    files = _files(bundle)
    assert len(files) > 10
    return files


def _pack(airbundle: Airbundle, bundle: Path, *wanted: str) -> dict[str, bytes]:
    airbundle("pack", *wanted, "-o", bundle, "--part-size", "100KiB")
    return _files(bundle)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "de_DE.UTF-8", "TZ": "America/St_Johns", "SOURCE_DATE_EPOCH": "1"},
    ],
    ids=["Tokyo", "St John's"],
)
def test_another_locale_time_zone_and_hash_seed(
    airbundle: Airbundle, tmp_path: Path, first: dict[str, bytes], environment: dict[str, str]
) -> None:
    elsewhere = airbundle.with_environment(**environment)
    assert _differing(_pack(elsewhere, tmp_path / "again", *_wanted(_IMAGES)), first) == []


def test_another_directory_and_other_times_and_rights(
    airbundle: Airbundle, tmp_path: Path, first: dict[str, bytes]
) -> None:
    images = shutil.copytree(_IMAGES, tmp_path / "a directory of another name" / "images")
    for number, path in enumerate(sorted(images.rglob("*"))):
        path.chmod(0o700)
        os.utime(path, (number, 1_000_000_000 + number))
    assert _differing(_pack(airbundle, tmp_path / "again" / "deep", *_wanted(images)), first) == []


def test_any_order_and_repetition_of_arguments(
    airbundle: Airbundle, tmp_path: Path, first: dict[str, bytes]
) -> None:
    names = _wanted(_IMAGES)
    assert _differing(_pack(airbundle, tmp_path / "reversed", *reversed(names)), first) == []
    one_by_one = [
        f"shop=docker-archive:{_IMAGES}/shop.tar:shop/web:1",
        *names[1:],
        f"shop=docker-archive:{_IMAGES}/shop.tar:shop/api:1",
        f"shop=docker-archive:{_IMAGES}/shop.tar:docker.io/shop/web:1",
    ]
    random.Random(7).shuffle(one_by_one)
    assert _differing(_pack(airbundle, tmp_path / "one by one", *one_by_one), first) == []


def test_any_number_of_threads(tmp_path: Path) -> None:
    # Large enough for several jobs of zstd at once, and with runs that compress.
    content = layer("noise", 12 * _MIB) + layer("more", 12 * _MIB) + b"text " * (4 * _MIB)
    source = write_docker_archive(tmp_path / "saved.tar", "threads.test/big:1", [content, layer("small", 1000)])
    bundles = []
    for workers in (1, 2, 4):
        target = tmp_path / str(workers)
        options = PackOptions(part_bytes=10 * _MIB, workers=workers)
        pack({"big": [f"docker-archive:{source}"]}, target, options=options)
        bundles.append(_files(target))
    assert _differing(bundles[0], bundles[1]) == []
    assert _differing(bundles[0], bundles[2]) == []


# ---- the same images from an engine and from its file --------------------------------------


@pytest.fixture(scope="module")
def images(engine: RealEngine, tmp_path_factory: pytest.TempPathFactory) -> RealEngine:
    """Three images in an engine, two of them on the first."""
    context = tmp_path_factory.mktemp("context")
    (context / "one").write_bytes(random.Random(1).randbytes(300_000))
    (context / "two").write_bytes(b"two " * 100_000)
    base, shop, erp = _NAMES
    for name, lines in (
        (base, ["FROM scratch", "COPY one /one"]),
        (shop, [f"FROM {base}", "COPY two /two", "COPY one /again"]),
        (erp, [f"FROM {base}", "COPY two /other", "ENV ERP=1"]),
    ):
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        engine.client.images.build(path=str(context), tag=name, rm=True)
    return engine


def _save(engine: RealEngine, path: Path, *names: str) -> Path:
    require(why_no_program("docker"))
    subprocess.run(["docker", "-H", engine.host, "save", "-o", path, *names], check=True, capture_output=True)
    return path


def test_an_engine_and_the_file_of_one_image(airbundle: Airbundle, images: RealEngine, tmp_path: Path) -> None:
    airbundle = airbundle.with_environment(DOCKER_HOST=images.host)
    saved = _save(images, tmp_path / "saved.tar", _NAMES[1])
    from_engine = _pack(airbundle, tmp_path / "engine", f"shop=docker-daemon:{_NAMES[1]}")
    from_file = _pack(airbundle, tmp_path / "file", f"shop=docker-archive:{saved}")
    assert _differing(from_engine, from_file) == []


def test_an_engine_and_the_file_of_several_images(
    airbundle: Airbundle, images: RealEngine, tmp_path: Path
) -> None:
    airbundle = airbundle.with_environment(DOCKER_HOST=images.host)
    base, shop, erp = _NAMES
    engine = _pack(
        airbundle,
        tmp_path / "engine",
        *(f"shop=docker-daemon:{name}" for name in (shop, base)),
        f"erp=docker-daemon:{erp}",
        f"erp=docker-daemon:{base}",
    )
    saved = _save(images, tmp_path / "saved.tar", erp, base, shop)
    file = _pack(
        airbundle,
        tmp_path / "file",
        *(f"erp=docker-archive:{saved}:{name}" for name in (base, erp)),
        *(f"shop=docker-archive:{saved}:{name}" for name in (base, shop)),
    )
    assert _differing(engine, file) == []
    assert "shared.oci.tar.001" in engine


# ---- --check-reproducible ----------------------------------------------------------------------


def test_check_reproducible_says_so_and_writes_nothing_twice(
    airbundle: Airbundle, tmp_path: Path, first: dict[str, bytes]
) -> None:
    bundle = tmp_path / "bundle"
    command = ("pack", *_wanted(_IMAGES), "-o", bundle, "--part-size", "100KiB", "--json", "--check-reproducible")
    result = airbundle(*command)
    assert result.json["reproducible"] is True
    assert _differing(_files(bundle), first) == []
    # The rest is what it prints, and headers that are written when their size is known.
    size = sum(map(len, first.values()))
    assert size <= result.written < size + 64 * 1024


def test_check_reproducible_works_on_an_engine(airbundle: Airbundle, images: RealEngine, tmp_path: Path) -> None:
    airbundle = airbundle.with_environment(DOCKER_HOST=images.host)
    wanted = [f"shop=docker-daemon:{name}" for name in _NAMES]
    result = airbundle("pack", *wanted, "-o", tmp_path / "bundle", "--json", "--check-reproducible")
    assert result.json["reproducible"] is True


def test_without_the_option_nothing_is_claimed(airbundle: Airbundle, tmp_path: Path) -> None:
    result = airbundle("pack", f"kit=oci:{_IMAGES}/forms", "-o", tmp_path / "bundle", "--json")
    assert "reproducible" not in result.json


def test_check_reproducible_works_on_a_pipe_that_the_pack_keeps(airbundle: Airbundle, tmp_path: Path) -> None:
    shop, bundle = _IMAGES / "shop.tar", tmp_path / "bundle"
    command = [sys.executable, "-m", "bundler", "pack", "shop=docker-archive:-", "-o", str(bundle), "--json"]
    done = subprocess.run(
        [*command, "--part-size", "100KiB", "--check-reproducible"],
        input=shop.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["reproducible"] is True
    assert _differing(_files(bundle), _pack(airbundle, tmp_path / "file", f"shop=docker-archive:{shop}")) == []


def test_what_can_be_read_only_once_is_refused(airbundle: Airbundle, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    wanted = f"shop=docker-archive:{tmp_path / 'pipe'}"
    result = airbundle("pack", wanted, "-o", tmp_path / "bundle", "--json", "--check-reproducible", status=2)
    assert "is a pipe" in result.error["message"]
    assert not (tmp_path / "bundle").exists()
