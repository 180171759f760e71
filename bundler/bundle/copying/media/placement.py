"""Which part goes onto which medium. Pure: what lies where, and how much room there is, it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bundler.bundle.copying.media.room import Room
from bundler.bundle.manifest import Part

#: Directories grow, and a file's blocks have to be listed somewhere: so much of a medium is not promised to parts,
#: besides this share of the parts' own bytes, which block maps of older file systems take.
_RESERVE_BYTES = 256 << 10
_RESERVE_SHARE = 1024


@dataclass(frozen=True)
class Share:
    """What goes into one directory: its parts in the order in which they are written."""

    room: Room
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of the parts, also of those that lie there already."""
        return sum(part.size for part in self.parts)

    @property
    def needed(self) -> int:
        """Bytes that the volume still has to give."""
        return sum(map(self.room.rest_of, self.parts)) + (self.room.tables if self.parts else 0)


@dataclass(frozen=True)
class Placement:
    """One share for each room, in the order of the rooms, and the parts that fit into none."""

    shares: tuple[Share, ...]
    left: tuple[Part, ...]


def place(parts: Sequence[Part], rooms: Sequence[Room]) -> Placement:
    """Give each part a room, whole, or leave it over.

    Parts that lie somewhere stay there. The others go, in the order given, into the first room where they fit; if
    that leaves some over, and the largest first does not, then so. The same arguments give the same placement,
    and so does a later call after some of the parts were written where they had been placed.
    """
    orders = [list(parts), sorted(parts, key=lambda part: -part.size)]
    # Whether the first order does is judged as if nothing were there yet, so that a rerun judges alike.
    if _fill(orders[0], rooms, as_if_empty=True).left and not _fill(orders[1], rooms, as_if_empty=True).left:
        orders.reverse()
    placements = [_fill(order, rooms) for order in orders]
    best = min(placements, key=lambda placement: bool(placement.left))
    rank = {part.file: number for number, part in enumerate(parts)}
    return Placement(
        tuple(Share(share.room, _sorted(share.parts, rank)) for share in best.shares), _sorted(best.left, rank)
    )


def further_media(left: Sequence[Part], rooms: Sequence[Room]) -> int | None:
    """Return how many more media take what is left over, each like the largest of the rooms without our parts.

    ``None`` if a part is too large for such a medium.
    """
    largest = max(rooms, key=_capacity)
    capacity = _capacity(largest) - largest.tables - _reserve(left)
    count, free = 0, 0
    empty = Room(largest.directory, largest.volume, {})
    for part in left:
        needed = empty.rest_of(part)
        if needed > capacity or not empty.may_hold(part):
            return None
        if needed > free:
            count, free = count + 1, capacity
        free -= needed
    return count


def _fill(parts: Sequence[Part], rooms: Sequence[Room], *, as_if_empty: bool = False) -> Placement:
    if as_if_empty:
        rooms = [_emptied(room, parts, rooms) for room in rooms]
    filling = _Filling(rooms)
    pinned = _where_they_lie(parts, rooms)
    for part in parts:
        if part.file in pinned:
            # The reserve was kept when this part was placed; by now the file system may have used it.
            filling.put(part, pinned[part.file], reserve=0)
    reserve = _reserve(parts)
    for part in parts:
        if part.file not in filling.placed:
            any(filling.put(part, number, reserve) for number in range(len(rooms)))
    return filling.placement(parts)


class _Filling:
    """Rooms that become full."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self._rooms = rooms
        self._free = {room.volume.device: room.volume.free for room in rooms}
        self._opened: set[int] = set()
        self.placed: dict[str, int] = {}

    def put(self, part: Part, number: int, reserve: int) -> bool:
        """Put a part into a room if it fits there and leaves so much free."""
        room = self._rooms[number]
        needed = room.rest_of(part)
        tables = 0 if number in self._opened else room.tables
        if needed and (not room.may_hold(part) or needed + tables + reserve > self._free[room.volume.device]):
            return False
        self._free[room.volume.device] -= needed + tables
        self._opened.add(number)
        self.placed[part.file] = number
        return True

    def placement(self, parts: Iterable[Part]) -> Placement:
        """Return what became of the parts."""
        shares: list[list[Part]] = [[] for _ in self._rooms]
        left: list[Part] = []
        for part in parts:
            (shares[self.placed[part.file]] if part.file in self.placed else left).append(part)
        return Placement(tuple(map(Share, self._rooms, map(tuple, shares))), tuple(left))


def _where_they_lie(parts: Iterable[Part], rooms: Sequence[Room]) -> dict[str, int]:
    """Return the number of the room that has most of a part, for each that lies anywhere."""
    found = {}
    for part in parts:
        held = [min(room.held.get(part.file, 0), part.size) for room in rooms]
        if most := max(held, default=0):
            found[part.file] = held.index(most)
    return found


def _emptied(room: Room, parts: Iterable[Part], rooms: Iterable[Room]) -> Room:
    """Return a room as it would be if none of the parts lay on its device."""
    names = {part.file for part in parts}
    beside = [one for one in rooms if one.volume.device == room.volume.device]
    gained = sum(one.volume.taken(size) for one in beside for file, size in one.held.items() if file in names)
    return Room(room.directory, replace(room.volume, free=room.volume.free + gained), {}, room.tables)


def _capacity(room: Room) -> int:
    return room.volume.free + sum(map(room.volume.taken, room.held.values()))


def _reserve(parts: Iterable[Part]) -> int:
    return _RESERVE_BYTES + sum(part.size for part in parts) // _RESERVE_SHARE


def _sorted(parts: Iterable[Part], rank: Mapping[str, int]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: rank[part.file]))
