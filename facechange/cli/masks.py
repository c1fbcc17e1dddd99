"""`facechange masks`: see what the model takes from where."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import say, waiting
from facechange.cli.options import (
    ConsentOption,
    EngineOption,
    FaceOption,
    ModelOption,
    OutputOption,
    PurposeOption,
    ThreadsOption,
)
from facechange.cli.people import SourceFaceOption


def masks(
    source: Annotated[Path, typer.Argument(help="A picture of the person who gives the identity.")],
    target: Annotated[Path, typer.Argument(help="The photograph to change.")],
    output: OutputOption,
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "largest",
    source_face: SourceFaceOption = None,
    model: ModelOption = "facechange-512",
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
) -> None:
    """Draw a sheet of one change: source, target, result and every control mask."""
    from facechange.consent import load_context
    from facechange.faces.select import FaceSelector
    from facechange.swap import load_swapper, publish_mask_sheet, request_change

    started = time.perf_counter()
    giving = None if source_face is None else FaceSelector.parse(source_face)
    with waiting("Drawing the masks"):
        grant = request_change(load_context(), [source], target, output, consent, purpose)
        swapper = load_swapper(model, threads, engine)
        published = publish_mask_sheet(
            swapper, source, target, output, grant=grant, face=FaceSelector.parse(face), source_face=giving
        )
    say(f"{published.path}: masks of 1 face drawn in {time.perf_counter() - started:.1f} s")
