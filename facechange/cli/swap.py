"""`facechange swap`: put a person's face on the faces of a photograph."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import waiting
from facechange.cli.options import ConsentOption, FaceOption, ModelOption, OutputOption, ThreadsOption


class KeepChoice(StrEnum):
    """The values of `--keep`."""

    mask = "mask"
    crop = "crop"


def swap(
    sources: Annotated[list[Path], typer.Argument(help="One or more pictures of the person who gives the identity.", metavar="SOURCE...")],
    target: Annotated[Path, typer.Argument(help="The photograph to change.")],
    output: OutputOption,
    consent: ConsentOption = None,
    face: FaceOption = "all",
    strength: Annotated[float, typer.Option(min=0.0, max=1.3, help="How far to go: 0 the target's own identity, 1 the source's.")] = 1.0,
    keep: Annotated[
        KeepChoice, typer.Option(help="mask: the photograph's own pixels where nothing changed; crop: the model's whole crop.")
    ] = KeepChoice.mask,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what is used.")] = False,
) -> None:
    """Change the faces of one photograph."""
    from facechange.change import change_photograph, check_request, load_changer

    started = time.perf_counter()
    check_request([*sources, target], output, consent)
    with waiting("Changing the photograph"):
        changer = load_changer(model, threads)
        published = change_photograph(changer, sources, target, output, consent=consent, face=face, strength=strength, keep=keep.value)
    if verbose:
        typer.echo(f"Model: {changer.model}", err=True)
    count = "1 face" if published.faces == 1 else f"{published.faces} faces"
    typer.echo(f"{published.path}: {count} changed in {time.perf_counter() - started:.1f} s")
