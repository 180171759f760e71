"""A second reader of bundles, written from docs/format.md alone: standard library only, nothing of `bundler`.

    python second_reader.py (verify BUNDLE | extract BUNDLE DIRECTORY)

Left out are xxh3 (sha256 covers the same bytes) and DiffIDs of zstd layers. Parts and blobs are read whole.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

MORE, MIB, V1 = "referrers", 1 << 20, "application/vnd.airbundle.manifest.v1+json"
REF_NAME, PART = "org.opencontainers.image.ref.name", r"[a-z0-9][a-z0-9._-]*\.oci\.tar(\.[0-9]{3,9})?"
KNOWN = r"|application/vnd\.(oci\.image\.(manifest|index)\.v1|docker\.distribution\.manifest\.(list\.)?v2)\+json"
DEVICE = r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|shared|.*\.oci\.tar.*|.*\."
APPLICATION, DIGEST = rf"(?!({DEVICE})$)[a-z0-9][a-z0-9._-]{{0,59}}", r"sha256:[0-9a-f]{64}"
REFERENCE = rf"(?a)[\w.\[\]:-]+(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:\w[\w.-]{{0,127}})?(@{DIGEST})?"
#: What is wrong: the number of the check (section 7), the file or digest, and a few words.
Finding = tuple[int, str, str]


class NotReadable(Exception):
    """There is no whole bundle of this version, both tables are damaged, or a blob lies in a bad part."""


def demand(condition: bool, what: str) -> None:
    """Refuse input."""
    if not condition:
        raise ValueError(what)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice in one object."""
    demand(len(dict(pairs)) == len(pairs), "a key stands twice")
    return dict(pairs)


def _roots(image: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the descriptors of an image and of its referrers."""
    return [image["descriptor"], *(row["descriptor"] for row in image.get(MORE, ()))]


def judge(table: dict[str, Any]) -> None:
    """Refuse a table that contradicts itself (section 5)."""
    sizes, ends = {blob["digest"]: blob["size"] for blob in table["blobs"]}, dict[str, int]()
    demand(64 << 10 <= table["block_bytes"] <= 64 * MIB, "size of blocks")
    for archive in table["archives"]:
        parts, name, ends[archive["name"]] = archive["parts"], archive["name"] + ".oci.tar", archive["size"]
        numbered = [f"{name}.{number + 1:0{max(3, len(str(len(parts))))}}" for number in range(len(parts))]
        demand([part["file"] for part in parts] == (numbered if len(parts) > 1 else [name]), "names of parts")
        demand(archive["size"] == sum(part["size"] for part in parts), "size of an archive")
        blocks = [-(-part["size"] // table["block_bytes"]) for part in parts]
        demand(blocks == [len(part["blocks"]) or -1 for part in parts], "number of blocks")
    names = [application["name"] for application in table["applications"]]
    demand(sorted({*ends} - {"shared"}) == sorted(names), "set of archives")
    demand(len(ends) == len(table["archives"]) and len(sizes) == len(table["blobs"]), "listed twice")
    demand(all(re.fullmatch(APPLICATION, name) for name in names), "name of an application")
    demand(all(re.fullmatch(DIGEST, digest) for digest in sizes), "digest of a blob")
    free = dict.fromkeys(ends, 0)
    for blob in sorted(table["blobs"], key=lambda blob: (blob["offset"], blob["size"])):
        demand(free[blob["archive"]] <= blob["offset"] and blob["size"] >= 0, "a blob over another one")
        free[blob["archive"]] = blob["offset"] + blob["size"]
    demand(all(free[name] <= end for name, end in ends.items()), "a blob outside of its archive")
    for application in table["applications"]:
        names = [image["reference"] for image in application["images"]]
        demand(len({*names}) == len(names) and all(re.fullmatch(REFERENCE, name) for name in names), "image names")
        for image in application["images"]:
            root, blobs = image["descriptor"], {*image["blobs"]}
            demand(root["digest"] in blobs <= sizes.keys() and root["size"] == sizes[root["digest"]], "image")
            demand(len(image.get("platforms", ())) == len(image.get("image_ids", ())), "platforms")
            rows = {
                (row["descriptor"]["digest"], row["subject"], row.get("tag", "")) for row in image.get(MORE, ())
            }
            demand(len(rows) == len(image.get(MORE, ())), "a referrer twice")
            for digest, subject, tag in rows:
                demand({digest, subject} <= blobs and digest != subject, "a referrer without a subject")
                name = re.escape(subject.replace(":", "-"))
                demand(not tag or bool(re.fullmatch(rf"{name}\.(sig|att|sbom)", tag)), "a tag of another")
            demand(all(one["size"] == sizes[one["digest"]] for one in _roots(image)[1:]), "size of a referrer")


class Bundle:
    """A bundle whose table could be read; what is wrong as far as it was looked at is in ``findings``."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.findings = directory, list[Finding]()
        sums = self._small("SHA256SUMS") or b""
        self.raw, self.table = self._choose(re.findall(rb"(?m)^([0-9a-f]{64})  bundle\.json$", sums))
        self.archives = {archive["name"]: archive["parts"] for archive in self.table["archives"]}
        self.parts = {part["file"]: part for parts in self.archives.values() for part in parts}
        self.blobs = {blob["digest"]: blob for blob in self.table["blobs"]}
        self.images = [image for application in self.table["applications"] for image in application["images"]]
        right = {name: part["sha256"] for name, part in self.parts.items()}
        right["bundle.json"] = sha256(self.raw).hexdigest()
        if sums != "".join(f"{right[name]}  {name}\n" for name in sorted(right)).encode():
            self.findings.append((3, "SHA256SUMS", "is not what bundle.json says"))

    def _small(self, name: str) -> bytes | None:
        path = self.directory / name
        if not path.is_file() or path.is_symlink() or path.stat().st_size > 256 * MIB:
            return b"" if path.is_symlink() or path.exists() else None
        return path.read_bytes()

    def _choose(self, listed: list[bytes]) -> tuple[bytes, dict[str, Any]]:
        """Read the two tables; the one that most files speak for counts (section 5; it knows no parity)."""
        raws, good = {name: self._small(name) for name in ("bundle.json", "bundle.json.bak")}, dict[str, Any]()
        unfinished = raws["bundle.json"] is None and (self.directory / "bundle.json.partial").exists()
        why = "not finished" if unfinished else "no table that can be read"
        for name, raw in raws.items():
            try:
                table = json.loads((raw or b"").decode(), object_pairs_hook=unique)
                demand(table["mediaType"] == V1, f"of type {table['mediaType']}")
                judge(table)
                good[name] = table
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                why += f"; {name}: {error}"
        told = [sha256(raws[name] or b"").hexdigest().encode() for name in good] + listed[:1]
        chosen = next((name for name, one in zip(good, told) if 2 * told.count(one) > len(told)), None)  # noqa: B905
        if unfinished or chosen is None:
            raise NotReadable(why)
        self.findings += [(1, name, f"is not {chosen}") for name in raws if raws[name] != raws[chosen]]
        return raws[chosen] or b"", good[chosen]

    def read(self, digest: str) -> bytes:
        """Return a blob; ``NotReadable`` if it lies in a part that is missing or bad."""
        blob, start, data, bad = self.blobs[digest], 0, b"", {finding[1] for finding in self.findings}
        for part in self.archives[blob["archive"]]:
            first, last = max(blob["offset"] - start, 0), min(blob["offset"] + blob["size"] - start, part["size"])
            start += part["size"]
            if first < last and part["file"] in bad:
                raise NotReadable(part["file"])
            data += (self.directory / part["file"]).read_bytes()[first:last] if first < last else b""
        return data

    def verify(self) -> list[Finding]:
        """Run the checks 1 and 3 to 8; go on behind whatever is found."""
        for name in sorted(path.name for path in self.directory.iterdir()):
            if re.fullmatch(PART, name.lower()) and not name.startswith("._") and name not in self.parts:
                self.findings.append((3, name, "a stranger"))
        for name, part in self.parts.items():
            path = self.directory / name
            if path.is_symlink() or not path.is_file():
                self.findings.append((3, name, "missing, or not a regular file"))
            elif path.stat().st_size != part["size"]:
                self.findings.append((4, name, "another size"))
            elif sha256(path.read_bytes()).hexdigest() != part["sha256"]:
                self.findings.append((5, name, "another sha256"))
        rows = [(6, image["reference"], image) for image in self.images]
        for check, subject, row in rows + [(c, b["digest"], b) for b in self.table["blobs"] for c in (7, 8)]:
            try:
                demand(self._is_right(check, row), "not what bundle.json says")
            except NotReadable:
                pass  # the part has a finding of its own
            except (ValueError, LookupError, TypeError, AttributeError, OSError, EOFError, zlib.error) as error:
                self.findings.append((check, subject, str(error)))
        return self.findings

    def _is_right(self, check: int, row: dict[str, Any]) -> bool:
        if check == 6:
            return {*self.closure(row)} == {*row["blobs"]} and all(map(self._refers, row.get(MORE, ())))
        data = self.read(row["digest"])
        if check == 7 or "diff_id" not in row or row["mediaType"].endswith("zstd"):
            return check == 8 or f"sha256:{sha256(data).hexdigest()}" == row["digest"]
        data = gzip.decompress(data) if row["mediaType"].endswith("gzip") else data
        return [f"sha256:{sha256(data).hexdigest()}", len(data)] == [row["diff_id"], row["uncompressed_size"]]

    def _refers(self, row: dict[str, Any]) -> bool:
        """Tell whether a referrer without a tag names its subject (section 5)."""
        document = json.loads(self.read(row["descriptor"]["digest"]))
        return "tag" in row or bool((document.get("subject") or {}).get("digest") == row["subject"])

    def closure(self, image: dict[str, Any]) -> list[str]:
        """Return the digests of what an image and its referrers are made of, in order (section 5)."""
        return list(dict.fromkeys(digest for root in _roots(image) for digest in self._below(image, root)))

    def _below(self, image: dict[str, Any], root: dict[str, Any]) -> list[str]:
        found, opaque, listed, stack = dict[str, None](), dict[str, None](), set[str](), [root]
        while stack:
            if (digest := stack.pop()["digest"]) in found:
                continue
            document, found[digest] = json.loads(self.read(digest).decode(), object_pairs_hook=unique), None
            if "manifests" in document:
                listed |= {child["digest"] for child in document["manifests"] or ()}
                there = [child for child in document["manifests"] or () if child["digest"] in image["blobs"]]
                known = [child for child in there if re.fullmatch(KNOWN, child.get("mediaType", ""))]
                opaque |= {child["digest"]: None for child in there if child not in known}
                stack += reversed(known)
                continue
            for child in (document["config"], *(document.get("layers") or ())):
                if not (re.search("foreign|nondistributable", child["mediaType"]) and child.get("urls")):
                    found[child["digest"]] = None
        is_right = image.get("left_out") in (None, sorted(listed - {*image["blobs"]}))
        demand(root != image["descriptor"] or is_right, "what was left out")
        return [*(found | opaque)]

    def extract(self, target: Path) -> None:
        """Write an OCI image layout of all images of a bundle in which nothing was found wrong."""
        (target / "blobs/sha256").mkdir(parents=True)
        for digest in {digest for image in self.images for digest in image["blobs"]}:
            (target / "blobs" / digest.replace(":", "/")).write_bytes(self.read(digest))
        entries = [{**image["descriptor"], "annotations": {REF_NAME: image["reference"]}} for image in self.images]
        (target / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
        (target / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def main(command: str, bundle: str, *target: str) -> int:
    """Do what the command line says; return 0 if the bundle is right, else 1."""
    opened = Bundle(Path(bundle))
    print(*opened.verify(), sep="\n")
    if command == "extract" and not opened.findings:
        opened.extract(Path(*target))
    return 1 if opened.findings else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
