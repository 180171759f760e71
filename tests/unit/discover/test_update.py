"""``--update``: only what must change is written anew."""

from __future__ import annotations

import pytest

from bundler.discover.hits import Discovery, FoundApplication, FoundImage, Mark, Place
from bundler.discover.update import Change, updated
from bundler.errors import ConfigError
from bundler.model.limits import DEFAULT_LIMITS
from bundler.model.reference import Reference

BEFORE = """\
# Plant 7, agreed with Ms Berg.
name: plant7   # do not change
applications:
  shop:
    images:
    # the front
    - nginx:1.26        # pinned in March
    - "docker-archive:legacy.tar"   # comes from the vendor
    - redis:7

  # next year
  erp: {images: [erp/core:1, 'postgres:16']}   # one line
part_size: fat32
"""


def found(**applications: list[str]) -> Discovery:
    place = Place("compose.yaml", "service a")
    return Discovery(
        tuple(
            FoundApplication(
                name,
                tuple(FoundImage(image, str(Reference.parse(image)), Mark.SURE, (place,)) for image in images),
            )
            for name, images in applications.items()
        ),
        (),
    )


def edit(text: str, discovery: Discovery) -> tuple[str, tuple[Change, ...]]:
    raw, changes = updated(text.encode(), "pack.yaml", discovery, DEFAULT_LIMITS)
    return raw.decode(), changes


def test_nothing_new_leaves_every_byte() -> None:
    text, changes = edit(BEFORE, found(shop=["nginx:1.26", "docker.io/library/redis:7"]))
    assert text == BEFORE
    assert changes == (Change("shop", "docker-archive:legacy.tar", ""),)


def test_another_tag_is_replaced_and_a_new_image_added() -> None:
    text, changes = edit(BEFORE, found(shop=["nginx:1.27", "redis:7", "caddy:2"]))
    assert text == BEFORE.replace("nginx:1.26 ", "nginx:1.27 ").replace(
        "    - redis:7\n", "    - redis:7\n    - caddy:2  # compose.yaml: service a\n"
    )
    assert Change("shop", "nginx:1.26", "nginx:1.27") in changes
    assert Change("shop", "", "caddy:2") in changes


def test_a_list_on_one_line() -> None:
    text, _ = edit(BEFORE, found(erp=["erp/core:2", "postgres:16", "x:1"]))
    assert text == BEFORE.replace("[erp/core:1, 'postgres:16']", "[erp/core:2, 'postgres:16', x:1]")


def test_a_new_application() -> None:
    block = BEFORE.replace("  erp: {images: [erp/core:1, 'postgres:16']}   # one line\n", "")
    text, changes = edit(block, found(mail=["mailhog/mailhog:v1", "5"]))
    added = "  mail:\n    images:\n      - mailhog/mailhog:v1  # compose.yaml: service a\n"
    added += '      - "5"  # compose.yaml: service a\n'
    assert text == block.replace("    - redis:7\n", "    - redis:7\n" + added)
    assert changes == (Change("mail", "", "mailhog/mailhog:v1"), Change("mail", "", "5"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("applications: {a: {images: [x:1]}}", "applications: {a: {images: [x:1]}, b: {images: [y:1]}}"),
        ("applications:\n  a:\n    images:\n    - x:1",
         "applications:\n  a:\n    images:\n    - x:1\n  b:\n    images:\n      - y:1  # compose.yaml: service a"),
        ("applications:\r\n  a:\r\n    images: [x:1]\r\nname: n\r\n",
         "applications:\r\n  a:\r\n    images: [x:1]\r\n  b:\r\n    images:\r\n"
         "      - y:1  # compose.yaml: service a\r\nname: n\r\n"),
        ("\ufeffapplications: {a: {images: [x]}}", "\ufeffapplications: {a: {images: [x]}, b: {images: [y:1]}}"),
    ],
)  # fmt: skip
def test_other_ways_to_write_it(text: str, expected: str) -> None:
    assert edit(text, found(b=["y:1"]))[0] == expected


def test_a_transport_stays() -> None:
    text, _ = edit("applications: {a: {images: ['docker://x:1']}}", found(a=["x:2"]))
    assert text == "applications: {a: {images: [docker://x:2]}}"


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "- a", "applications: []", "applications: {}", "applications: {a: {images: []}}", "a: [",
        "applications: {a: x}", "applications: &a\n  a: *a\n", "applications:\n  a: &x {images: [x:1]}\n  b: *x\n",
    ],
)  # fmt: skip
def test_what_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"pack\.yaml"):
        edit(text, found(a=["y:1"], b=["z:1"]))


OBJECTS = """\
applications:
  shop:
    images:
    - {image: nginx:1.26, smoke: [nginx, -v]}  # tested
    - image: docker://redis
      version: ">=7 <8"   # not 8
    # the last one
  erp: {images: [x:1]}
"""


def test_images_that_are_objects() -> None:
    text, changes = edit(OBJECTS, found(shop=["nginx:1.27", "redis:7.4.1", "caddy:2"]))
    added = "    - caddy:2  # compose.yaml: service a\n"
    assert text == OBJECTS.replace("1.26", "1.27").replace("# not 8\n", "# not 8\n" + added)
    left = Change("shop", "", "redis:7.4.1", "version >=7 <8")
    assert changes == (left, Change("shop", "nginx:1.26", "nginx:1.27"), Change("shop", "", "caddy:2"))
    left = Change("shop", "", "redis:7", "version >=7 <8")
    assert edit(OBJECTS, found(shop=["nginx:1.26", "redis:7"])) == (OBJECTS, (left,))


@pytest.mark.parametrize(
    ("rule", "image", "is_left"),
    [
        ('version: ">=7 <8"', "redis:8.0.0", False),
        ('version: ">=7 <8"', "redis:7.4.1@sha256:" + "1" * 64, False),
        ('version: "no range"', "redis:8.0.0", True),
        ('tags: "7.*-alpine"', "redis:7.4-alpine", True),
        ('tags: "7.*-alpine"', "redis:8.0-alpine", False),
        ('tags: "7.*-alpine"', "other:7.4-alpine", False),
    ],
)
def test_a_rule_keeps_only_what_it_can_choose(rule: str, image: str, is_left: bool) -> None:
    """What a rule never chooses would not be in the bundle, though the project needs it."""
    before = f"applications:\n  shop:\n    images:\n    - {{image: redis, {rule}}}\n"
    text, (change,) = edit(before, found(shop=[image]))
    assert (change.after, bool(change.rule), text == before) == (image, is_left, is_left)
