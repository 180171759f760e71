"""Every block has its place, and every place its file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bundler.bundle.requests.answers.layout import AnswerLayout, answer_files
from bundler.bundle.requests.block_ranges import BlockRanges

BLOCK = 8


def test_names() -> None:
    assert answer_files(2) == ["answer.001", "answer.002"]
    assert answer_files(1000)[::999] == ["answer.0001", "answer.1000"]


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5), file_bytes=st.integers(1, 50), data=st.data())
def test_blocks_lie_one_behind_the_other(sizes: list[int], file_bytes: int, data: st.DataObject) -> None:
    every = [(part, number) for part, size in enumerate(sizes) for number in range(-(-size // BLOCK))]
    chosen = BlockRanges.of(data.draw(st.lists(st.sampled_from(every), min_size=1)))
    total = sum(min(BLOCK, sizes[part] - number * BLOCK) for part, number in chosen)
    files = [min(file_bytes, total - start) for start in range(0, total, file_bytes)]
    layout = AnswerLayout(chosen, [sizes[row.part] for row in chosen.rows], BLOCK, files)
    position = 0
    for part, number in chosen:
        length = min(BLOCK, sizes[part] - number * BLOCK)
        assert layout.locate((part, number)) == (position, length)
        pieces = list(layout.pieces(position, length))
        # They are these very bytes of the joined files, without a gap.
        assert [sum(files[: piece.file]) + piece.offset for piece in pieces] == [
            position + sum(one.length for one in pieces[:index]) for index in range(len(pieces))
        ]
        assert sum(piece.length for piece in pieces) == length
        assert all(piece.offset + piece.length <= files[piece.file] for piece in pieces)
        position += length
    assert position == layout.size == total
    assert all(layout.locate(block) is None for block in every if block not in set(chosen))
    assert layout.locate((len(sizes) + 1, 0)) is None
