"""`facechange masks`: see what the model takes from where."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import waiting
from facechange.cli.options import ConsentOption, FaceOption, ModelOption, OutputOption, ThreadsOption


def masks(
    source: Annotated[Path, typer.Argument(help="A picture of the person who gives the identity.")],
    target: Annotated[Path, typer.Argument(help="The photograph to change.")],
    output: OutputOption,
    consent: ConsentOption = None,
    face: FaceOption = "largest",
    model: ModelOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Draw a sheet of one change: source, target, result and every control mask."""
    from facechange.change import check_request, load_changer, publish_mask_sheet

    started = time.perf_counter()
    check_request([source, target], output, consent)
    with waiting("Drawing the masks"):
        published = publish_mask_sheet(load_changer(model, threads), source, target, output, consent=consent, face=face)
    typer.echo(f"{published.path}: masks of 1 face drawn in {time.perf_counter() - started:.1f} s")
