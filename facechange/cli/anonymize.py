"""`facechange anonymize`: give every face to somebody who does not exist."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.cluster import RayRequest
from facechange.cli.console import say, waiting
from facechange.cli.options import (
    DetectorThresholdOption,
    EngineOption,
    FaceOption,
    FallbackChoice,
    FallbackOption,
    PurposeOption,
    RayOption,
    RayWorkersOption,
    ReportOption,
    ThreadsOption,
    VerboseOption,
)
from facechange.cli.people import read_selection

PHOTOGRAPHS = "facechange-512"  # the model for them; videos get the quick one


def anonymize(
    target: Annotated[Path, typer.Argument(help="The photograph, the video or the folder to change.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where to write the result: a file, or a folder for a folder.")
    ],
    seed: Annotated[
        int, typer.Option(min=0, help="Decides who becomes whom; the same seed gives the same personas.")
    ] = 0,
    consent: Annotated[
        str | None,
        typer.Option(
            help="On what basis it is done; that people are made unrecognisable, by default.", show_default=False
        ),
    ] = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="Only this person, as in like:ann.jpg; repeat it for more.",
            metavar="SELECTOR",
            show_default=False,
        ),
    ] = None,
    all_but: Annotated[
        list[str] | None,
        typer.Option(
            "--all-but",
            help="Everybody but this person, as in like:ann.jpg; repeat it for more.",
            metavar="SELECTOR",
            show_default=False,
        ),
    ] = None,
    fallback: FallbackOption = FallbackChoice.blur,
    report: ReportOption = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="As for swap, or for video where the target is one.", show_default=False),
    ] = None,
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
    ray: RayOption = None,
    ray_workers: RayWorkersOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Make the people in pictures unrecognisable: pose, expression, light and background stay, each person becomes a
    persona.

    What names people or places in the file's metadata is taken away, dates too; sound and subtitles stay. Every result
    is compared with its original. A face that stays like it gets another persona, then a stronger change, and is
    covered in the end; then the exit code is 11.
    """
    from facechange.cli.swap import say_published
    from facechange.consent import load_context
    from facechange.images.kinds import is_moving
    from facechange.images.reading import readable_file
    from facechange.swap import PersonaAssignment, change_photograph, load_swapper, request_change
    from facechange.swap.anonymize import BASIS
    from facechange.swap.outcomes import check_report

    if report is not None and target.is_dir():
        raise typer.BadParameter(
            "A folder gets its report by itself: facechange-batch.json beside the results.", param_hint="--report"
        )
    if ray is not None and not target.is_dir():
        raise typer.BadParameter("Only a folder is shared among machines.", param_hint="--ray")
    check_report(report)
    chosen = read_selection(face, only, all_but)
    assignment, basis = PersonaAssignment(seed), consent or BASIS
    if target.is_dir():
        from facechange.cli.folders import FolderRequest, change_folder
        from facechange.swap.batch import DEFAULT_PATTERN, ChangeOptions

        say("Names, places, dates, captions and previews in what the files say of themselves are taken away.", err=True)
        request = FolderRequest(
            target, output, (), basis, purpose, True, DEFAULT_PATTERN, RayRequest(ray, ray_workers) if ray else None
        )
        options = ChangeOptions(face=chosen, fallback=fallback.value)
        given = options, model or PHOTOGRAPHS, threads, engine, threshold, verbose
        change_folder(request, assignment.describe, lambda swapper: assignment, *given)
        return
    started = time.perf_counter()
    with readable_file(target):
        moving = is_moving(target)
    if moving:
        from facechange.cli.extras import need_video

        need_video()
        from facechange.cli.video import change_one_video
        from facechange.swap.video import VideoOptions, request_video_change

        settings = VideoOptions(face=chosen, fallback=fallback.value)
        with waiting("Reading the video"):
            grant = request_video_change(load_context(), [], target, output, basis, purpose, persona=True)
            swapper = load_swapper(model or "facechange-256", threads, engine, True, threshold)
        change_one_video(swapper, assignment, target, output, grant, settings, started, verbose, report)
        return
    with waiting("Changing the photograph"):
        grant = request_change(load_context(), [], target, output, basis, purpose, persona=True)
        swapper = load_swapper(model or PHOTOGRAPHS, threads, engine, False, threshold)
        published = change_photograph(
            swapper, assignment, target, output, grant=grant, face=chosen, fallback=fallback.value
        )
    say_published(published, swapper, grant, started, verbose, hides=True, report=report)
