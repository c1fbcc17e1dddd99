"""`facechange video`: put a person's face on the faces of a video."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.cluster import RayRequest, reaching, working
from facechange.cli.console import counting, say, tell_used, waiting
from facechange.cli.options import (
    BeyondOption,
    ConsentOption,
    DetectorThresholdOption,
    EncoderOption,
    EngineOption,
    FaceOption,
    KeepChoice,
    KeepOption,
    ModelOption,
    OutputOption,
    PresetOption,
    PurposeOption,
    QualityOption,
    RayOption,
    RayWorkersOption,
    ReportOption,
    StrengthOption,
    ThreadsOption,
    VerboseOption,
)
from facechange.cli.people import MapOption, SourceFaceOption, SourcesArgument, read_people

if TYPE_CHECKING:
    from facechange.consent import Grant
    from facechange.swap import Swapper
    from facechange.swap.assignment import IdentityAssignment
    from facechange.swap.video import PublishedVideo, VideoOptions


def video(
    *,
    sources: SourcesArgument = None,
    target: Annotated[
        Path, typer.Argument(help="The video to change, or numbered pictures: frames/%04d.png.", metavar="VIDEO")
    ],
    output: OutputOption,
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    rules: MapOption = None,
    source_face: SourceFaceOption = None,
    strength: StrengthOption = 1.0,
    keep: KeepOption = KeepChoice.mask,
    beyond: BeyondOption = None,
    trim: Annotated[
        str | None, typer.Option(help="Only a part: FROM-TO in seconds or [h:]m:s, as in 12.5-30.", show_default=False)
    ] = None,
    encoder: EncoderOption = None,
    quality: QualityOption = 80,
    preset: PresetOption = "veryfast",
    preview: Annotated[
        int,
        typer.Option(
            "--preview", min=0, max=24, help="Only make a sheet of so many frames, before and after, beside the output."
        ),
    ] = 0,
    face_report: ReportOption = None,
    model: ModelOption = "facechange-256",
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
    ray: RayOption = None,
    ray_workers: RayWorkersOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Change the faces of a video; sound, subtitles, chapters and metadata stay. The same command goes on after an
    interruption."""
    from facechange.cli.extras import need_video

    need_video()
    from facechange.consent import load_context
    from facechange.swap import load_swapper
    from facechange.swap.outcomes import check_report
    from facechange.swap.video import VideoOptions, publish_preview, request_video_change

    check_report(face_report)
    started = time.perf_counter()
    people = read_people(sources, rules, face, source_face)
    with waiting("Reading the video"):
        grant = request_video_change(load_context(), people.files, target, output, consent, purpose)
        swapper = load_swapper(model, threads, engine, True, threshold)
        assignment = people.assign(swapper)
    options = VideoOptions(
        face=people.selection,
        keep=keep.value,
        encoder=encoder,
        quality=quality,
        preset=preset,
        trim=trim,
        strength=strength,
    )
    options = options if beyond is None else replace(options, beyond=beyond.value)
    if preview:
        with waiting("Changing a few frames"):
            sheet = publish_preview(swapper, assignment, target, output, preview, grant=grant, options=options)
        say(f"{sheet}: before above, after below")
        return
    asked = RayRequest(ray, ray_workers) if ray else None
    with (
        reaching(asked) as cluster,
        working(asked, cluster, load_swapper, model, threads, engine, threshold) as pool,
    ):
        if pool is not None:
            from facechange.scale import SharedSwapper

            swapper = SharedSwapper(swapper, pool)
        change_one_video(swapper, assignment, target, output, grant, options, started, verbose, face_report)


def change_one_video(
    swapper: Swapper,
    assignment: IdentityAssignment,
    target: Path,
    output: Path,
    grant: Grant,
    options: VideoOptions,
    started: float,
    verbose: bool,
    face_report: Path | None = None,
) -> None:
    """Change a video and say what became of it; one without a face is copied as it is. `started` is of
    `time.perf_counter`.

    Exits with `EXIT_NOT_ALL_CHANGED` where a face had to be covered or left. `face_report` is where to write what
    became of each.
    """
    from facechange.core import FaceError
    from facechange.core.files import copy_whole
    from facechange.swap.video import FacelessVideoError, change_video

    if verbose:
        tell_used(swapper, grant)
    try:
        with counting("Changing the video") as report:
            done = change_video(swapper, assignment, target, output, grant=grant, options=options, report=report)
    except FacelessVideoError as error:
        if target.suffix.lower() != output.suffix.lower() or options.trim:
            raise
        if assignment.hides and error.unseen:
            remedy = f"Take out what a copy would show all the same: {', '.join(error.unseen)}."
            raise FaceError(
                f"{target.name}: no frame has such a face, but it holds what nobody looked at.", remedy
            ) from None
        copy_whole(target, output)
        told = ", with whatever names and places it tells" if assignment.hides else ""
        say(f"{output}: no frame has such a face, so it is {target.name} as it was{told}")
        return
    for selector in done.unmet:
        say(f"No frame has a face for {selector}.", err=True)
    for words in done.left_out:
        say(f"Left out, because {output.suffix} cannot hold it: {words}.", err=True)
    if done.taken_away:
        say(f"Taken away: {', '.join(done.taken_away)}.", err=True)
    if done.repeated:
        say(f"{done.repeated} damaged frames show the frame before them.", err=True)
    if done.interlaced:
        say(
            f"{done.interlaced} frames were interlaced: of the two moments in each the first is a whole picture now.",
            err=True,
        )
    if done.resumed_at:
        say(f"{done.resumed_at} frames were there from an earlier run.", err=True)
    say(f"{done.path}: {done.changed} of {done.frames} frames changed in {time.perf_counter() - started:.1f} s")
    _tell_faces(done, assignment.hides, face_report)


def _tell_faces(done: PublishedVideo, hides: bool, face_report: Path | None) -> None:
    """Say what became of the faces that were not plainly changed."""
    from facechange.core import EXIT_NOT_ALL_CHANGED
    from facechange.swap import outcomes

    say(f"  {outcomes.summarise(done.outcomes, hides)}")
    frames = [f"frames {row['first_frame']} to {row['last_frame']}" for row in done.faces]
    for outcome, seen in zip(done.outcomes, frames, strict=True):
        if hides or not outcome.recognisable:
            say(f"  {seen}, {outcomes.describe(outcome, hides)}")
    if face_report is not None:
        outcomes.write_report(
            face_report, {"output": str(done.path), **outcomes.tabulate_video(done.faces, done.outcomes, hides)}
        )
    if hides and not outcomes.is_all_changed(done.outcomes):
        raise typer.Exit(EXIT_NOT_ALL_CHANGED)
