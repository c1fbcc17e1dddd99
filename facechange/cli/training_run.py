"""What every training command shares: rows of numbers on stdout, numbers by name, and Ctrl-C in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from facechange.cli.console import say


def print_row(row: dict[str, float]) -> None:
    """One line with every value by name."""
    say("  ".join(f"{name} {value:,.0f}" if name == "pictures" else f"{name} {value:.4g}" for name, value in row.items()))


def parse_numbers(texts: list[str]) -> dict[str, float]:
    """`["identity=5"]` to `{"identity": 5.0}`; raises `TrainingError`."""
    from facechange.core import TrainingError

    numbers = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            numbers[name] = float(value)
        except ValueError:
            raise TrainingError(f"{text!r} gives no name and number.", "Write it as identity=5.") from None
    return numbers


@contextmanager
def interruptible(run: Path) -> Iterator[None]:
    """Ctrl-C ends a run in one sentence; the loop has saved its state by then."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"Stopped; the same command goes on from the checkpoint in {run}.", err=True)
        raise typer.Exit(130) from None
