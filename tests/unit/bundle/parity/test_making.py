"""Parity that is made is that of the code, whatever the shape; it goes on where it was cut, and is checked."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest, Part
from bundler.bundle.parity import strips
from bundler.bundle.parity.encoding import ParityEncoder
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.proven_bytes import PartBytes
from bundler.bundle.parity.search import read_parity
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.coding.codec import Codec
from bundler.coding.integers import Integers
from bundler.content.file_lock import FileLock
from bundler.content.hashing import sha256
from bundler.errors import DamagedBundle, IncompleteBundle, MendableBundle, OutputExists, UsageError
from bundler.packing.planning.options import PackOptions
from tests.builders import KIB, TwoApplications, contents_of, flip, layer, no_thread_is_left, pack_images
from tests.fakes.memory import MemorySource

TENTH = ParityWish(redundancy=Fraction(1, 10))
BLOCK = 64 * KIB
#: Parts with a multiple of the block's bytes, with another number of them, one part only.
PARTS = {"even": 128 * KIB, "odd": 100_000, "tiny": 64 * KIB, "whole": 0}


def pack(directory: Path, part_bytes: int = 100_000) -> BundleManifest:
    return TwoApplications().pack(directory, PackOptions(part_bytes=part_bytes, block_bytes=BLOCK, workers=1))


def pack_large(directory: Path, part_bytes: int = 256 * KIB) -> BundleManifest:
    """Pack more blocks, so that there are several stripes."""
    source = MemorySource()
    image = source.make_image([layer("large", 1200 * KIB)], "x.test/large:1")
    options = PackOptions(part_bytes=part_bytes, block_bytes=BLOCK, workers=1)
    return pack_images(directory, source, {"large": [image]}, options)


def make(directory: Path, wish: ParityWish = TENTH, *, restart: bool = False) -> ParityTable:
    with no_thread_is_left():
        return make_parity(open_bundle(directory), wish, restart=restart).table


def slow_parity(directory: Path, manifest: BundleManifest, geometry: Geometry) -> bytes:
    """Return all parity blocks as format.md says, from the joined bytes, stripe by stripe."""
    data = b"".join((directory / part.file).read_bytes() for part in manifest.parts)
    block, stripes = geometry.block_bytes, geometry.stripes
    data += bytes(geometry.k * stripes * block - len(data))
    codec = Codec(geometry.k, geometry.m, engine=Integers())
    rows: list[list[bytes]] = [[] for _ in range(geometry.m)]
    for stripe in range(stripes):
        sources = [data[(number * stripes + stripe) * block :][:block] for number in range(geometry.k)]
        parity = [bytearray(block) for _ in range(geometry.m)]
        codec.encode(sources, parity)
        for row, made in zip(rows, parity, strict=True):
            row.append(bytes(made))
    return b"".join(b"".join(row) for row in rows)


def joined(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.glob("parity.[0-9]*")))


#: Bytes that may be held: all parity at once, some stripes of it, columns of one stripe.
HELD = {"at once": 48 << 20, "strips": 900_000, "columns": 150_000}


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
@pytest.mark.parametrize("part_bytes", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("wish", [TENTH, ParityWish(Fraction(1)), ParityWish(survive_parts=1)])
def test_it_is_that_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, part_bytes: int, wish: ParityWish
) -> None:
    monkeypatch.setattr(strips, "HELD_BYTES", held)
    monkeypatch.setattr(strips, "_READ_BYTES", 2 * BLOCK)
    manifest = pack(tmp_path, part_bytes)
    before = contents_of(tmp_path)
    table = make(tmp_path, wish)
    assert joined(tmp_path) == slow_parity(tmp_path, manifest, table.geometry)
    names = {f"parity.{number:03d}" for number in range(1, len(table.files) + 1)} | {"parity.json"}
    assert set(contents_of(tmp_path)) == set(before) | names
    assert {name: data for name, data in contents_of(tmp_path).items() if name in before} == before
    for file in table.files:
        assert not part_bytes or file.size <= part_bytes
        assert sha256((tmp_path / file.file).read_bytes()).hex == file.sha256
    assert read_parity([tmp_path], manifest.id).table == table


class Reads:
    """Counts the bytes of parts that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        read = PartBytes.read

        def counting(source: PartBytes, part: Part, offset: int, buffer: memoryview) -> None:
            self.bytes += len(buffer)
            read(source, part, offset, buffer)

        monkeypatch.setattr(PartBytes, "read", counting)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with parity in two stripes, so that one may be right and the other one not."""
    pack(tmp_path / "bundle")
    make(tmp_path / "bundle", ParityWish(Fraction(1, 3)))
    return tmp_path / "bundle"


class TestThatIsThere:
    def test_is_checked_and_kept(self, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = {path.name: path.stat().st_ino for path in bundle.iterdir()}
        reads = Reads(monkeypatch)
        for wish in (ParityWish(), ParityWish(Fraction(1, 3))):
            outcome = make_parity(open_bundle(bundle), wish)
            assert (outcome.bytes_written, outcome.bytes_kept) == (0, outcome.table.geometry.parity_bytes)
        assert reads.bytes == 0, "parts are not read for that"
        assert {path.name: path.stat().st_ino for path in bundle.iterdir()} == before

    @pytest.mark.parametrize("how", ["flip", "missing", "short", "long", "unfinished"])
    def test_is_mended_from_the_data(self, bundle: Path, how: str) -> None:
        right = contents_of(bundle)
        path = bundle / "parity.001"
        if how == "flip":
            flip(path, 100)
        elif how == "missing":
            path.unlink()
        elif how == "short":
            path.write_bytes(path.read_bytes()[:-1])
        elif how == "long":
            path.write_bytes(path.read_bytes() + b"x")
        else:
            path.rename(bundle / "parity.001.partial")
        outcome = make_parity(open_bundle(bundle), ParityWish())
        assert contents_of(bundle) == right
        assert bool(outcome.bytes_written) == (how not in ("long", "unfinished"))

    def test_lost_its_table(self, bundle: Path) -> None:
        right = contents_of(bundle)
        for damage in (b"", right["parity.json"][:-1], None):
            if damage is None:
                (bundle / "parity.json").unlink()
            else:
                (bundle / "parity.json").write_bytes(damage)
            make(bundle, ParityWish(Fraction(1, 3)))
            assert contents_of(bundle) == right

    def test_of_another_layout_is_refused(self, bundle: Path, tmp_path: Path) -> None:
        before = contents_of(bundle)
        with pytest.raises(OutputExists, match=r"holds parity of \d blocks for each"):
            make(bundle, ParityWish(Fraction(1)))
        assert contents_of(bundle) == before
        table = make(bundle, ParityWish(Fraction(1)), restart=True)
        pack(tmp_path / "other")
        assert make(tmp_path / "other", ParityWish(Fraction(1))) == table
        assert contents_of(bundle) == contents_of(tmp_path / "other")

    def test_less_leaves_nothing_of_more(self, bundle: Path, tmp_path: Path) -> None:
        make(bundle, ParityWish(Fraction(1)), restart=True)
        make(bundle, ParityWish(Fraction(1, 3)), restart=True)
        assert verify_bundle(open_bundle(bundle)).ok
        (bundle / "parity.999").write_bytes(b"x")
        make(bundle, ParityWish())
        assert not (bundle / "parity.999").exists()

    def test_of_another_bundle_is_refused(self, bundle: Path, tmp_path: Path) -> None:
        pack(tmp_path / "other", 64 * KIB)
        for name in ("parity.json", "parity.001"):
            (tmp_path / "other" / name).write_bytes((bundle / name).read_bytes())
        before = contents_of(tmp_path / "other")
        with pytest.raises(OutputExists, match="another bundle"):
            make(tmp_path / "other")
        assert contents_of(tmp_path / "other") == before
        make(tmp_path / "other", restart=True)

    @pytest.mark.parametrize("what", ["link", "directory"])
    def test_no_file_is_in_its_place(self, tmp_path: Path, what: str) -> None:
        pack(tmp_path)
        other = tmp_path.parent / "other"
        other.write_bytes(b"x")
        if what == "link":
            (tmp_path / "parity.001.partial").symlink_to(other)
        else:
            (tmp_path / "parity.001").mkdir()
        for restart in (False, True):
            with pytest.raises(OutputExists, match="not a parity file"):
                make(tmp_path, restart=restart)
        assert other.read_bytes() == b"x"


class TestOfABundleThatIsNotIntact:
    def test_a_wrong_block(self, tmp_path: Path) -> None:
        pack(tmp_path)
        flip(tmp_path / "shop.oci.tar.001", 70_000)
        before = contents_of(tmp_path)
        with pytest.raises(
            DamagedBundle, match=r"shop\.oci\.tar\.001 is damaged in block 1, at byte 65536"
        ) as caught:
            make(tmp_path)
        assert caught.value.exit_status == 4
        assert contents_of(tmp_path) == before

    def test_a_missing_part(self, tmp_path: Path) -> None:
        pack(tmp_path)
        (tmp_path / "erp.oci.tar").unlink()
        before = contents_of(tmp_path)
        with pytest.raises(IncompleteBundle, match=r"erp\.oci\.tar is not there"):
            make(tmp_path)
        assert contents_of(tmp_path) == before

    def test_parity_that_is_there_is_not_given_up(self, bundle: Path) -> None:
        (bundle / "parity.001").rename(bundle / "kept")
        flip(bundle / "shop.oci.tar.001", 5)
        with pytest.raises(DamagedBundle):
            make(bundle, ParityWish())
        assert (bundle / "parity.json").exists()

    @pytest.mark.parametrize("file", ["bundle.json", "bundle.json.bak", "SHA256SUMS"])
    def test_a_damaged_table(self, tmp_path: Path, file: str) -> None:
        pack(tmp_path)
        flip(tmp_path / file, 5)
        with pytest.raises(MendableBundle, match=file):
            make(tmp_path)

    def test_an_unfinished_copy(self, tmp_path: Path) -> None:
        pack(tmp_path)
        (tmp_path / "bundle.json").rename(tmp_path / "bundle.json.partial")
        with pytest.raises(IncompleteBundle):
            make(tmp_path)


class TestAfterAnInterruption:
    """The encoder breaks off somewhere; the next run takes what is right, and only that."""

    def cut(self, directory: Path, monkeypatch: pytest.MonkeyPatch, strips_done: int) -> None:
        """Make parity in strips of one stripe, and break off after some of them."""
        calls = 0
        make_strip = ParityEncoder._make

        def breaking(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls > strips_done:
                raise KeyboardInterrupt
            return make_strip(*arguments)  # type: ignore[arg-type]

        with monkeypatch.context() as patch, no_thread_is_left():
            patch.setattr(ParityEncoder, "_make", breaking)
            with pytest.raises(KeyboardInterrupt):
                make_parity(open_bundle(directory), self.WISH)

    WISH = ParityWish(survive_parts=1)

    @pytest.fixture
    def right(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
        # A part has one block or two, so its parity has stripes enough.
        monkeypatch.setattr(strips, "HELD_BYTES", 8 * BLOCK)
        monkeypatch.setattr(strips, "_READ_BYTES", BLOCK)
        pack_large(tmp_path / "right")
        table = make(tmp_path / "right", self.WISH)
        assert table.geometry.stripes > 2
        return contents_of(tmp_path / "right")

    def test_it_goes_on(self, tmp_path: Path, right: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        stripes = json.loads(right["parity.json"])["stripes"]
        for done in range(1, stripes + 1):
            directory = tmp_path / str(done)
            pack_large(directory)
            if done < stripes:
                self.cut(directory, monkeypatch, done)
                assert not list(directory.glob("parity.[0-9][0-9][0-9]")), "no file has its final name"
                assert not (directory / "parity.json").exists()
            outcome = make_parity(open_bundle(directory), self.WISH)
            assert contents_of(directory) == right
            # The last strip that was made counts only if the one behind it was read.
            expected = (done - 1) % stripes if done < stripes else 0
            assert outcome.bytes_kept == expected * outcome.table.geometry.m * BLOCK

    def test_what_is_noted_and_not_there_is_made_again(
        self, tmp_path: Path, right: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for damage in range(3):
            directory = tmp_path / str(damage)
            pack_large(directory)
            self.cut(directory, monkeypatch, 3)
            path = next(iter(sorted(directory.glob("parity.0*.partial"))))
            if damage == 0:
                flip(path, 10)
            elif damage == 1:
                path.write_bytes(b"")
            else:
                path.unlink()
            assert make_parity(open_bundle(directory), self.WISH).bytes_kept < 2 * BLOCK
            assert contents_of(directory) == right

    def test_a_torn_journal(
        self, tmp_path: Path, right: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pack_large(tmp_path / "x")
        self.cut(tmp_path / "x", monkeypatch, 3)
        journal = (tmp_path / "x" / "parity-journal.partial").read_bytes()
        for length in range(0, len(journal), 23):
            directory = tmp_path / f"cut at {length}"
            pack_large(directory)
            for path in (tmp_path / "x").glob("parity*"):
                (directory / path.name).write_bytes(path.read_bytes())
            (directory / "parity-journal.partial").write_bytes(journal[:length] + b"{")
            make(directory, self.WISH)
            assert contents_of(directory) == right

    def test_another_wish_is_refused(
        self, tmp_path: Path, right: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pack_large(tmp_path / "x")
        self.cut(tmp_path / "x", monkeypatch, 2)
        with pytest.raises(OutputExists, match="holds parity"):
            make(tmp_path / "x", ParityWish(Fraction(1)))
        make(tmp_path / "x", ParityWish())
        assert contents_of(tmp_path / "x") == right

    def test_the_beginning_of_another_bundles_parity(
        self, tmp_path: Path, right: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("x", "y"):
            pack_large(tmp_path / name, 256 * KIB if name == "x" else 128 * KIB)
        self.cut(tmp_path / "x", monkeypatch, 2)
        for path in (tmp_path / "x").glob("parity*"):
            (tmp_path / "y" / path.name).write_bytes(path.read_bytes())
        with pytest.raises(OutputExists, match="another bundle"):
            make(tmp_path / "y", self.WISH)
        make(tmp_path / "y", self.WISH, restart=True)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    pack(tmp_path)
    lock = FileLock(tmp_path / "bundle.json", create=False)
    with pytest.raises(OutputExists, match="another run"):
        make(tmp_path)
    lock.release()
    make(tmp_path)


def test_blocks_that_the_code_does_not_take(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path, PackOptions(part_bytes=0, block_bytes=BLOCK + 4, workers=1))
    with pytest.raises(UsageError, match="no parity"):
        make(tmp_path)
