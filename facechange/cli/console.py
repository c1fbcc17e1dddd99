"""What people see on stderr beside the result: progress, where it is a terminal, and what was left out."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facechange.consent import Grant
    from facechange.swap import Swapper

NAMED = 3  # of what was skipped for one reason, so many are named


def say(*lines: str, err: bool = False) -> None:
    """`core.words.say`, the one that prints; imported late, as it brings NumPy along, which help does not need."""
    from facechange.core import say

    say(*lines, err=err)


def say_json(value: object) -> None:
    """`core.words.say_json`, likewise."""
    from facechange.core import say_json

    say_json(value)


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", caption: str = "") -> None:
    """A table on stdout; what its cells hold is text and never an instruction to the terminal. Numbers begin in the
    third column."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from facechange.core import show

    table = Table(title=Text(show(title)) if title else None, caption=Text(show(caption)) if caption else None)
    for number, heading in enumerate(headings):
        table.add_column(Text(show(heading)), justify="left" if number < 2 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(show(cell)) for cell in row))
    Console().print(table)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Turn a spinner beside `text` while the body runs."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # late: most of a short command's start would be this import

    with Console(stderr=True).status(text):
        yield


@contextmanager
def counting(text: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left; the body calls the function with (done, total)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def tell_used(swapper: Swapper, grant: Grant) -> None:
    """What a change rests on, and what makes it."""
    say(f"Consent: {grant.id}. Model: {swapper.model}, on {swapper.engine}: {swapper.engine_reason}.", err=True)


def tell_skipped(skipped: Mapping[str, str]) -> None:
    """Say what was left out and why, a line a reason; `skipped` gives each name's."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, reason in skipped.items():
        names[reason].append(name)
    for reason, group in names.items():
        more = f" and {len(group) - NAMED:,} more" if len(group) > NAMED else ""
        say(f"Skipped {', '.join(group[:NAMED])}{more}: {reason}", err=True)
