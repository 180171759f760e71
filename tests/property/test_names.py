"""Laws of names on the far side: a new name is valid or a declared error, and no two images ever share one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.errors import UsageError
from bundler.model.digest import Digest
from bundler.model.naming.naming import Naming, check_targets
from bundler.model.naming.rules import RenameRule
from bundler.model.reference import Reference

FEW = settings(max_examples=150)
#: Few and alike, so that names meet.
COMPONENTS = st.sampled_from(["a", "b", "a-b", "x.y", "a__b", "library", "c" * 70])
TAGS = st.sampled_from(["1", "1.10", "Latest", "t" * 128])
DIGESTS = st.sampled_from([Digest.from_hex(digit * 64) for digit in "123"])


@st.composite
def reference_texts(draw: st.DrawFn) -> str:
    path = "/".join(draw(st.lists(COMPONENTS, min_size=1, max_size=3)))
    registry = draw(st.sampled_from(["docker.io", "reg.test", "localhost:5000", "[::1]:5000", "REG"]))
    tag, digest = draw(st.one_of(st.none(), TAGS)), draw(st.one_of(st.none(), DIGESTS))
    return f"{registry}/{path}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


REFERENCES = reference_texts().map(Reference.parse)
PATHS = st.lists(COMPONENTS, max_size=3).map("/".join)
#: Nearly right: most are rules, and some lead to names that are none.
RULES = st.one_of(
    st.builds(lambda old, to: RenameRule(prefix=old, to=to), PATHS, PATHS),
    st.builds(
        lambda old, to: RenameRule(regex=old, to=to),
        st.sampled_from([r"(.*)/(.*)", r"([^/]+)/(.*)", r"(?P<a>.*)", r"(.*)/([^/]+):(.*)", r"docker\.io/(.*)"]),
        st.sampled_from([r"\1", r"x/\1", r"\2", r"\2:\1", r"\1:fixed", r"\1-\1", r"UP/\1", "same", r"\3"]),
    ),
    st.builds(
        lambda old, to, tag: RenameRule(name=old, to=to + tag),
        reference_texts(), PATHS, st.one_of(st.just(""), TAGS.map(":".__add__)),
    ),
)  # fmt: skip
NAMINGS = st.builds(
    Naming,
    st.lists(RULES, max_size=4).map(tuple),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "d-{short}", "{hex}", "no tag"]),
)
DESTINATIONS = st.sampled_from(
    ["far.test", "localhost:5000/a", "docker.io", "docker.io/me", "far.test/" + "p" * 230]
)


@FEW
@given(NAMINGS, DESTINATIONS, REFERENCES)
def test_a_new_name_is_valid_or_refused(naming: Naming, destination: str, reference: Reference) -> None:
    try:
        target = naming.target(destination, reference)
    except UsageError:
        return
    assert Reference.parse(str(target)) == target
    assert target.name.startswith(f"{destination}/")
    assert len(target.name) <= 255
    # By digest only what has no tag, and then by its own.
    assert (target.digest is None) == bool(target.tag)
    assert target.digest in (None, reference.digest)
    if naming.flatten:
        assert "/" not in target.name.removeprefix(f"{destination}/")
    if not naming.rules and reference.tag:
        assert target.tag == reference.tag
    assert naming.target(destination, reference) == target


@FEW
@given(NAMINGS, st.dictionaries(REFERENCES, DIGESTS, max_size=6))
def test_no_two_images_get_one_name(naming: Naming, images: dict[Reference, Digest]) -> None:
    try:
        targets = check_targets(images.items(), lambda one: naming.target("far.test", one))
    except UsageError:
        return
    held: dict[str, Digest] = {}
    for reference, target in targets.items():
        assert held.setdefault(str(target), images[reference]) == images[reference]


@FEW
@given(st.lists(COMPONENTS, min_size=2, max_size=3), st.integers(1, 2), TAGS)
def test_what_only_slashes_tell_apart_clashes_when_flat(parts: list[str], cut: int, tag: str) -> None:
    """`a/b-c` and `a-b/c` become one name, and that is found before anything is sent."""
    cut = min(cut, len(parts) - 1)
    one, two = "/".join(parts), "/".join([*parts[: cut - 1], f"{parts[cut - 1]}-{parts[cut]}", *parts[cut + 1 :]])
    images = [
        (Reference.parse(f"reg.test/{path}:{tag}"), Digest.from_hex(digit * 64))
        for path, digit in ((one, "1"), (two, "2"))
    ]
    flat = Naming(flatten=True)
    with pytest.raises(UsageError) as caught:
        check_targets(images, lambda image: flat.target("far.test", image))
    assert all(image.familiar in caught.value.message for image, _ in images)
