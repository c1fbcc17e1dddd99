"""The one place where JSON and TOML are read: cards, settings, personas, journals, ledgers. Anybody may have written
them since.

So whatever is wrong with a text is a `ValueError`, and a table becomes a dataclass only where each value is of its
field's type.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

DEEPEST = 32  # tables and lists within each other; what facechange writes has a dozen
LARGEST_BYTES = 1 << 30
_Kind = TypeVar("_Kind")


def read_text(path: Path) -> str:
    """The text of a file in UTF-8. Raises `OSError`, and `ValueError` for what is no text, no file (a pipe does not
    end) or too large."""
    if path.exists() and not path.is_file():
        raise ValueError("it is not a file")
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("it is larger than 1 GiB")
    return path.read_text(encoding="utf-8")


def read_json(path: Path) -> Any:
    """What a JSON file says. Raises `OSError` and `ValueError`."""
    return parse_json(read_text(path))


def read_json_lines(path: Path) -> Iterator[Any]:
    """What each line of a file says that is not empty. Raises `OSError` and `ValueError`."""
    return (parse_json(line) for line in read_text(path).splitlines() if line.strip())


def parse_json(text: str | bytes) -> Any:
    """What a JSON text says; raises `ValueError` where it says nothing, nests beyond reason, or has half a character.

    Half a character (a lone surrogate) can be no name and cannot be written; those that stand for a name's bytes
    outside UTF-8 can.
    """
    try:
        value = _check_depth(json.loads(text))
        if "\\ud" in str(text).lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
        return value
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_toml(text: str) -> dict[str, Any]:
    """What a TOML text says; raises `ValueError` likewise."""
    import tomllib  # late: most runs read none

    try:
        return typing.cast("dict[str, Any]", _check_depth(tomllib.loads(text)))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def build(kind: type[_Kind], table: Any) -> _Kind:
    """The dataclass `kind` of a table with its fields, those with a default optional; raises `ValueError` that names
    what does not fit.

    Fields may be text, paths, numbers, booleans, literals, None, tuples, lists and dicts of these, dataclasses, and
    `Any`.
    """
    if not isinstance(table, dict):
        raise ValueError("it is not a table")
    hints = typing.get_type_hints(kind)
    parts = {part.name: part for part in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in parts:
            raise ValueError(f"{name} is unknown")
    for name, part in parts.items():
        if name not in table and part.default is MISSING and part.default_factory is MISSING:
            raise ValueError(f"{name} is missing")
    return kind(**{name: _fit(value, hints[name], name) for name, value in table.items()})


def _check_depth(value: Any) -> Any:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")
        nodes = (node.values() if isinstance(node, dict) else node for node in level if isinstance(node, (dict, list)))
        level = [child for node in nodes for child in node if isinstance(child, (dict, list))]
    return value


def _fit(value: Any, hint: Any, name: str) -> Any:
    """`value` as a field of the type `hint` holds it; raises `ValueError`."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        for each in inner:
            try:
                return _fit(value, each, name)
            except ValueError:
                continue
    elif origin is Literal:
        if value in inner:
            return value
    elif origin in (list, tuple) and isinstance(value, list | tuple):
        kinds = inner if origin is tuple and inner[-1] is not ... else (inner[0],) * len(value)
        if len(kinds) == len(value):
            return origin(_fit(each, kind, name) for each, kind in zip(value, kinds, strict=True))
    elif origin is dict and isinstance(value, dict):
        return {key: _fit(each, inner[1], name) for key, each in value.items()}
    elif hint is float and (type(value) is float or (type(value) is int and abs(value) < 1 << 64)):
        return float(value)
    elif hint in (str, int, bool, type(None)) and type(value) is hint:
        return value
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value)
    raise ValueError(f"{name} is of a wrong kind")
