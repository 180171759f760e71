import hashlib

from hypothesis import given
from hypothesis import strategies as st

from bundler.content.chain_ids import chain_ids
from bundler.content.hashing import sha256
from bundler.model.digest import Digest

DIGESTS = st.lists(st.binary(max_size=4).map(sha256), max_size=6)


def test_a_chain_id_is_the_hash_of_what_lies_below_a_space_and_the_diff_id() -> None:
    first, second, third = (Digest("sha256:" + digit * 64) for digit in "abc")
    two = "sha256:" + hashlib.sha256(f"{first} {second}".encode()).hexdigest()
    three = "sha256:" + hashlib.sha256(f"{two} {third}".encode()).hexdigest()
    assert chain_ids([first, second, third]) == (first, two, three)


@given(DIGESTS, st.integers(min_value=0, max_value=6))
def test_a_prefix_of_layers_has_a_prefix_of_chain_ids(diff_ids: list[Digest], length: int) -> None:
    assert chain_ids(diff_ids[:length]) == chain_ids(diff_ids)[:length]


@given(DIGESTS)
def test_the_order_of_layers_matters(diff_ids: list[Digest]) -> None:
    if diff_ids != diff_ids[::-1]:
        assert chain_ids(diff_ids)[-1] != chain_ids(diff_ids[::-1])[-1]
