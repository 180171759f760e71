"""File names of a bundle."""

from __future__ import annotations

import pytest

from bundler.bundle.names import check_part_name, is_part_name, is_system_file, part_file
from bundler.errors import MalformedDocument


@pytest.mark.parametrize(
    ("number", "count", "name"),
    [
        (1, 1, "web.oci.tar.001"),
        (7, 999, "web.oci.tar.007"),
        (7, 1000, "web.oci.tar.0007"),
        (12345, 99999, "web.oci.tar.12345"),
    ],
)
def test_numbers_sort_as_text(number: int, count: int, name: str) -> None:
    assert part_file("web", number, count) == name
    check_part_name(name, "web")
    assert is_part_name(name)
    assert is_part_name(name.upper())


@pytest.mark.parametrize("name", ["web.oci.tar", "a-b_c.d.oci.tar.001", "0.oci.tar", "shared.oci.tar.123456789"])
def test_part_names(name: str) -> None:
    check_part_name(name, name.partition(".oci.tar")[0])


@pytest.mark.parametrize(
    "name",
    ["web.oci.tar.01", "web.oci.tar.1234567890", "web.oci.tar.001.partial", "web.tar", ".oci.tar", "web.oci.tar.",
     "web.oci.tar.001 ", "web.oci.tar.\u0660\u0660\u0661", "-web.oci.tar", "bundle.json", "parity.001",
     "._web.oci.tar"],
)  # fmt: skip
def test_what_is_no_part_name(name: str) -> None:
    assert not is_part_name(name)
    with pytest.raises(MalformedDocument):
        check_part_name(name, "web")


@pytest.mark.parametrize("archive", ["con", "nul", "aux", "lpt9", "com0", "nul.x"])
def test_devices_are_no_part_names(archive: str) -> None:
    with pytest.raises(MalformedDocument):
        check_part_name(f"{archive}.oci.tar", archive)


@pytest.mark.parametrize("name", ["._x", "lost+found", "System Volume Information", "$RECYCLE.BIN", ".DS_Store"])
def test_what_systems_leave(name: str) -> None:
    assert is_system_file(name)
    assert not is_system_file(name + "x") or name == "._x"
