"""`facechange anonymize`: give every face to somebody who does not exist."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.console import waiting
from facechange.cli.options import (
    DetectorThresholdOption,
    EngineOption,
    FaceOption,
    PurposeOption,
    ThreadsOption,
    VerboseOption,
)

BASIS = "The people shown are made unrecognisable: each face becomes that of somebody who does not exist."


def anonymize(
    target: Annotated[Path, typer.Argument(help="The photograph, the video or the folder to change.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write the result: a file, or a folder for a folder.")],
    seed: Annotated[int, typer.Option(min=0, help="Decides who becomes whom; the same seed gives the same personas.")] = 0,
    consent: Annotated[
        str | None,
        typer.Option(help="On what basis it is done; that people are made unrecognisable, by default.", show_default=False),
    ] = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    model: Annotated[
        str | None, typer.Option("--model", help="As for swap, or for video where the target is one.", show_default=False)
    ] = None,
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Make the people in pictures unrecognisable: pose, expression, light and background stay, each person becomes a persona."""
    from facechange.change import PersonaCast, change_photograph, load_changer, request_change
    from facechange.change.folder.finding import is_moving
    from facechange.cli.swap import say_published

    cast, basis = PersonaCast(seed), consent or BASIS
    moving = target.is_file() and is_moving(target)
    model = model or ("change" if moving else "change-large")
    if target.is_dir():
        from facechange.change.folder import DEFAULT_PATTERN, ChangeOptions
        from facechange.cli.folders import FolderRequest, change_folder

        request = FolderRequest(target, output, (), basis, purpose, True, DEFAULT_PATTERN)
        change_folder(request, cast.describe(), lambda changer: cast, ChangeOptions(face), model, threads, engine, threshold, verbose)
        return
    started = time.perf_counter()
    if moving:
        from facechange.cli.extras import need_video

        need_video()
        from facechange.change.video import VideoOptions, request_video_change
        from facechange.cli.video import change_one_video

        grant = request_video_change([], target, output, basis, purpose, persona=True)
        change_one_video(
            load_changer(model, threads, engine, True, threshold), cast, target, output, grant, VideoOptions(face), started, verbose
        )
        return
    grant = request_change([], target, output, basis, purpose, persona=True)
    with waiting("Changing the photograph"):
        changer = load_changer(model, threads, engine, False, threshold)
        published = change_photograph(changer, cast, target, output, grant=grant, face=face)
    say_published(published, changer, grant, started, verbose)
