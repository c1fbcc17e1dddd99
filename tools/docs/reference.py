"""Makes the pages of reference that come from the code: the command line and the Python API. `make docs` runs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

import facechange
from facechange.cli.app import app

MADE = "<!-- Made by tools/docs/reference.py from the code; do not edit. -->\n"


def main(folder: Path) -> None:
    """Write `cli.md` and `api.md` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cli.md").write_text(describe_commands(), encoding="utf-8")
    (folder / "api.md").write_text(describe_api(), encoding="utf-8")


def describe_commands() -> str:
    """Every command with its arguments and options, as Markdown."""
    command = typer.main.get_command(app)
    lines = [MADE, "# Command line", "", _plain(command.help or ""), ""]
    lines += [
        "Every command has `--help`, which says the same. [Exit codes](exit-codes.md) tell what became of it.",
        "",
    ]
    for path, each in _leaves(command, "facechange"):
        lines += [f"## {path}", "", _plain(each.help or ""), "", *_usage(path, each), *_table(each)]
    return "\n".join(lines)


def describe_api() -> str:
    """A page that shows whatever `facechange.__all__` names."""
    lines = [
        MADE,
        "# Python",
        "",
        "What `import facechange` offers. Everything else is private, and can change without notice.",
        "",
    ]
    for name in (name for name in facechange.__all__ if not name.startswith("_")):
        lines += [f"::: facechange.{name}", ""]
    return "\n".join(lines)


def _leaves(command: Any, path: str) -> list[tuple[str, Any]]:
    """The commands below `command` that do something, with the words that call them."""
    below = getattr(command, "commands", None)
    if below is None:
        return [(path, command)]
    return [leaf for name, each in below.items() if not each.hidden for leaf in _leaves(each, f"{path} {name}")]


def _usage(path: str, command: Any) -> list[str]:
    """A line that shows what follows the command's name."""
    words = " ".join(command.collect_usage_pieces(_context(command, path)))
    return [f"    {path} {words}", ""]


def _table(command: Any) -> list[str]:
    """What each argument and option is, as its help says it."""
    rows = []
    for each in command.params:
        if getattr(each, "hidden", False) or "--help" in each.opts:
            continue
        record = each.get_help_record(_context(command, ""))
        if record is not None:
            rows.append(f"| `{record[0].strip().replace('|', ', ')}` | {_plain(record[1])} |")
    return ["| | |", "|---|---|", *rows, ""] if rows else []


def _context(command: Any, path: str) -> Any:
    return command.context_class(command, info_name=path, resilient_parsing=True)


def _plain(text: str) -> str:
    """One line that Markdown takes for text."""
    text = " ".join(text.split())
    for sign in "\\|<*_[":
        text = text.replace(sign, "\\" + sign)
    return text


if __name__ == "__main__":
    main(Path(sys.argv[1]))
