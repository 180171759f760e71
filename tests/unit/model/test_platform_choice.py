"""Platforms that are asked for, how well one suits another, and what runs those of others."""

from __future__ import annotations

import pytest

from bundler.errors import UsageError
from bundler.model.emulation import Emulation, emulation_for, foreign_words
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.platforms import Platform


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["linux/amd64"], "linux/amd64"),
        (["linux/amd64,linux/arm64/v8"], "linux/amd64,linux/arm64"),
        (["linux/amd64", "linux/arm/v7, linux/amd64"], "linux/amd64,linux/arm/v7"),
        (["linux/x86_64,linux/amd64/v1"], "linux/amd64"),
        (["all"], "all"),
        ([" ALL "], "all"),
    ],
)
def test_choices(texts: list[str], expected: str) -> None:
    chosen = PlatformChoice.parse(texts)
    assert str(chosen) == expected
    assert chosen.is_all is (expected == "all") is (chosen == EVERY_PLATFORM)
    assert PlatformChoice.parse([str(chosen)]) == chosen


@pytest.mark.parametrize(
    "texts", [[], [""], ["linux/amd64,"], ["amd64"], ["all,linux/amd64"], ["all", "all"], ["linux/a"] * 101]
)
def test_what_is_no_choice(texts: list[str]) -> None:
    with pytest.raises(UsageError):
        PlatformChoice.parse(texts)


@pytest.mark.parametrize(
    ("host", "order", "never"),
    [
        ("linux/amd64", ["linux/amd64", "linux/386"], ["linux/amd64/v2", "linux/arm64", "windows/amd64"]),
        ("linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"], ["linux/amd64/v4"]),
        (
            "linux/arm64",
            ["linux/arm64", "linux/arm/v8", "linux/arm", "linux/arm/v6", "linux/arm/v5"],
            ["linux/arm64/v9"],
        ),
        ("linux/arm64/v9", ["linux/arm64/v9", "linux/arm64/v8.1", "linux/arm64", "linux/arm/v8"], []),
        ("linux/arm/v7", ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"], ["linux/arm/v8"]),
        ("linux/arm", ["linux/arm/v7", "linux/arm/v6"], ["linux/arm/v8", "linux/arm64"]),
        ("linux/arm/v6", ["linux/arm/v6", "linux/arm/v5", "linux/arm"], ["linux/arm/v7"]),
        ("linux/386", ["linux/386"], ["linux/amd64"]),
        ("linux/riscv64", ["linux/riscv64"], ["linux/riscv64/rva23u64"]),
    ],
)
def test_the_best_comes_first(host: str, order: list[str], never: list[str]) -> None:
    there = Platform.parse(host)
    fitness = [Platform.parse(name).fitness(there) for name in order]
    assert None not in fitness
    assert fitness == sorted(one for one in fitness if one is not None)
    assert len(set(fitness)) == len(order)
    assert fitness[0] == (0,)
    assert [name for name in never if Platform.parse(name).runs_on(there)] == []


@pytest.mark.parametrize(
    ("image", "host", "handler"),
    [
        ("linux/arm64", "linux/amd64", "qemu-aarch64"),
        ("linux/arm/v7", "linux/amd64", "qemu-arm"),
        ("linux/amd64", "linux/arm64", "qemu-x86_64"),
        ("linux/s390x", "linux/amd64", "qemu-s390x"),
        ("linux/amd64", "linux/amd64", None),
        ("linux/386", "linux/amd64", None),
        ("linux/amd64/v3", "linux/amd64", None),
        ("windows/amd64", "linux/amd64", None),
        ("linux/unheard-of", "linux/amd64", None),
    ],
)
def test_what_qemu_would_need(image: str, host: str, handler: str | None) -> None:
    needed = emulation_for(Platform.parse(image), Platform.parse(host))
    assert needed == (None if handler is None else Emulation(handler, "qemu-user-static"))


def test_what_is_said_of_a_foreign_image() -> None:
    arm64, amd64, windows = map(Platform.parse, ("linux/arm64", "linux/amd64", "windows/amd64"))
    assert foreign_words(amd64, amd64, "the engine") is None
    assert foreign_words(arm64, amd64, "the engine") == (
        "the image is for linux/arm64, the engine runs linux/amd64: it starts there only with QEMU, the binfmt "
        "handler qemu-aarch64 (qemu-user-static)"
    )
    assert "do not help" in (foreign_words(windows, amd64, "the engine") or "")
