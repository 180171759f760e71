from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from bundler.coding.codec import Codec
from bundler.coding.combination import Block
from bundler.coding.engines import Engine
from bundler.coding.geometry import column_runs
from bundler.errors import DamagedContent, UsageError
from tests.unit.coding import slow


def _random_blocks(count: int, size: int) -> list[bytes]:
    source = random.Random(f"{count} of {size}")
    return [source.randbytes(size) for _ in range(count)]


def _parity(engine: Engine, data: list[bytes], m: int) -> list[bytearray]:
    parity = [bytearray(b"\xaa" * len(data[0])) for _ in range(m)]
    Codec(len(data), m, engine=engine).encode(data, parity)
    return parity


@pytest.mark.parametrize("size", [8 * (64 << 10), 8 * (64 << 10) + 8, 8 * 200_003])
def test_blocks_larger_than_a_piece(engine: Engine, size: int) -> None:
    data = _random_blocks(5, size)
    parity = _parity(engine, data, 3)
    height = size // 8
    for place in {0, 1, 32767, 32768, 65535, height // 2, height - 1}:
        expected = slow.parity([block[place::height] for block in data], 3)
        assert [bytes(block[place::height]) for block in parity] == expected


def test_parity_blocks_stay_when_more_are_made(engine: Engine) -> None:
    data = _random_blocks(7, 80)
    few, many = _parity(engine, data, 2), _parity(engine, data, 6)
    assert many[:2] == few
    further = {index: bytearray(80) for index in range(9, 13)}
    Codec(7, 6, engine=engine).reconstruct(dict(enumerate(data)), further)
    assert list(further.values()) == many[2:]


def test_every_pattern_of_lost_blocks(engine: Engine) -> None:
    data = _random_blocks(4, 24)
    blocks: list[Block] = [*data, *_parity(engine, data, 3)]
    codec = Codec(4, 3, engine=engine)
    for pattern in range(1 << 7):
        lost = [index for index in range(7) if pattern >> index & 1]
        present = {index: block for index, block in enumerate(blocks) if index not in lost}
        made = {index: bytearray(24) for index in lost}
        if len(lost) > 3:
            with pytest.raises(DamagedContent, match=f"{len(present)} blocks are left, 4 are needed"):
                codec.reconstruct(present, made)
            assert not any(map(any, made.values()))
        else:
            codec.reconstruct(present, made)
            assert made == {index: blocks[index] for index in lost}


def test_blocks_of_zeros_need_no_bytes(engine: Engine) -> None:
    data = [*_random_blocks(2, 64), bytes(64), bytes(64)]
    parity = _parity(engine, data, 2)
    codec = Codec(4, 2, engine=engine)
    short = [bytearray(64), bytearray(64)]
    codec.encode([data[0], data[1], None, None], short)
    assert short == parity
    made = {0: bytearray(64), 1: bytearray(64)}
    codec.reconstruct({2: None, 3: None, 4: parity[0], 5: parity[1]}, made)
    assert list(made.values()) == data[:2]
    codec.encode([None] * 4, short)
    assert short == [bytes(64)] * 2


def test_sources_one_after_the_other_in_any_order(engine: Engine) -> None:
    size = 8 * 70_001
    data = _random_blocks(6, size)
    blocks: list[Block] = [*data, *_parity(engine, data, 2)]
    combination = Codec(6, 2, engine=engine).combination([1, 2, 3, 4, 5, 7], [0, 6])
    made = {0: bytearray(b"\xff" * size), 6: bytearray(b"\xff" * size)}
    running = combination.start(made)
    for index in reversed(combination.sources):
        running.add(index, blocks[index])
    running.finish()
    assert made == {0: blocks[0], 6: blocks[6]}


def test_columns_are_blocks(engine: Engine) -> None:
    size = 8 * 1000
    data = _random_blocks(5, size)
    parity = _parity(engine, data, 3)
    mended = {0: bytearray(size), 3: bytearray(size)}
    codec = Codec(5, 3, engine=engine)
    for start, end in ((0, 300), (300, 301), (301, 1000)):
        runs = column_runs(size, start, end)

        def column(block: Block, runs: tuple[tuple[int, int], ...] = runs) -> bytes:
            return b"".join(block[offset : offset + length] for offset, length in runs)

        present: dict[int, Block] = {1: data[1], 2: data[2], 4: data[4], 5: parity[0], 7: parity[2]}
        made = {index: bytearray(8 * (end - start)) for index in mended}
        codec.reconstruct({index: column(block) for index, block in present.items()}, made)
        for index, block in made.items():
            for number, (offset, length) in enumerate(runs):
                mended[index][offset : offset + length] = block[number * length : (number + 1) * length]
    assert mended == {0: data[0], 3: data[3]}


def test_any_buffer_serves(engine: Engine) -> None:
    data = _random_blocks(3, 64)
    parity = _parity(engine, data, 2)
    # Views into larger buffers, at odd addresses: what a caller with one large buffer for all has.
    shelf = bytearray(1 + 5 * 64)
    views = [memoryview(shelf)[1 + n * 64 : 1 + (n + 1) * 64] for n in range(5)]
    for view, block in zip(views, data, strict=False):
        view[:] = block
    Codec(3, 2, engine=engine).encode([*views[:2], bytearray(data[2])], views[3:])
    assert shelf[1:] == b"".join([*data, *parity])


def test_threads_share_a_codec(engine: Engine) -> None:
    codec = Codec(10, 3, engine=engine)
    stripes = [_random_blocks(10, 8 * (1000 + n)) for n in range(8)]

    def parity(data: list[bytes]) -> list[bytearray]:
        made = [bytearray(len(data[0])) for _ in range(3)]
        codec.encode(data, made)
        return made

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(parity, stripes)) == [_parity(engine, data, 3) for data in stripes]


def test_nothing_missing_is_nothing_to_do(engine: Engine) -> None:
    Codec(3, 1, engine=engine).reconstruct({0: b""}, {})


@pytest.mark.parametrize(
    ("present", "missing", "what"),
    [
        ([0, 1, 2], [5], "block 5 of a stripe whose blocks are 0 to 4"),
        ([0, 1, 2], [-1], "block -1 "),
        ([0, 1, 7], [2], "block 7 "),
        ([0, 1, 2], [2, 3], "block 2 cannot be both"),
        ([0, 1, 2], [], "no block is asked for"),
    ],
)
def test_indexes_that_do_not_fit(present: list[int], missing: list[int], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        Codec(3, 2).combination(present, missing)


def test_the_same_index_again_is_no_further_block() -> None:
    with pytest.raises(DamagedContent, match="2 blocks are left, 3 are needed"):
        Codec(3, 2).combination([0, 1, 1, 1], [2])


def test_blocks_that_do_not_fit(engine: Engine) -> None:
    codec = Codec(2, 1, engine=engine)
    for data, parity, what in (
        ([bytes(8)], [bytearray(8)], "1 data and 1 parity blocks for a stripe of 2 and 1"),
        ([bytes(8)] * 2, [bytearray(8)] * 2, "2 data and 2 parity"),
        ([bytes(8), bytes(16)], [bytearray(8)], "block 1 has 16 bytes, others of its stripe 8"),
        ([bytes(8), bytes(8)], [bytearray(16)], "block 0 has 8 bytes"),
        ([bytes(12), bytes(12)], [bytearray(12)], "multiple of 8"),
        ([b"", b""], [bytearray()], "multiple of 8"),
        ([bytes(8), bytes(8)], [bytes(8)], "block 2 cannot be written to"),
        ([bytes(8), memoryview(bytes(16))[::2]], [bytearray(8)], "block 1 is no buffer"),
        ([bytes(8), bytes(8)], [memoryview(bytearray(16))[::2]], "block 2 is no buffer"),
    ):
        with pytest.raises(UsageError, match=what):
            codec.encode(data, parity)  # type: ignore[arg-type]


def test_a_combination_wants_every_block_once(engine: Engine) -> None:
    combination = Codec(2, 2, engine=engine).combination([0, 1], [2, 3])
    with pytest.raises(UsageError, match="block 1 is needed and not given"):
        combination.apply({0: bytes(8)}, {2: bytearray(8), 3: bytearray(8)})
    with pytest.raises(UsageError, match="block 3 is needed and not given"):
        combination.start({2: bytearray(8)})
    with pytest.raises(UsageError, match="block 3 has 16 bytes"):
        combination.start({2: bytearray(8), 3: bytearray(16)})
    running = combination.start({2: bytearray(8), 3: bytearray(8)})
    with pytest.raises(UsageError, match="block 0 has 16 bytes"):
        running.add(0, bytes(16))
    running.add(0, bytes(8))
    for index in (0, 2, 9):
        with pytest.raises(UsageError, match=f"block {index} is none that is waited for"):
            running.add(index, None)
    with pytest.raises(UsageError, match="not added"):
        running.finish()
    running.add(1, None)
    running.finish()
