"""The configuration file: strict, and its JSON Schema says the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundler.errors import ConfigError, NotFound
from bundler.model.naming.items import RenameItem
from bundler.packing.planning.config import ApplicationConfig, PackConfig, config_schema, read_config, read_rules

WHOLE = """
name: plant7
version: "2026.11.1"
part_size: 3900MiB
compression: gzip
level: 9
applications:
  shop: {images: [web:1, "docker://reg.test/api:2"]}
  erp:
    images:
      - oci:layout:ledger
"""


def read(tmp_path: Path, text: str | bytes) -> PackConfig:
    path = tmp_path / "bundle.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_config(path)


def test_a_whole_file(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    assert (config.name, config.version, config.part_size) == ("plant7", "2026.11.1", "3900MiB")
    assert (config.compression, config.level) == ("gzip", 9)
    assert {name: application.images for name, application in config.applications.items()} == {
        "shop": ("web:1", "docker://reg.test/api:2"),
        "erp": ("oci:layout:ledger",),
    }


def test_what_need_not_be_said(tmp_path: Path) -> None:
    config = read(tmp_path, "applications: {a: {images: [x]}}")
    said = (config.name, config.version, config.part_size, config.compression, config.level)
    assert said == (None,) * 5
    assert read(tmp_path, '{"applications": {"a": {"images": ["x"]}}, "part_size": 65536}').part_size == 65536


def test_one_list_of_images_may_stand_for_two(tmp_path: Path) -> None:
    config = read(tmp_path, "applications: {a: &same {images: [x]}, b: *same}")
    assert config.applications["a"] == config.applications["b"]


IMAGES = "applications: {a: {images: [x]}}"
RULES = """
rename:
  - {prefix: docker.io/library, to: base}
  - {table: names.txt}
  - {regex: '(.*):1', to: '\\1:one'}
"""


def test_rename_rules_with_those_of_a_table_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("nginx web/nginx\n")
    config = read(tmp_path, IMAGES + RULES)
    rules = read_rules(config.rename, tmp_path / "bundle.yaml")
    assert [str(rule) for rule in rules] == ["docker.io/library = base", "nginx = web/nginx", r"(.*):1 = \1:one"]
    with pytest.raises(ConfigError, match=r"bundle\.yaml: rename, entry 1"):
        read_rules(read(tmp_path, IMAGES + "\nrename: [{prefix: x}]").rename, tmp_path / "bundle.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "x",
        "{}",
        "applications:",
        "applications: {}",
        "applications: []",
        "applications: {a: {}}",
        "applications: {a: {images: []}}",
        "applications: {a: {images: x}}",
        "applications: {a: {images: [1]}}",
        "applications: {a: {images: [[x]]}}",
        "applications: {a: [x]}",
        "applications: {1: {images: [x]}}",
        "applications: {a: {images: [x], image: y}}",
        f"{IMAGES}\nparts: 3",
        f"{IMAGES}\nname: 3",
        f"{IMAGES}\nversion: 1.0",
        f"{IMAGES}\nversion: 2026-11-01",
        f"{IMAGES}\nversion: 2026-13-45",
        f"{IMAGES}\nversion: !!int x",
        f"{IMAGES}\nversion: !!int ''",
        f"{IMAGES}\nversion: !!float x",
        f"{IMAGES}\nversion: !!bool maybe",
        f"{IMAGES}\nversion: !!timestamp x",
        f"{IMAGES}\nversion: !!binary é",
        f"{IMAGES}\nlevel: high",
        f"{IMAGES}\nlevel: true",
        f"{IMAGES}\nlevel: 3.5",
        f"{IMAGES}\npart_size: [1]",
        f"{IMAGES}\npart_size: true",
        f"{IMAGES}\n{IMAGES}",
        "applications: {a: {images: [x]}, a: {images: [y]}}",
        "applications: {a: {images: [x], images: [y]}}",
        "applications: {a: &x {images: [x]}, b: {<<: *x}}",
        "applications: {a: *nobody}",
        "applications: &a {a: *a}",
        "applications: {a: {images: [x]}}\n---\nname: two documents",
        "applications: {[a]: {images: [x]}}",
        "applications: {? {a: b} : {images: [x]}}",
        "applications: !!python/object:os.system {}",
        "applications: !!python/name:os.system",
        "applications: {a: {images: [x]}",
        "\tapplications: x",
        "[" * 2000,
        "{a: " * 5000,
        b"\xff\xfe\xff",
        b"applications: {a: {images: [\xff]}}",
        b"\0",
    ],
)
def test_what_is_no_configuration(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(ConfigError, match=r"bundle\.yaml"):
        read(tmp_path, text)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_config(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="directory"):
        read_config(tmp_path)
    path = tmp_path / "huge.yaml"
    path.touch()
    os.truncate(path, 17 << 20)
    with pytest.raises(ConfigError, match="larger"):
        read_config(path)


class TestSchema:
    """No JSON Schema library is among the dependencies: the schema is compared with the type it describes."""

    def test_what_it_is(self) -> None:
        schema = config_schema()
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert self.of("PackConfig")["additionalProperties"] is False
        assert self.of("ApplicationConfig")["additionalProperties"] is False

    def test_every_field_is_described_and_no_other(self) -> None:
        for kind in _TYPES:
            fields = {field.encode_name: field for field in msgspec.structs.fields(_TYPES[kind])}
            assert self.of(kind)["properties"].keys() == fields.keys()
            assert set(self.of(kind).get("required", ())) == {
                name for name, field in fields.items() if field.required
            }

    def test_types_and_bounds(self) -> None:
        properties = self.of("PackConfig")["properties"]
        assert properties["applications"]["minProperties"] == 1
        assert self.of("ApplicationConfig")["properties"]["images"]["minItems"] == 1
        assert _kinds(properties["part_size"]) == {"string", "integer", "null"}
        assert _kinds(properties["level"]) == {"integer", "null"}
        for name in ("name", "version", "compression"):
            assert _kinds(properties[name]) == {"string", "null"}
        assert all(value.get("description") for value in properties.values())

    @staticmethod
    def of(name: str) -> dict[str, Any]:
        found: dict[str, Any] = config_schema()["$defs"][name]
        return found


_TYPES: dict[str, type[msgspec.Struct]] = {
    "PackConfig": PackConfig,
    "ApplicationConfig": ApplicationConfig,
    "RenameItem": RenameItem,
}


def _kinds(schema: dict[str, Any]) -> set[str]:
    if "anyOf" in schema:
        return {kind for one in schema["anyOf"] for kind in _kinds(one)}
    kind = schema["type"]
    return set(kind) if isinstance(kind, list) else {kind}
