"""The names that engines before 25.0 give to the layers of an image that they save: v1 ids.

A v1 id is the sha256 of a JSON document (the engine's image/v1 package, ``CreateID``): over the ChainID of the
layer, the id of the layer below it, and, of the top layer only, over those fields of the image config that
version 1 of the image specification had. The engine reads these from the config into its own types and writes
them out of those again, so what it hashes follows from the config by the rules of Go's JSON, which are kept here.

Whatever a config has that those rules do not decide beyond doubt gives no id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bundler.content.chain_ids import chain_ids
from bundler.content.hashing import sha256
from bundler.errors import MalformedDocument
from bundler.model.digest import Digest
from bundler.model.json_documents import parse_json

#: Time as a config may have it (RFC 3339): up to the second, the fraction, the offset.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NO_TIME = "0001-01-01T00:00:00Z"
_LARGEST_INT = 1 << 63
#: Go writes these so that a browser takes nothing in a document for a tag or the end of a line.
_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
#: json writes these two shorter than Go did before its version 1.22.
_LONGER = (("\\b", "\\u0008"), ("\\f", "\\u000c"))
_SHORT_ESCAPE = re.compile(r"\\.")


class _UndecidedError(Exception):
    """What the engine would make of the config is not certain."""


def v1_ids(diff_ids: Sequence[Digest], epoch: str, config: bytes | None = None) -> list[str | None]:
    """Return the v1 id of every layer of an image, bottom first; ``None`` for one that is not certain.

    Args:
        diff_ids: Of the image's layers, bottom first.
        epoch: Unix time 0 as the engine writes it, which stands in the document of every layer but the top one.
        config: The image config; without it the top layer's id is not known.
    """
    below = {"container_config": _container_config({}), "created": _text(epoch)}
    result: list[str | None] = []
    parent = ""
    for number, chain in enumerate(chain_ids(diff_ids), 1):
        fields: Mapping[str, str] | None = below
        if number == len(diff_ids):
            fields = None if config is None else _fields_of(config)
        if fields is None:
            result.append(None)
            break
        document = {**fields, "layer_id": _text(chain)}
        if parent:
            document["parent"] = _text(f"sha256:{parent}")
        parent = sha256(_object(sorted(document.items())).encode()).hex
        result.append(parent)
    return result


def _fields_of(config: bytes) -> Mapping[str, str] | None:
    """Return the fields that the engine keeps of a config, each as it writes it."""
    try:
        return _image(parse_json(config, "the image config", limit=len(config)))
    except (_UndecidedError, MalformedDocument, ValueError):
        return None


def _image(document: Any) -> dict[str, str]:
    value = _known(document, ("created", "container_config", "config", "Size", "id", *_IMAGE_TEXTS))
    fields = {name: _text(text) for name in _IMAGE_TEXTS if (text := _string(value.get(name)))}
    fields["created"] = _text(_time(value.get("created")))
    committed = value.get("container_config")
    fields["container_config"] = _container_config({} if committed is None else committed)
    if value.get("config") is not None:
        fields["config"] = _container_config(value["config"])
    if size := _integer(value.get("Size")):
        fields["Size"] = str(size)
    return fields


_IMAGE_TEXTS = ("comment", "container", "docker_version", "author", "architecture", "variant", "os")


def _container_config(value: Any) -> str:
    """Write a container.Config: its fields in the order of the type, some of them only if they are not empty."""
    known = _known(value, [name for name, _, _ in _CONFIG])
    return _struct(known, _CONFIG)


def _healthcheck(value: Any) -> str:
    if value is None:
        return ""
    return _struct(_known(value, [name for name, _, _ in _HEALTHCHECK]), _HEALTHCHECK)


def _struct(value: Mapping[str, Any], fields: Sequence[_Field]) -> str:
    written = ((name, write(value.get(name)), empty) for name, write, empty in fields)
    return _object((name, text) for name, text, empty in written if text not in empty)


def _boolean(value: Any) -> str:
    if value not in (None, True, False) or isinstance(value, int) != isinstance(value, bool):
        raise _UndecidedError
    return "true" if value else "false"


def _string(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _UndecidedError
    return value


def _integer(value: Any) -> int:
    if value is None:
        return 0
    if type(value) is not int or not -_LARGEST_INT <= value < _LARGEST_INT:
        raise _UndecidedError
    return value


def _optional_number(value: Any) -> str:
    return "" if value is None else str(_integer(value))


def _strings(value: Any) -> str:
    if value is None:
        return "null"
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _UndecidedError
    return "[" + ",".join(map(_text, value)) + "]"


def _texts_by_name(value: Any) -> str:
    if value is None:
        return "null"
    if not isinstance(value, dict):
        raise _UndecidedError
    return _object((name, _text(_string(value[name]))) for name in _sorted(value))


def _names(value: Any) -> str:
    """Write a set, which in Go is a map whose values have no fields."""
    if value is None:
        return "null"
    if not isinstance(value, dict) or not all(item == {} for item in value.values()):
        raise _UndecidedError
    return _object((name, "{}") for name in _sorted(value))


def _time(value: Any) -> str:
    if value is None:
        return _NO_TIME
    match = _TIME.fullmatch(_string(value))
    if match is None:
        raise _UndecidedError
    datetime.fromisoformat(f"{match[1]}+00:00")  # a ValueError where there is no such day
    if match[3][1:] and not (match[3][1:3] < "24" and match[3][4:] < "60"):
        raise _UndecidedError
    fraction = (match[2] or "").rstrip("0")
    offset = "Z" if match[3][1:] in ("", "00:00") else match[3]
    return match[1] + (f".{fraction}" if fraction else "") + offset


_Field = tuple[str, Callable[[Any], str], tuple[str, ...]]
_ALWAYS: tuple[str, ...] = ()


def _quoted(value: Any) -> str:
    return _text(_string(value))


def _number(value: Any) -> str:
    return str(_integer(value))


#: The fields of container.Config and HealthConfig: name, how it is written, and with what text it is left out.
_HEALTHCHECK: tuple[_Field, ...] = (
    ("Test", _strings, ("null", "[]")),
    ("Interval", _number, ("0",)),
    ("Timeout", _number, ("0",)),
    ("StartPeriod", _number, ("0",)),
    ("Retries", _number, ("0",)),
)
_CONFIG: tuple[_Field, ...] = (
    ("Hostname", _quoted, _ALWAYS),
    ("Domainname", _quoted, _ALWAYS),
    ("User", _quoted, _ALWAYS),
    ("AttachStdin", _boolean, _ALWAYS),
    ("AttachStdout", _boolean, _ALWAYS),
    ("AttachStderr", _boolean, _ALWAYS),
    ("ExposedPorts", _names, ("null", "{}")),
    ("Tty", _boolean, _ALWAYS),
    ("OpenStdin", _boolean, _ALWAYS),
    ("StdinOnce", _boolean, _ALWAYS),
    ("Env", _strings, _ALWAYS),
    ("Cmd", _strings, _ALWAYS),
    ("Healthcheck", _healthcheck, ("",)),
    ("ArgsEscaped", _boolean, ("false",)),
    ("Image", _quoted, _ALWAYS),
    ("Volumes", _names, _ALWAYS),
    ("WorkingDir", _quoted, _ALWAYS),
    ("Entrypoint", _strings, _ALWAYS),
    ("NetworkDisabled", _boolean, ("false",)),
    ("MacAddress", _quoted, ('""',)),
    ("OnBuild", _strings, _ALWAYS),
    ("Labels", _texts_by_name, _ALWAYS),
    ("StopSignal", _quoted, ('""',)),
    ("StopTimeout", _optional_number, ("",)),
    ("Shell", _strings, ("null", "[]")),
)


def _known(value: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """Return an object if each of its keys is a name to the letter or none at all: Go ignores case."""
    if not isinstance(value, dict):
        raise _UndecidedError
    folded = {name.lower() for name in names}
    if any(name not in names and (not name.isascii() or name.lower() in folded) for name in value):
        raise _UndecidedError
    return value


def _sorted(value: Mapping[str, Any]) -> list[str]:
    return sorted(value, key=lambda name: name.encode())


def _object(fields: Any) -> str:
    return "{" + ",".join(f"{_text(name)}:{text}" for name, text in fields) + "}"


def _text(text: str) -> str:
    """Write a string as Go does."""
    quoted = json.dumps(text, ensure_ascii=False).translate(_ESCAPED)
    return _SHORT_ESCAPE.sub(lambda match: dict(_LONGER).get(match[0], match[0]), quoted)
