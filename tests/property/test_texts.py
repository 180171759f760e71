"""Laws of everything that is written as text and read again."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from bundler.errors import AirbundleError
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.model.sizes import format_size, parse_size

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
DIGESTS = HEX.map(Digest.from_hex)
COMPONENTS = st.from_regex(r"[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
REGISTRIES = st.one_of(
    st.sampled_from(["docker.io", "index.docker.io", "localhost", "localhost:5000", "[::1]:5000", "REG"]),
    st.from_regex(r"[a-z0-9]{1,8}(?:\.[a-zA-Z0-9]{1,8}){1,3}(?::[0-9]{1,5})?", fullmatch=True),
)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@st.composite
def reference_texts(draw: st.DrawFn) -> str:
    components = draw(st.lists(COMPONENTS, min_size=1, max_size=4))
    text = "/".join(components)
    # Without a registry, a first component with a dot would be taken for one.
    if draw(st.booleans()) or (len(components) > 1 and "." in components[0]):
        text = f"{draw(REGISTRIES)}/{text}"
    if draw(st.booleans()):
        text += f":{draw(TAGS)}"
    if draw(st.booleans()):
        text += f"@{draw(DIGESTS)}"
    return text


@given(reference_texts())
def test_a_reference_means_the_same_in_every_form(text: str) -> None:
    reference = Reference.parse(text)
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference
    assert str(reference).startswith(reference.name)
    assert bool(reference.tag) or reference.digest is not None


@given(
    st.one_of(
        st.text(max_size=80), st.text("ab/:@.-_AZ09 \n[]", max_size=60), reference_texts().map(lambda t: t + "\n")
    )
)
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except AirbundleError:
        return
    assert Reference.parse(str(reference)) == reference
    assert str(reference).isascii()
    assert not set(str(reference)) & set(" \n\\?#%")


@given(st.one_of(st.text(max_size=80), HEX.map("sha256:".__add__), HEX.map(lambda text: f"sha256:{text}\n")))
def test_any_text_is_a_digest_or_refused(text: str) -> None:
    try:
        digest = Digest(text)
    except AirbundleError:
        return
    assert digest == text == str(digest)
    assert Digest(str(digest)) == digest == Digest.from_hex(digest.hex)


@given(
    st.one_of(
        st.text(max_size=40), st.lists(st.text("abAB864v", min_size=1, max_size=5), max_size=4).map("/".join)
    )
)
def test_any_text_is_a_platform_or_refused(text: str) -> None:
    try:
        platform = Platform.parse(text)
    except AirbundleError:
        return
    assert Platform.parse(str(platform)) == platform
    assert platform.runs_on(platform)


@given(
    st.integers(0, 1 << 70),
    st.sampled_from([("", 1), ("B", 1), ("KB", 10**3), ("mib", 1 << 20), (" GiB", 1 << 30)]),
)
def test_a_size_is_what_was_written(count: int, unit: tuple[str, int]) -> None:
    assume(count < 10**20)
    assert parse_size(f"{count}{unit[0]}") == count * unit[1]
    assert format_size(count)


@given(
    st.one_of(
        st.text(max_size=30), st.from_regex(r"[0-9]{1,30}\.?[0-9]{0,30} ?[kKmMgGtTiIbB]{0,3}", fullmatch=True)
    )
)
def test_any_text_is_a_size_or_refused(text: str) -> None:
    try:
        assert parse_size(text) >= 0
    except AirbundleError:
        return


SMALL = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(
    st.builds(
        Descriptor,
        media_type=SMALL,
        digest=DIGESTS,
        size=st.integers(0, (1 << 63) - 1),
        urls=st.lists(SMALL, max_size=2).map(tuple),
        annotations=st.dictionaries(SMALL, SMALL, max_size=3),
        platform=st.one_of(st.none(), st.builds(Platform, SMALL, SMALL, SMALL, SMALL)),
        artifact_type=SMALL,
    )
)
def test_a_descriptor_survives_json(descriptor: Descriptor) -> None:
    raw = canonical_json(descriptor)
    again = convert(parse_json(raw, "it", limit=10_000), Descriptor, "it")
    assert again == descriptor
    assert canonical_json(again) == raw
