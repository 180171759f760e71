"""Makes bytes that are nearly right, and bytes that are not right at all."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Take valid input and change it a little: cut, flip, insert, double, and put junk behind it."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 4))):
        position = draw(st.integers(0, len(data)))
        length = draw(st.integers(1, 40))
        piece = data[position : position + length]
        change = draw(st.sampled_from(["flip", "cut", "insert", "double", "end"]))
        if change == "flip" and position < len(data):
            data[position] ^= 1 << draw(st.integers(0, 7))
        elif change == "cut":
            del data[position : position + length]
        elif change == "insert":
            data[position:position] = draw(st.binary(min_size=1, max_size=20))
        elif change == "double":
            data[position:position] = piece
        elif change == "end":
            del data[position:]
    return bytes(data + draw(st.one_of(st.just(b""), st.binary(max_size=600))))


def nearly(originals: list[bytes], random_bytes: int = 2000) -> st.SearchStrategy[bytes]:
    """Valid input, changed valid input, or random bytes."""
    return st.one_of(st.sampled_from(originals), mutated(originals), st.binary(max_size=random_bytes))
