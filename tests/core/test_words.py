"""What came from outside reaches a terminal as text alone."""

import ast
import io
import json
import sys
from pathlib import Path

import pytest

import facechange
from facechange.core import clean_line, say, say_json, show

ROOT = Path(facechange.__file__).parent
STEERING = "a\x1b[31m\nb\r\t\x07\x7f\x9b2J\u202egpj.\u2028\udcff"
# The only files that write to a terminal by themselves, and what.
PRINTERS = {
    "core/words.py": "the place",
    "cli/app.py": "the version",
    "cli/console.py": "tables, whose cells it shows as the place does, and progress, in words of its own",
    "cli/live.py": "a line of numbers that is written over",
    "service/log.py": "the service's log, JSON in ASCII alone",
}


def test_a_text_is_shown_on_one_line_that_steers_nothing() -> None:
    assert show(STEERING) == r"a\x1b[31m\nb\r\t\x07\x7f\x9b2J\u202egpj.\u2028\udcff"
    assert show(show(STEERING)) == show(STEERING)
    assert show("Zoë 顔 [b]👍") == "Zoë 顔 [b]👍"
    assert clean_line(STEERING) == "a[31m b 2Jgpj."


def test_lines_are_said_whatever_the_terminal_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    say("Zoë", "a\nb")
    say_json({"name": STEERING + "ë"})
    sys.stdout.flush()
    said = written.getvalue().decode("ascii")
    assert said.startswith("Zo\\xeb\na\\nb\n")
    assert json.loads(said.split("\n", 2)[2])["name"] == STEERING + "ë"
    assert not set(said) & set("\x1b\x07\x7f")


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_else_prints(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        words = ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""
        prints = words in {"print", "typer.echo", "typer.secho", "sys.stdout", "sys.stderr", "Console", "logging"}
        assert not prints or path.relative_to(ROOT).as_posix() in PRINTERS, (
            f"{path}:{node.lineno} {words}: use core.words.say"
        )
