"""`facechange evaluate video`: a changed video beside the one it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.change_measurement import open_landmarkers
from facechange.cli.console import counting, waiting
from facechange.cli.report_output import JsonOption, MarkdownOption, show_report


def video(
    original: Annotated[Path, typer.Argument(help="The video that was changed.", metavar="ORIGINAL")],
    changed: Annotated[Path, typer.Argument(help="What was made of it, frame for frame.", metavar="CHANGED")],
    landmarks: Annotated[
        list[str] | None,
        typer.Option(
            help="ONNX network of 68 landmarks, or dlib: mouth, expression and pose; mediapipe: gaze and dense pose. Repeatable."
        ),
    ] = None,
    detector: Annotated[
        Path | None, typer.Option(help="ONNX file of YuNet: finds the faces instead of what ships.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the bootstrap.")] = 0,
    json: JsonOption = None,
    markdown: MarkdownOption = None,
) -> None:
    """Whether a changed video is as steady as its original, and whether mouth, pose and gaze are kept over its
    frames."""
    from facechange.cli.extras import need_video

    need_video()
    from facechange import evaluation
    from facechange.evaluation.video_report import evaluate_video
    from facechange.swap import load_detector
    from facechange.swap.video.frames import read_upright
    from facechange.swap.video.probe import inspect_video

    evaluation.check_outputs(json, markdown)
    probes = [inspect_video(path) for path in (original, changed)]
    with waiting("Loading the evaluators and the detector"):
        landmarkers, mesh = open_landmarkers(landmarks or ())
        finder = load_detector(many_runs=True) if detector is None else evaluation.Detector(detector)
    with counting("Measuring the videos") as progress:
        before, after = (read_upright(path, of) for path, of in zip((original, changed), probes, strict=True))
        report = evaluate_video(
            before, after, finder.detect, probes[0].frames, seed, progress, landmarkers=landmarkers, mesh=mesh
        )
    show_report(report, f"{changed.name} beside {original.name}", json, markdown)
