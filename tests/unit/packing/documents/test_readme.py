"""README.txt: what stands in it holds, and every command joins the right files in the right order.

The commands for sh run on real software in tests/e2e/test_readers.py. Those for PowerShell are checked for their
form only: nothing here can run them.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest
from bundler.packing.documents.readme import make_readme
from bundler.packing.planning.options import PackOptions
from tests.builders import ERP, KIB, SHOP, SHOP_TOOLS, SMALL, TwoApplications, joined, layer, pack_images
from tests.fakes.memory import MemorySource
from tests.readme_text import AIRBUNDLE, CHECK, POWERSHELL, SH, commands_in, lines_of
from tests.requirements import require, why_no_program


def text_of(directory: Path) -> str:
    return (directory / "README.txt").read_text()


def test_it_names_the_bundle_and_every_image(tmp_path: Path) -> None:
    manifest = TwoApplications().pack(tmp_path, replace(SMALL, name="plant7", version="2026.11.1"))
    text = text_of(tmp_path)
    assert text.startswith(f"Bundle plant7 2026.11.1\nid {manifest.id}\n")
    assert all(name in text for name in (ERP, SHOP, SHOP_TOOLS))
    assert lines_of(text, AIRBUNDLE, "") == ["airbundle load .", "airbundle push . registry.example:5000"]
    assert text == make_readme(manifest)


def test_a_person_can_read_it(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path, replace(SMALL, part_bytes=0))
    lines = text_of(tmp_path).splitlines()
    assert len(lines) <= 80
    assert max(len(line) for line in lines if not line.startswith("    ")) <= 110
    assert max(map(len, lines)) < 200
    assert all(line.isascii() and line == line.rstrip() for line in lines)


@pytest.mark.parametrize("part_bytes", [0, 64 * KIB, 128 * KIB], ids=["not cut", "many", "few"])
def test_the_commands_that_join_give_one_archive(tmp_path: Path, part_bytes: int) -> None:
    bundle, work = tmp_path / "bundle", tmp_path / "work"
    work.mkdir()
    TwoApplications().pack(bundle, replace(SMALL, part_bytes=part_bytes))
    # What lies beside the parts, as after a copy that was broken off, belongs to none of them.
    for stray in ("shared.oci.tar.099", "shop.oci.tar.001.partial", "shop.oci.tar.old"):
        (bundle / stray).write_text("no part")
    for application in ("erp", "shop"):
        expected = joined(bundle, "shared").removesuffix(b"no part") + joined_parts(bundle, application)
        lines = lines_of(text_of(bundle), SH, application)
        piped = [line.partition(" | ")[0] for line in lines if line.startswith("cat ") and " | " in line]
        assert len(piped) == 3
        for line in piped:
            assert run(line, bundle, work) == expected
        (to_file,) = (line for line in lines if " > " in line)
        run(to_file, bundle, work)
        assert (work / f"{application}.tar").read_bytes() == expected
        run(lines[-1], bundle, work)
        assert list(work.iterdir()) == []


def joined_parts(bundle: Path, archive: str) -> bytes:
    files = sorted(
        path for path in bundle.iterdir() if re.fullmatch(rf"{archive}\.oci\.tar(\.\d{{3}})?", path.name)
    )
    return b"".join(path.read_bytes() for path in files)


def run(line: str, bundle: Path, work: Path) -> bytes:
    command = ["sh", "-ec", f"WORK={work}\n{line}"]
    return subprocess.run(command, cwd=bundle, check=True, capture_output=True).stdout


def test_a_part_that_is_not_there_is_no_success(tmp_path: Path) -> None:
    manifest = TwoApplications().pack(tmp_path)
    (tmp_path / manifest.archive_by_name["shop"].parts[1].file).unlink()
    lines = [line for line in lines_of(text_of(tmp_path), SH, "shop") if " > " in line]
    with pytest.raises(subprocess.CalledProcessError):
        run(lines[0], tmp_path, tmp_path)


def test_sha256sum_agrees(tmp_path: Path) -> None:
    require(why_no_program("sha256sum"))
    manifest = TwoApplications().pack(tmp_path)
    (line,) = lines_of(text_of(tmp_path), CHECK, "sh")
    out = subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert out.stdout.splitlines() == sorted(
        f"{name}: OK" for name in ("bundle.json", *(part.file for part in manifest.parts))
    )


# ---- PowerShell --------------------------------------------------------------------------------


@pytest.mark.parametrize("part_bytes", [0, 64 * KIB], ids=["not cut", "cut"])
def test_powershell_joins_the_parts_by_name_and_in_order(tmp_path: Path, part_bytes: int) -> None:
    manifest = TwoApplications().pack(tmp_path, replace(SMALL, part_bytes=part_bytes))
    (first,) = lines_of(text_of(tmp_path), POWERSHELL, setting(text_of(tmp_path)))
    assert first == "$Work = $env:TEMP"
    for application in ("erp", "shop"):
        target = f'"$Work\\{application}.tar"'
        copy, *rest = lines_of(text_of(tmp_path), POWERSHELL, application)
        assert copied(copy, target) == files_of(manifest, "shared", application)
        loads = [f"docker load -i {target}    # Docker 23 or newer", f"podman load -i {target}"]
        assert rest == [*loads, f"Remove-Item {target}"]


def test_powershell_joins_a_thousand_parts_in_lines_that_windows_takes(tmp_path: Path) -> None:
    source = MemorySource()
    image = source.make_image([layer("large", 64 * KIB * 300)], "x/one:1")
    manifest = pack_images(tmp_path, source, {"web": [image]})
    *copies, _, _, _ = lines_of(text_of(tmp_path), POWERSHELL, "web")
    target = '"$Work\\web.tar"'
    assert len(copies) > 1
    assert max(map(len, copies)) < 2000
    names = copied(copies[0], target)
    for copy in copies[1:]:
        # Copied onto the first of what is joined, Windows appends to it.
        first, *more = copied(copy, target)
        assert first == target
        names += more
    assert names == files_of(manifest, "web")


def test_powershell_compares_every_sum(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path)
    (line,) = lines_of(text_of(tmp_path), CHECK, "PowerShell")
    assert line.startswith("Get-Content SHA256SUMS | ForEach-Object {")
    assert "(Get-FileHash $file).Hash -eq $sum" in line
    assert line.count("{") == line.count("}") == 3


def setting(text: str) -> str:
    (heading,) = (one.heading for one in commands_in(text) if one.line.startswith("$Work = "))
    return heading


def copied(line: str, target: str) -> list[str]:
    match = re.fullmatch(r"cmd /c copy /b /y (\S+) (\S+)", line)
    assert match, line
    assert match[2] == target
    return match[1].split("+")


def files_of(manifest: BundleManifest, *archives: str) -> list[str]:
    return [part.file for name in archives for part in manifest.archive_by_name[name].parts]


# ---- promises -----------------------------------------------------------------------------------


def test_nothing_is_said_that_does_not_hold(tmp_path: Path) -> None:
    source = MemorySource()
    options = PackOptions(workers=1)
    pack_images(tmp_path, source, {"web": [source.make_image([layer("a", 100)], "x/one:1")]}, options)
    text = text_of(tmp_path)
    # One part: it is read where it lies, and nothing is joined or removed.
    assert lines_of(text, SH, "web") == [
        "docker load -i web.oci.tar",
        "podman load -i web.oci.tar",
        "ctr -n k8s.io image import web.oci.tar",
        'skopeo --tmpdir "$WORK" copy --all --preserve-digests '
        '"oci-archive:web.oci.tar:docker.io/x/one:1" "docker://$REGISTRY/x/one:1"',
    ]
    assert lines_of(text, POWERSHELL, "web") == ["docker load -i web.oci.tar", "podman load -i web.oci.tar"]
    assert "$Work = " not in text
    assert "Every digest with podman: web." in text
    for word in ("shared", "zstd", "platforms", "without a tag", "no container images", "several"):
        assert word not in text


def test_an_application_that_uses_nothing_shared_is_joined_without_it(tmp_path: Path) -> None:
    source = MemorySource()
    both = source.make_image([layer("both", 300)], "x/both:1")
    images = {"a": [both], "b": [both], "c": [source.make_image([layer("c", 300)], "x/c:1")]}
    pack_images(tmp_path, source, images)
    assert lines_of(text_of(tmp_path), SH, "b")[0] == "cat shared.oci.tar b.oci.tar | docker load"
    assert lines_of(text_of(tmp_path), SH, "c")[0] == "docker load -i c.oci.tar"


def test_what_is_no_container_image_is_not_loaded_but_pushed(tmp_path: Path) -> None:
    source = MemorySource()
    artifact = source.make_artifact(b"signature", "x/signature:1")
    pack_images(tmp_path, source, {"web": [artifact]})
    lines = lines_of(text_of(tmp_path), SH, "web")
    assert [line.split()[0] for line in lines] == ["ctr", "skopeo"]
    assert "--no-unpack" in lines[0]
    assert "- docker.io/x/signature:1" in text_of(tmp_path)
    assert not [one for one in commands_in(text_of(tmp_path)) if one.section == POWERSHELL]


def test_an_image_without_a_tag_is_pushed_by_its_digest(tmp_path: Path) -> None:
    source = MemorySource()
    content = source.make_image([layer("a", 100)], "x/one:1", compression="zstd").tree.root.digest
    name = f"docker.io/x/one@{content}"
    pack_images(tmp_path, source, {"web": [source.make_image([layer("a", 100)], name, compression="zstd")]})
    lines = lines_of(text_of(tmp_path), SH, "web")
    assert lines[-1].endswith(f'"oci-archive:web.oci.tar:{name}" "docker://$REGISTRY/x/one@{content}"')
    # And there is no name under which it could be converted for an old engine.
    assert not any("docker-archive:" in line for line in lines)
    assert "without a tag" in text_of(tmp_path)


def test_of_an_index_podman_keeps_one_platform(tmp_path: Path) -> None:
    source = MemorySource()
    images = [
        source.make_image([layer(name, 100)], f"x/{name}:1", platform=f"linux/{name}")
        for name in ("amd64", "arm64")
    ]
    pack_images(tmp_path, source, {"web": [source.make_index(images, "x/index:1")]})
    assert "Every digest with podman" not in text_of(tmp_path)
    assert "several images or platforms: web." in text_of(tmp_path)
