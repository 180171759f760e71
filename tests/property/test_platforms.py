"""Whatever an index lists and whoever chooses: what is taken is whole, and what a registry gets is complete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bundler.content.platform_trees import collect_chosen
from bundler.destinations.registry_plan import plan_push
from bundler.errors import NoSuchPlatform
from bundler.model.image import ImageTree
from bundler.model.manifest import Index, Manifest
from bundler.model.platform_choice import PlatformChoice
from bundler.model.platforms import Platform
from tests.fakes.memory import MemorySource, multi_platform

NAMES = (
    "linux/amd64",
    "linux/amd64/v3",
    "linux/386",
    "linux/arm64",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/s390x",
)
PLATFORMS = st.sampled_from(NAMES).map(Platform.parse)
WIDE = st.builds(
    Platform.of,
    st.sampled_from(["linux", "windows"]),
    st.sampled_from(["amd64", "arm", "arm64", "386", "x"]),
    st.sampled_from(["", "v1", "v2", "v5", "v7", "v8", "v8.2", "v9", "odd"]),
)


@given(
    st.lists(st.lists(st.sampled_from(NAMES), unique=True, max_size=5), min_size=1, max_size=3),
    st.lists(PLATFORMS, unique=True, max_size=3),
    st.booleans(),
    st.sets(st.integers(0, 40), max_size=6),
)
def test_what_is_taken_is_whole(
    listed: list[list[str]], wanted: list[Platform], default: bool, lost: set[int]
) -> None:
    memory = MemorySource()
    inner = [multi_platform(memory, f"x/{number}", names) for number, names in enumerate(listed)]
    root = inner[0].tree.root if len(inner) == 1 else memory.make_index(inner, "web").tree.root
    manifests = [one for form in inner for one in form.tree.platform_images()]
    for number, one in enumerate(manifests):
        if number in lost:
            memory.blobs.pop(one.descriptor.digest, None)
    choice = PlatformChoice(tuple(wanted), default)
    try:
        tree, selection = collect_chosen(root, lambda found: memory.blobs.get(found.digest), choice)
    except NoSuchPlatform:
        assert wanted
        return
    nodes = dict(tree.nodes())
    there = {blob.digest for blob in tree.blobs()}
    absent = {
        child.digest for node in nodes.values() if isinstance(node, Index) for child in node.manifests
    } - there
    assert tree.documents[root.digest] == memory.blobs[root.digest]
    if selection.left_out:
        assert set(selection.left_out) == absent
    runnable = [one for one in tree.platform_images() if one.platform.is_known]
    if selection.listed and not default:
        assert all(any(one.listed_as.runs_on(host) for one in runnable) for host in wanted)
    _check_push(tree)


def _check_push(tree: ImageTree) -> None:
    """What is pushed names nothing that is not pushed before it, and comes out the same each time."""
    if not tree.platform_images():
        return
    plan = plan_push(tree)
    assert plan == plan_push(tree)
    pushed = {blob.digest for blob in plan.blobs}
    for digest, node in plan.documents:
        needed = node.children if isinstance(node, Manifest) else node.manifests
        assert {child.digest for child in needed} <= pushed
        pushed.add(digest)
    assert plan.documents[-1][0] == plan.root


@given(WIDE, WIDE, WIDE)
def test_fitness_is_an_order(one: Platform, other: Platform, host: Platform) -> None:
    assert one.fitness(one) == (0,)
    assert one.runs_on(host) == (one.fitness(host) is not None)
    if one.os != host.os:
        assert not one.runs_on(host)
    found = [fitness for fitness in (one.fitness(host), other.fitness(host)) if fitness is not None]
    assert sorted(found) in (found, found[::-1])
