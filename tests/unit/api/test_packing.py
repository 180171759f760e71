"""Names in, bundle out: the library as its users call it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bundler
from bundler.api.image_names import ImageName
from bundler.api.packing import pack, planned
from bundler.api.source_set import SourceSet
from bundler.content.images import FoundImage, ImageSource
from bundler.errors import AirbundleError, ConfigError, InvalidReference, NotFound, Unreachable
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from tests.builders import SHOP, SMALL, contents_of, layer
from tests.fakes.layouts import entry, layout_files, write_archive, write_directory
from tests.fakes.memory import MemorySource


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    source = MemorySource()
    images = [source.make_image([layer("a", 300), layer(name, 200)], f"reg.test/{name}:1") for name in ("x", "y")]
    entries = [entry(image, str(image.reference)) for image in images]
    write_archive(tmp_path / "layout.tar", layout_files(source, entries))
    return write_directory(tmp_path / "layout", layout_files(source, entries))


def test_the_library_is_usable_without_the_command(layout: Path, tmp_path: Path) -> None:
    manifest = bundler.pack({"web": [f"oci:{layout}:reg.test/x:1"]}, tmp_path / "out", options=SMALL)
    assert [image.reference for image in manifest.applications[0].images] == ["reg.test/x:1"]
    opened = bundler.open_bundle(tmp_path / "out")
    assert bundler.verify(opened, "deep").ok
    bundler.extract(opened, str(tmp_path / "again"))
    assert (tmp_path / "again" / "index.json").exists()


def test_everything_that_is_promised_is_there() -> None:
    for name in bundler.__all__:
        assert getattr(bundler, name) is not None
    with pytest.raises(AttributeError):
        _ = bundler.nonsense
    # A type checker sees the same names.
    tree = ast.parse(Path(bundler.__file__).read_text())
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bundler")
        for alias in node.names
    }
    assert imported == set(bundler.__all__)


def test_all_images_of_a_file(layout: Path, tmp_path: Path) -> None:
    one = pack({"web": [f"oci:{layout}"]}, tmp_path / "one", options=SMALL)
    assert len(one.applications[0].images) == 2
    two = pack({"web": [f"oci-archive:{tmp_path / 'layout.tar'}"]}, tmp_path / "two", options=SMALL)
    assert {blob.digest for blob in one.blobs} == {blob.digest for blob in two.blobs}


def test_a_bundle_is_a_source(layout: Path, tmp_path: Path) -> None:
    pack({"web": [f"oci:{layout}"]}, tmp_path / "one", options=SMALL)
    pack({"web": [f"bundle:{tmp_path / 'one'}"]}, tmp_path / "two", options=SMALL)
    pack({"web": [f"bundle:{tmp_path / 'two'}:reg.test/x:1", f"bundle:{tmp_path / 'one'}:reg.test/y:1"]},
         tmp_path / "three", options=SMALL)  # fmt: skip
    assert contents_of(tmp_path / "three") == contents_of(tmp_path / "two")


def test_a_source_is_opened_once_and_closed(layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[MemorySource] = []

    def make(self: SourceSet, path: Path) -> ImageSource:
        opened.append(MemorySource())
        opened[-1].make_image([layer("a", 10)], SHOP)
        opened[-1].make_image([layer("b", 10)], "x/y:1")
        return opened[-1]

    monkeypatch.setattr(SourceSet, "_makers", {"oci": make})
    with planned({"web": [f"oci:here:{SHOP}", "oci:here:x/y:1"], "api": [f"oci:there:{SHOP}"]}) as plan:
        assert len(plan.images) == 3
        assert len(opened) == 2
        assert not any(source.closed for source in opened)
    assert all(source.closed for source in opened)
    with pytest.raises(NotFound), planned({"web": ["oci:here:nobody"]}):
        pass
    assert opened[-1].closed


@pytest.mark.parametrize(
    ("applications", "kind"),
    [
        ({}, ConfigError),
        ({"web": []}, ConfigError),
        ({"Web": ["oci:x"]}, ConfigError),
        ({"shared": ["oci:x"]}, ConfigError),
        ({"web": [""]}, InvalidReference),
        ({"web": ["oci:"]}, InvalidReference),
        ({"web": ["oci:/nowhere"]}, NotFound),
        ({"web": ["oci-archive:/nowhere"]}, NotFound),
        ({"web": ["docker-archive:/nowhere"]}, NotFound),
        ({"web": ["bundle:/nowhere"]}, NotFound),
    ],
)
def test_what_cannot_be_packed(
    tmp_path: Path, applications: dict[str, list[str]], kind: type[AirbundleError]
) -> None:
    with pytest.raises(kind):
        pack(applications, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bad_name_is_told_before_any_source_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SourceSet, "find", lambda *_: pytest.fail("asked"))
    with pytest.raises(ConfigError), planned({"web": ["oci:x"], "no name": ["oci:x"]}):
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", ("", "", "busybox")),
        ("reg.test:5000/a/b:1", ("", "", "reg.test:5000/a/b:1")),
        ("docker://busybox:1", ("docker", "", "busybox:1")),
        ("docker-daemon:busybox:1", ("docker-daemon", "", "busybox:1")),
        ("docker-archive:a/b.tar", ("docker-archive", "a/b.tar", "")),
        ("docker-archive:a/b.tar:x/y:1", ("docker-archive", "a/b.tar", "x/y:1")),
        ("oci:dir", ("oci", "dir", "")),
        ("oci:dir:reg.test:5000/x:1@sha256:ab", ("oci", "dir", "reg.test:5000/x:1@sha256:ab")),
        ("oci-archive:/a.tar:1", ("oci-archive", "/a.tar", "1")),
        ("bundle:dir", ("bundle", "dir", "")),
        ("docker:1", ("", "", "docker:1")),
        ("oci", ("", "", "oci")),
        ("docker-daemon", ("", "", "docker-daemon")),
    ],
)
def test_names_with_transports(text: str, expected: tuple[str, str, str]) -> None:
    name = ImageName.parse(text)
    assert (name.transport, name.location, name.image) == expected


@pytest.mark.parametrize(
    "text", ["", "docker://", "docker-daemon:", "oci:", "oci::x", "docker-archive:", "bundle:"]
)
def test_names_of_nothing(text: str) -> None:
    with pytest.raises(InvalidReference):
        ImageName.parse(text)


class OutOfReach(MemorySource):
    """Answers nothing."""

    def __init__(self, error: AirbundleError) -> None:
        super().__init__("registry")
        self.error = error

    def resolve(self, name: str, platforms: PlatformChoice = EVERY_PLATFORM) -> tuple[FoundImage, ...]:
        raise self.error


class TestBareNames:
    """The local engine if it has the image, else the registry."""

    @pytest.fixture
    def sources(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, MemorySource | AirbundleError]:
        found: dict[str, MemorySource | AirbundleError] = {}

        def maker(kind: str) -> object:
            def make(self: SourceSet, path: Path) -> ImageSource:
                source = found[kind]
                if not isinstance(source, AirbundleError):
                    return source
                if kind == "docker-daemon":
                    raise source  # an engine is asked at once, a registry only for an image
                return OutOfReach(source)

            return make

        monkeypatch.setattr(SourceSet, "_makers", {kind: maker(kind) for kind in ("docker-daemon", "docker")})
        return found

    def test_both_have_it(self, sources: dict[str, MemorySource | AirbundleError]) -> None:
        engine, registry = MemorySource("docker"), MemorySource("registry")
        engine.make_engine_image([layer("a", 5)], "x/y:1")
        registry.make_image([layer("a", 5)], "x/y:1")
        sources.update({"docker-daemon": engine, "docker": registry})
        with SourceSet() as found:
            assert found.find("x/y:1")[0] is engine

    @pytest.mark.parametrize("engine", [MemorySource("docker"), Unreachable("no engine")], ids=["empty", "none"])
    def test_only_the_registry_has_it(
        self, sources: dict[str, MemorySource | AirbundleError], engine: MemorySource | AirbundleError
    ) -> None:
        registry = MemorySource("registry")
        registry.make_image([layer("a", 5)], "x/y:1")
        sources.update({"docker-daemon": engine, "docker": registry})
        with SourceSet() as found:
            assert found.find("x/y:1")[0] is registry

    @pytest.mark.parametrize(
        ("engine", "registry", "kind"),
        [
            (MemorySource("docker"), MemorySource("registry"), NotFound),
            (MemorySource("docker"), Unreachable("no network"), NotFound),
            (Unreachable("no engine"), MemorySource("registry"), NotFound),
            (Unreachable("no engine"), Unreachable("no network"), Unreachable),
        ],
        ids=["neither has it", "no registry", "no engine", "nobody answers"],
    )
    def test_nobody_has_it(
        self,
        sources: dict[str, MemorySource | AirbundleError],
        engine: MemorySource | AirbundleError,
        registry: MemorySource | AirbundleError,
        kind: type[AirbundleError],
    ) -> None:
        sources.update({"docker-daemon": engine, "docker": registry})
        with SourceSet() as found, pytest.raises(kind, match="the registry says"):
            found.find("x/y:1")

    def test_an_engine_that_fails_otherwise_is_not_passed_over(
        self, sources: dict[str, MemorySource | AirbundleError]
    ) -> None:
        sources.update({"docker-daemon": ConfigError("broken context"), "docker": MemorySource("registry")})
        with SourceSet() as found, pytest.raises(ConfigError):
            found.find("x/y:1")
