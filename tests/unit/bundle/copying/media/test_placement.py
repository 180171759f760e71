"""Parts go onto media whole, each once, what is shared first; and a rerun puts them where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bundler.bundle.copying.media.placement import Placement, further_media, place
from bundler.bundle.copying.media.room import Room, Volume
from bundler.bundle.copying.media.travel_order import needed_parts
from bundler.bundle.manifest import Part
from bundler.errors import NotFound
from tests.builders import KIB, SMALL, TwoApplications, layer, pack_images
from tests.fakes.memory import MemorySource

#: More than what is kept free on every medium, whatever the parts of these tests.
_RESERVE = 300 * KIB


def part(file: str, size: int) -> Part:
    return Part(file=file, size=size, sha256="0" * 64, xxh3_128="0" * 32, blocks=())


def room(
    name: str, free: int, *, device: int | None = None, cluster: int = 1, tables: int = 0, **held: int
) -> Room:
    number = device if device is not None else sum(map(ord, name))
    lying = {file.replace("_", "."): size for file, size in held.items()}
    return Room(Path(name), Volume(number, free, free, cluster), lying, tables)


def files(placement: Placement) -> list[list[str]]:
    return [[one.file for one in share.parts] for share in placement.shares]


@st.composite
def parts_and_rooms(draw: st.DrawFn, *, least_free: int = 0) -> tuple[list[Part], list[Room]]:
    sizes = draw(st.lists(st.integers(1, 100 * KIB), min_size=1, max_size=12))
    parts = [part(f"p{number}", size) for number, size in enumerate(sizes)]
    rooms: list[Room] = []
    for number in range(draw(st.integers(1, 4))):
        volume = Volume(
            device=draw(st.integers(0, number)),
            total=1 << 30,
            free=draw(st.integers(least_free, least_free + 500 * KIB)),
            cluster=draw(st.sampled_from([1, 512, 4096, 32768])),
        )
        # Directories on one device see the same file system.
        volume = next((one.volume for one in rooms if one.volume.device == volume.device), volume)
        held = draw(st.dictionaries(st.sampled_from([one.file for one in parts]), st.integers(1, 100 * KIB)))
        rooms.append(Room(Path(str(number)), volume, held, draw(st.integers(0, 10 * KIB))))
    return parts, rooms


class TestLaws:
    @given(parts_and_rooms())
    def test_each_part_is_placed_once_or_left_over(self, given: tuple[list[Part], list[Room]]) -> None:
        parts, rooms = given
        placement = place(parts, rooms)
        assert [share.room for share in placement.shares] == rooms
        placed = [one.file for share in placement.shares for one in share.parts]
        assert Counter(placed + [one.file for one in placement.left]) == Counter(one.file for one in parts)

    @given(parts_and_rooms())
    def test_what_is_placed_fits(self, given: tuple[list[Part], list[Room]]) -> None:
        parts, rooms = given
        placement = place(parts, rooms)
        needed: Counter[int] = Counter()
        for share in placement.shares:
            if any(map(share.room.rest_of, share.parts)):
                needed[share.room.volume.device] += share.needed
        free = {one.volume.device: one.volume.free for one in rooms}
        assert all(size <= free[device] for device, size in needed.items())

    @given(parts_and_rooms())
    def test_each_share_is_written_in_the_order_given(self, given: tuple[list[Part], list[Room]]) -> None:
        parts, rooms = given
        rank = {one.file: number for number, one in enumerate(parts)}
        for share in place(parts, rooms).shares:
            numbers = [rank[one.file] for one in share.parts]
            assert numbers == sorted(numbers)

    @given(parts_and_rooms())
    def test_the_same_again(self, given: tuple[list[Part], list[Room]]) -> None:
        assert place(*given) == place(*given)

    @given(parts_and_rooms())
    def test_whole_parts_stay_where_they_lie(self, given: tuple[list[Part], list[Room]]) -> None:
        parts, rooms = given
        placement = place(parts, rooms)
        for one in parts:
            held = [min(room.held.get(one.file, 0), one.size) for room in rooms]
            if max(held) == one.size:
                assert one in placement.shares[held.index(one.size)].parts

    @given(parts_and_rooms(least_free=500 * KIB), st.data())
    def test_a_rerun_places_the_same(self, given: tuple[list[Part], list[Room]], data: st.DataObject) -> None:
        """After any of the parts were written where they had been placed, one of them perhaps in part."""
        parts, rooms = given
        rooms = [Room(one.directory, one.volume, {}, 0) for one in rooms]
        before = place(parts, rooms)
        assume(not before.left)
        done = [
            data.draw(st.lists(st.sampled_from(s.parts), unique_by=id)) if s.parts else [] for s in before.shares
        ]
        held = [{one.file: one.size for one in some} for some in done]
        if any(some for some in done):
            number = next(number for number, some in enumerate(done) if some)
            held[number][done[number][-1].file] = data.draw(st.integers(1, done[number][-1].size))
        used: Counter[int] = Counter()
        for one, lying in zip(rooms, held, strict=True):
            used[one.volume.device] += sum(
                -(-size // one.volume.cluster) * one.volume.cluster for size in lying.values()
            )
        again = [
            Room(one.directory, replace(one.volume, free=one.volume.free - used[one.volume.device]), lying)
            for one, lying in zip(rooms, held, strict=True)
        ]
        assert files(place(parts, again)) == files(before)

    @given(parts_and_rooms(least_free=200 * KIB))
    def test_who_comes_first_has_the_choice(self, given: tuple[list[Part], list[Room]]) -> None:
        """No part lies behind a medium that had room for it when its turn came: so what is shared lies first."""
        parts, rooms = given
        rooms = [Room(one.directory, one.volume, {}, 0) for one in rooms]
        placement = place(parts, rooms)
        chosen = {one.file: number for number, share in enumerate(placement.shares) for one in share.parts}
        orders = [parts, sorted(parts, key=lambda one: -one.size)]
        assert any(_had_the_choice(order, rooms, chosen) for order in orders)


def _had_the_choice(order: Sequence[Part], rooms: Sequence[Room], chosen: dict[str, int]) -> bool:
    """Tell whether each part lies on the first medium where it fitted, were they placed in this order."""
    free = {one.volume.device: one.volume.free for one in rooms}
    reserve = (256 << 10) + sum(one.size for one in order) // 1024
    for one in order:
        fitting = [
            number for number, room in enumerate(rooms) if room.rest_of(one) + reserve <= free[room.volume.device]
        ]
        if chosen.get(one.file) != (fitting[0] if fitting else None):
            return False
        if fitting:
            free[rooms[fitting[0]].volume.device] -= rooms[fitting[0]].rest_of(one)
    return True


class TestPlace:
    def test_one_medium_with_room_gets_all(self) -> None:
        parts = [part("a", 1000), part("b", 2000)]
        placement = place(parts, [room("x", _RESERVE + 3000)])
        assert files(placement) == [["a", "b"]]
        assert placement.shares[0].size == placement.shares[0].needed == 3000

    def test_the_second_gets_what_the_first_cannot_take_and_gaps_are_filled(self) -> None:
        parts = [part("a", 400 * KIB), part("b", 400 * KIB), part("c", 10 * KIB)]
        placement = place(parts, [room("x", 420 * KIB + _RESERVE), room("y", 900 * KIB)])
        assert files(placement) == [["a", "c"], ["b"]]

    def test_largest_first_only_where_the_order_does_not_do(self) -> None:
        small, large = part("a", 100 * KIB), part("b", 400 * KIB)
        tight = [room("x", 450 * KIB + _RESERVE), room("y", 150 * KIB + _RESERVE)]
        assert files(place([small, large], tight)) == [["b"], ["a"]]
        wide = [room("x", 450 * KIB + _RESERVE), room("y", 450 * KIB + _RESERVE)]
        assert files(place([small, large], wide)) == [["a"], ["b"]]

    def test_what_fits_nowhere_is_left(self) -> None:
        placement = place([part("a", 100), part("b", 900 * KIB)], [room("x", _RESERVE + 1000)])
        assert files(placement) == [["a"]]
        assert [one.file for one in placement.left] == ["b"]

    def test_directories_on_one_device_share_its_room(self) -> None:
        parts = [part("a", 300 * KIB), part("b", 300 * KIB)]
        placement = place(parts, [room("x", 600 * KIB, device=1), room("y", 600 * KIB, device=1)])
        assert [one.file for one in placement.left] == ["b"]

    def test_every_file_takes_whole_clusters(self) -> None:
        free = 4 * 4096 + _RESERVE
        parts = [part(name, 4097) for name in "ab"]
        assert not place(parts, [room("x", free, cluster=4096)]).left
        more = [part(name, 4097) for name in "abcdefghijklmnop"]
        assert place(more, [room("x", free, cluster=4096)]).left
        assert not place(more, [room("x", 16 * 4097 + _RESERVE)]).left

    def test_there_is_room_for_the_tables(self) -> None:
        one = part("a", 100 * KIB)
        enough = 100 * KIB + _RESERVE
        assert not place([one], [room("x", enough)]).left
        assert place([one], [room("x", enough, tables=100 * KIB)]).left

    def test_a_full_medium_keeps_what_it_has(self) -> None:
        placement = place(
            [part("a", 900), part("b", 900)], [room("x", 0, tables=500, a=900), room("y", _RESERVE * 2)]
        )
        assert files(placement) == [["a"], ["b"]]

    def test_the_one_with_most_of_a_part_goes_on_with_it(self) -> None:
        placement = place([part("a", 900)], [room("x", _RESERVE * 2, a=10), room("y", _RESERVE * 2, a=500)])
        assert files(placement) == [[], ["a"]]
        assert placement.shares[1].needed == 400

    def test_an_unfinished_part_moves_where_its_medium_is_full_now(self) -> None:
        placement = place([part("a", 900 * KIB)], [room("x", 100, a=10), room("y", 900 * KIB + _RESERVE)])
        assert files(placement) == [[], ["a"]]

    def test_a_file_system_that_holds_no_such_file(self) -> None:
        fat = Room(Path("fat"), Volume(1, 1 << 40, 1 << 40, 4096, (4 << 30) - 1), {})
        parts = [part("a", 4 << 30), part("b", (4 << 30) - 1)]
        placement = place(parts, [fat, Room(Path("x"), Volume(2, 1 << 40, 1 << 40), {})])
        assert files(placement) == [["b"], ["a"]]


class TestFurtherMedia:
    def test_none_are_needed_when_nothing_is_left(self) -> None:
        assert further_media([], [room("x", 0)]) == 0

    def test_like_the_largest_without_our_parts(self) -> None:
        rooms = [room("x", 0, old=400 * KIB + _RESERVE), room("y", 50)]
        left = [part(name, 200 * KIB) for name in "abcde"]
        assert further_media(left, rooms) == 3
        assert further_media([part("a", 900 * KIB)], rooms) is None

    @given(parts_and_rooms())
    def test_so_many_are_enough(self, given: tuple[list[Part], list[Room]]) -> None:
        parts, rooms = given
        left = place(parts, rooms).left
        count = further_media(left, rooms)
        if not left or count is None:
            return
        free, largest = max(
            ((one.volume.free + sum(map(one.volume.taken, one.held.values())), one) for one in rooms),
            key=lambda pair: pair[0],
        )
        new = [
            Room(Path(f"new{n}"), replace(largest.volume, device=100 + n, free=free), {}, largest.tables)
            for n in range(count)
        ]
        assert not place(left, new).left


class TestOrder:
    @pytest.fixture
    def three(self, tmp_path: Path) -> list[tuple[str, Sequence[str]]]:
        source = MemorySource()
        base = layer("base", 90 * KIB)
        images = {
            "big": [source.make_image([base, layer("big", 200 * KIB)], "x/big:1")],
            "middle": [source.make_image([base, layer("middle", 100 * KIB)], "x/middle:1")],
            "alone": [source.make_image([layer("alone", 150 * KIB)], "x/alone:1")],
        }
        self.manifest = pack_images(tmp_path / "bundle", source, images, SMALL)
        return []

    def _archives(self, *names: str) -> list[str]:
        return list(dict.fromkeys(one.file.split(".oci.tar")[0] for one in needed_parts(self.manifest, names)))

    @pytest.mark.usefixtures("three")
    def test_shared_first_then_the_smallest_application(self) -> None:
        assert self._archives() == ["shared", "middle", "alone", "big"]
        assert sorted(one.file for one in needed_parts(self.manifest)) == sorted(
            one.file for one in self.manifest.parts
        )

    @pytest.mark.usefixtures("three")
    def test_only_what_is_needed(self) -> None:
        assert self._archives("big") == ["shared", "big"]
        assert self._archives("alone") == ["alone"]
        assert self._archives("big", "alone", "big") == ["shared", "alone", "big"]

    def test_no_such_application(self, tmp_path: Path) -> None:
        manifest = TwoApplications().pack(tmp_path)
        with pytest.raises(NotFound, match="no application 'Shop'"):
            needed_parts(manifest, ["Shop"])
