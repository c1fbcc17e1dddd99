"""Own files, read as if a stranger wrote them."""

import ast
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

import facechange
from facechange.core.stored import build, parse_json, parse_toml, read_json, read_text

ROOT = Path(facechange.__file__).parent
DEEP = 100_000
# The only files that may read such texts otherwise, and why.
READERS = {
    "core/stored.py": "the place",
    "provenance/credentials.py": "what c2pa reports of anybody's manifests, which may nest as they like",
}


@dataclass(frozen=True)
class Inner:
    count: int


@dataclass(frozen=True)
class Outer:
    name: str
    size: float
    state: Literal["on", "off"]
    pair: tuple[int, int] = (0, 0)
    many: tuple[str, ...] = ()
    inner: list[Inner] = field(default_factory=list)
    end: int | None = None
    anything: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize("parse", [parse_json, parse_toml])
@pytest.mark.parametrize("depth", [100, DEEP])
def test_what_is_nested_too_deeply_is_an_ordinary_error(parse: Any, depth: int) -> None:
    start = "" if parse is parse_json else "a = "
    with pytest.raises(ValueError, match="too deeply"):
        parse(start + "[" * depth + "]" * depth)
    assert parse(start + "[" * 9 + "]" * 9)


def test_a_dataclass_is_built_of_a_table() -> None:
    table = {"name": "a", "size": 2, "state": "on", "pair": [1, 2], "many": ["x"], "inner": [{"count": 3}], "end": None}
    table["anything"] = {"b": []}
    assert build(Outer, parse_json(json.dumps(table))) == Outer(
        "a", 2.0, "on", (1, 2), ("x",), [Inner(3)], None, {"b": []}
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 5}, "name"),
        ({"size": "5"}, "size"),
        ({"size": True}, "size"),
        ({"size": 10**400}, "size"),
        ({"state": "maybe"}, "state"),
        ({"state": []}, "state"),
        ({"pair": [1]}, "pair"),
        ({"pair": [1, 2.5]}, "pair"),
        ({"many": "text"}, "many"),
        ({"inner": [5]}, "table"),
        ({"inner": [{"count": True}]}, "count"),
        ({"end": "x"}, "end"),
        ({"anything": []}, "anything"),
        ({"more": 1}, "more is unknown"),
    ],
)
def test_a_value_of_a_wrong_kind_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build(Outer, {"name": "a", "size": 1.5, "state": "on", **change})


@pytest.mark.parametrize("table", [None, 5, "text", [], {"name": "a"}])
def test_what_is_no_such_table_is_said(table: Any) -> None:
    with pytest.raises(ValueError, match=r"table|missing"):
        build(Outer, table)


def test_a_pipe_or_a_folder_is_no_file_to_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", tmp_path):
        with pytest.raises(ValueError, match="not a file"):
            read_json(path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="codec"):
        read_text(tmp_path / "bytes")


def test_json_and_toml_are_read_in_one_place() -> None:
    for path in sorted(ROOT.rglob("*.py")):
        calls = [
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)
        ]
        parsing = [
            node.lineno
            for node in calls
            if ast.unparse(node) in {"json.load", "json.loads", "tomllib.load", "tomllib.loads"}
        ]
        assert not parsing or path.relative_to(ROOT).as_posix() in READERS, f"{path}:{parsing} reads a text itself"


def test_half_a_character_is_refused_and_a_name_of_any_bytes_is_not() -> None:
    for half in ('"\\ud800"', '{"a\\udfff": 1}'):
        with pytest.raises(ValueError, match="surrogates"):
            parse_json(half)
    assert parse_json('["\\ud83d\\ude00", "\\udc80"]') == ["\U0001f600", "\udc80"]
