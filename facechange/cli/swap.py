"""`facechange swap`: put a person's face on the faces of a photograph."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import waiting
from facechange.cli.options import (
    ConsentOption,
    EngineOption,
    FaceOption,
    ModelOption,
    OutputOption,
    PurposeOption,
    StrengthOption,
    ThreadsOption,
)

if TYPE_CHECKING:
    from facechange.change import Changer, Published
    from facechange.trust import Grant


class KeepChoice(StrEnum):
    """The values of `--keep`."""

    mask = "mask"
    crop = "crop"


def swap(
    sources: Annotated[list[Path], typer.Argument(help="One or more pictures of the person who gives the identity.", metavar="SOURCE...")],
    target: Annotated[Path, typer.Argument(help="The photograph to change.")],
    output: OutputOption,
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    strength: StrengthOption = 1.0,
    keep: Annotated[
        KeepChoice, typer.Option(help="mask: the photograph's own pixels where nothing changed; crop: the model's whole crop.")
    ] = KeepChoice.mask,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what is used.")] = False,
) -> None:
    """Change the faces of one photograph."""
    from facechange.change import cast_sources, change_photograph, load_changer, request_change

    started = time.perf_counter()
    grant = request_change(sources, target, output, consent, purpose)
    with waiting("Changing the photograph"):
        changer = load_changer(model, threads, engine)
        casting = cast_sources(changer, sources)
        published = change_photograph(changer, casting, target, output, grant=grant, face=face, strength=strength, keep=keep.value)
    say_published(published, changer, grant, started, verbose)


def say_published(published: Published, changer: Changer, grant: Grant, started: float, verbose: bool) -> None:
    """Where a changed photograph is, and how long it took since `started` (of `time.perf_counter`)."""
    if verbose:
        typer.echo(f"Consent: {grant.id}. Model: {changer.model}, on {changer.engine}", err=True)
    count = "1 face" if published.faces == 1 else f"{published.faces} faces"
    typer.echo(f"{published.path}: {count} changed in {time.perf_counter() - started:.1f} s")
