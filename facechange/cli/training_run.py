"""What every training command shares: options, rows of numbers on stdout, numbers by name, and Ctrl-C in one
sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from facechange.cli.console import say
from facechange.training.config import RunConfig, default_of

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Table of the run: TOML, or the config.json of another. Options override it.",
        show_default=False,
    ),
]
Shards = Annotated[
    Path | None, typer.Option("--train", help="Aligned shards made by: facechange data prepare", show_default=False)
]
Val = Annotated[Path | None, typer.Option(help="Aligned shards to report on.", show_default=False)]
RunFolder = Annotated[
    Path | None, typer.Option("-o", "--run", help="Folder of the run; give it again to go on.", show_default=False)
]
Recognizer = Annotated[
    Path | None, typer.Option(help="The recognizer: MobileFaceNet weights (.safetensors).", show_default=False)
]
Backgrounds = Annotated[
    Path | None, typer.Option(help="Tar of photographs without a face, to cut occluders from.", show_default=False)
]
Weights = Annotated[
    list[str] | None, typer.Option(help="Weight of a loss, as identity=5; may be repeated.", show_default=False)
]


def option(kind: type[RunConfig], name: str, words: str, *names: str, **limits: Any) -> Any:
    """An option that may be left out, whose help tells the default in the run's table."""
    return typer.Option(*names, help=words, show_default=default_of(kind, name), **limits)


def print_row(row: dict[str, float]) -> None:
    """One line with every value by name."""
    say(
        "  ".join(
            f"{name} {value:,.0f}" if name == "pictures" else f"{name} {value:.4g}" for name, value in row.items()
        )
    )


def parse_numbers(texts: list[str] | None) -> dict[str, float]:
    """`["identity=5"]` to `{"identity": 5.0}`; raises `TrainingError`."""
    from facechange.core import TrainingError

    numbers = {}
    for text in texts or []:
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
