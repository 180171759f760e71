"""Who may import whom, what stays behind a fence, and how large things may grow.

The rules are those of the project's design; each message says why its rule is there. If the code shows a better
cut, change the table here and say why in ``docs/decisions``.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "bundler"
MODULES = sorted(ROOT.rglob("*.py"))

#: Every room, and the rooms it may import besides itself, ``errors`` and ``progress``.
ROOMS: dict[str, set[str]] = {
    "model": set(),
    "coding": set(),
    "content": {"model"},
    "transports": {"content", "model"},
    "sources": {"transports", "content", "model"},
    "destinations": {"transports", "content", "model"},
    "trust": {"content", "model"},
    "discover": {"model"},
    "bundle": {"coding", "content", "model"},
    "packing": {"bundle", "content", "model"},
}
#: The places where the ends meet.
_EVERY_ROOM = set(ROOMS)
ROOMS["api"] = set(_EVERY_ROOM)
ROOMS["cli"] = _EVERY_ROOM | {"api", "version", "__init__"}
# The front door offers what is behind it under short names.
ROOMS["__init__"] = _EVERY_ROOM | {"api", "version"}
ROOMS["__main__"] = {"cli"}
#: Imported by all; they import nothing of ours.
COMMON = {"errors", "progress", "version"}

WHY_ROOMS = (
    "Sources and destinations meet bundles only through the protocols in content, so that any source can be "
    "copied to any destination by one piece of code; values (model) and coding know nothing of the world, so that "
    "they can be trusted and tested alone. Only cli and api may know everything: there the ends meet."
)

#: Foreign modules that stay behind a fence: names, where they may be imported, why.
FENCES = [
    (
        {"hashlib", "xxhash", "_hashlib", "_sha256"},
        ("content/hashing.py",),
        "One place decides which sums prove and which only locate damage.",
    ),
    (
        {"zstandard", "zlib", "gzip", "bz2", "lzma", "isal"},
        ("content/compression.py", "content/gunzip.py"),
        "Bundles are deterministic only if every compressor is set up by one rule, and bounded by one limit.",
    ),
    (
        {"http", "urllib3", "requests", "urllib.request", "socketserver"},
        ("transports/", "destinations/serve"),
        "Everything that comes from a network is hostile; it enters through few doors, which are watched.",
    ),
    (
        {"numpy"},
        ("coding/vectors.py",),
        "It is optional: whoever needs it asks for an engine, which is there without it too.",
    ),
    (
        {"segno"},
        ("bundle/requests/qr_code.py",),
        "It is optional: only who asked for a QR code may miss it.",
    ),
    ({"docker"}, ("transports/",), "The SDK's exceptions, time limits and contexts are dealt with in one room."),
]

LONGEST_MODULE, MEDIAN_MODULE, LONGEST_FUNCTION = 500, 150, 60


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _room(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything imported; ``from a import b`` gives ``a.b``, b may be a module."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}:{node.lineno}: a relative import hides which room it enters"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _rooms_entered(path: Path) -> Iterator[tuple[int, str]]:
    for line, name in _imports(path):
        package, *rest = name.split(".")
        if package == "bundler" and rest:
            # ``from bundler import pack`` imports what __init__ offers, unless it names a room or module.
            known = (ROOT / rest[0]).is_dir() or (ROOT / f"{rest[0]}.py").is_file()
            yield line, rest[0] if known else "__init__"


def _forbidden(path: Path, names: set[str]) -> Iterator[str]:
    for line, name in _imports(path):
        if any(name == fenced or name.startswith(f"{fenced}.") for fenced in names):
            yield f"bundler/{_name(path)}:{line} imports {name}"


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_rooms_import_only_what_the_table_allows(path: Path) -> None:
    room = _room(path)
    assert room in ROOMS or room in COMMON, f"bundler/{room} is in no row of the table. {WHY_ROOMS}"
    allowed = (ROOMS[room] | COMMON | {room}) if room in ROOMS else set()
    wrong = [
        f"bundler/{_name(path)}:{line} ({room}) imports bundler.{entered}"
        for line, entered in _rooms_entered(path)
        if entered not in allowed
    ]
    assert not wrong, "\n".join([*wrong, WHY_ROOMS])


@pytest.mark.parametrize(
    ("names", "inside", "why"), FENCES, ids=lambda value: "" if isinstance(value, str) else None
)
def test_fences(names: set[str], inside: tuple[str, ...], why: str) -> None:
    outside = [path for path in MODULES if not _name(path).startswith(inside)]
    wrong = [found for path in outside for found in _forbidden(path, names)]
    assert not wrong, "\n".join([*wrong, f"Only {' and '.join(inside)} may. {why}"])


def test_only_the_command_prints_and_exits() -> None:
    wrong = []
    for path in MODULES:
        if _room(path) in ("cli", "__main__"):
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in _VOICES:
                wrong.append(f"bundler/{_name(path)}:{node.lineno} uses {ast.unparse(node)}")
    assert not wrong, "\n".join(
        [*wrong, "The library tells its caller through Progress and declared errors: a caller may be a server."]
    )


_VOICES = {
    "print", "exit", "quit", "sys.exit", "os._exit", "os.abort", "SystemExit",
    "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__",
}  # fmt: skip


def test_modules_stay_small() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    wrong = [f"bundler/{_name(path)} has {count} lines" for path, count in lines.items() if count > LONGEST_MODULE]
    why = f"Over {LONGEST_MODULE} lines a module has more than one subject: split it by noun."
    assert not wrong, "\n".join([*wrong, why])
    # Empty __init__ files would make any median look good.
    median = statistics.median(count for path, count in lines.items() if path.name != "__init__.py")
    assert median <= MEDIAN_MODULE, f"the median module has {median} lines, more than {MEDIAN_MODULE}. {why}"


def test_functions_stay_small() -> None:
    wrong = [
        f"bundler/{_name(path)}:{node.lineno} {node.name} has {length} lines"
        for path in MODULES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    why = f"Over {LONGEST_FUNCTION} lines nobody sees a function at once: give its steps names."
    assert not wrong, "\n".join([*wrong, why])
