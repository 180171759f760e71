"""YAML in which nothing can be meant twice."""

from __future__ import annotations

from typing import Any

import yaml

#: What PyYAML lets out for a scalar that looks like a date or number and is none, such as 2026-13-01.
_OF_BAD_SCALARS = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML parsers silently keep one, and what is no text."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value: str = super().construct_scalar(node)
        if any("\ud800" <= character <= "\udfff" for character in value):
            # Written as \ud800, it belongs to no encoding; no file or image has such a name.
            raise yaml.constructor.ConstructorError(None, None, "half a surrogate pair", node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) != len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
        if "<<" in keys:
            # Merged mappings double with each level; a list of names has no need for them.
            raise yaml.constructor.ConstructorError(None, None, "merge keys are not taken", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def parse_yaml(raw: bytes) -> Any:
    """Return the value of a document.

    Raises:
        ValueError: it is no YAML, has a key twice, or asks for more than values; the message says where.
    """
    try:
        return yaml.load(raw, _StrictLoader)  # noqa: S506  # it is a SafeLoader
    except (yaml.YAMLError, RecursionError, *_OF_BAD_SCALARS) as error:
        raise ValueError(str(error)) from error
