"""`facechange swap`: put a person's face on the faces of a photograph."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import say, tell_used, waiting
from facechange.cli.options import (
    BeyondOption,
    ConsentOption,
    DetectorThresholdOption,
    EngineOption,
    FaceOption,
    KeepChoice,
    KeepOption,
    ModelOption,
    OutputOption,
    PurposeOption,
    ReportOption,
    StrengthOption,
    ThreadsOption,
    VerboseOption,
)
from facechange.cli.people import MapOption, SourceFaceOption, SourcesArgument, read_people
from facechange.cli.remote import KeyFileOption, ServerOption, swap_elsewhere

if TYPE_CHECKING:
    from facechange.consent import Grant
    from facechange.swap import Published, Swapper


def swap(
    *,
    sources: SourcesArgument = None,
    target: Annotated[Path, typer.Argument(help="The photograph to change.")],
    output: OutputOption,
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    rules: MapOption = None,
    source_face: SourceFaceOption = None,
    strength: StrengthOption = 1.0,
    keep: KeepOption = KeepChoice.mask,
    beyond: BeyondOption = None,
    report: ReportOption = None,
    model: ModelOption = "facechange-512",
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
    server: ServerOption = None,
    key_file: KeyFileOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Change the faces of one photograph."""
    from facechange.consent import load_context
    from facechange.swap import change_photograph, load_swapper, request_change
    from facechange.swap.outcomes import check_report

    check_report(report)
    started = time.perf_counter()
    people = read_people(sources, rules, face, source_face)
    if server is not None:
        told = None if beyond is None else beyond.value
        swap_elsewhere(server, key_file, people, target, output, consent, purpose, strength, keep.value, told, model)
        return
    with waiting("ChangeCaller the photograph"):
        grant = request_change(load_context(), people.files, target, output, consent, purpose)
        swapper = load_swapper(model, threads, engine, False, threshold)
        assignment, chosen = people.assign(swapper), people.selection
        published = change_photograph(
            swapper,
            assignment,
            target,
            output,
            grant=grant,
            face=chosen,
            strength=strength,
            keep=keep.value,
            beyond="left" if beyond is None else beyond.value,
        )
    say_published(published, swapper, grant, started, verbose, report=report)


def say_published(
    published: Published,
    swapper: Swapper,
    grant: Grant,
    started: float,
    verbose: bool,
    hides: bool = False,
    report: Path | None = None,
) -> None:
    """Where a changed photograph is, what became of its faces, and how long it took since `started` (of
    `time.perf_counter`).

    Exits with `EXIT_NOT_ALL_CHANGED` where one had to be covered or left.
    """
    from facechange.core import EXIT_NOT_ALL_CHANGED
    from facechange.swap import outcomes

    if verbose:
        tell_used(swapper, grant)
    for error in published.unmet.values():
        say(str(error), err=True)
    if published.taken_away:
        say(f"Taken away: {', '.join(published.taken_away)}.", err=True)
    if published.turned:
        left = "1 face was" if published.turned == 1 else f"{published.turned} faces were"
        say(f"{left} left: turned further from the viewer than a change can follow.", err=True)
    say(f"{published.path}: {outcomes.summarise(published.outcomes, hides)} in {time.perf_counter() - started:.1f} s")
    if hides or not all(outcome.recognisable for outcome in published.outcomes):
        for number, outcome in enumerate(published.outcomes, start=1):
            say(f"  face {number} {outcomes.describe(outcome, hides)}")
    if report is not None:
        outcomes.write_report(
            report, {"output": str(published.path), **outcomes.tabulate_all(published.outcomes, hides)}
        )
    if hides and not outcomes.is_all_changed(published.outcomes):
        raise typer.Exit(EXIT_NOT_ALL_CHANGED)
