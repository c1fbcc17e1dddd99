"""`facechange swap`: put a person's face on the faces of a photograph."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import waiting
from facechange.cli.options import (
    ConsentOption,
    DetectorThresholdOption,
    EngineOption,
    FaceOption,
    KeepChoice,
    KeepOption,
    ModelOption,
    OutputOption,
    PurposeOption,
    SourcesArgument,
    StrengthOption,
    ThreadsOption,
    VerboseOption,
)

if TYPE_CHECKING:
    from facechange.change import Changer, Published
    from facechange.trust import Grant


def swap(
    sources: SourcesArgument,
    target: Annotated[Path, typer.Argument(help="The photograph to change.")],
    output: OutputOption,
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    strength: StrengthOption = 1.0,
    keep: KeepOption = KeepChoice.mask,
    model: ModelOption = "change-large",
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Change the faces of one photograph."""
    from facechange.change import cast_sources, change_photograph, load_changer, request_change

    started = time.perf_counter()
    grant = request_change(sources, target, output, consent, purpose)
    with waiting("Changing the photograph"):
        changer = load_changer(model, threads, engine, False, threshold)
        casting = cast_sources(changer, sources)
        published = change_photograph(changer, casting, target, output, grant=grant, face=face, strength=strength, keep=keep.value)
    say_published(published, changer, grant, started, verbose)


def say_published(published: Published, changer: Changer, grant: Grant, started: float, verbose: bool) -> None:
    """Where a changed photograph is, and how long it took since `started` (of `time.perf_counter`)."""
    if verbose:
        typer.echo(f"Consent: {grant.id}. Model: {changer.model}, on {changer.engine}", err=True)
    count = "1 face" if published.faces == 1 else f"{published.faces} faces"
    typer.echo(f"{published.path}: {count} changed in {time.perf_counter() - started:.1f} s")
