"""`facechange evaluate`: measure exported graphs on labelled faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli import evaluate_photographs, evaluate_report, evaluate_video
from facechange.cli.change_measurement import (
    EXACT_ENGINE,
    ChangeOptions,
    draw_masks,
    grant_sheets,
    measure_anonymize,
    measure_change,
    open_subject,
)
from facechange.cli.console import counting, waiting
from facechange.cli.options import EngineOption, SheetConsentOption
from facechange.cli.report_output import JsonOption, MarkdownOption, show_report

app = typer.Typer(help="Measure the networks on labelled faces.", no_args_is_help=True)
app.command("report")(evaluate_report.report)
app.command("photographs")(evaluate_photographs.photographs)
app.command("video")(evaluate_video.video)

Faces = Annotated[Path, typer.Option(help="Folder with SPLIT.jsonl and its tar shards.")]
FacesOrPictures = Annotated[
    Path, typer.Option(help="Folder with SPLIT.jsonl and its tar shards, or of pictures (subfolders are groups).")
]
Evaluators = Annotated[
    list[str],
    typer.Option(
        help="Evaluator of identity: dlib, or an ONNX face recognizer. May be repeated; the first is the headline."
    ),
]
Landmarks = Annotated[
    list[str] | None,
    typer.Option(
        help="ONNX network of 68 landmarks, or dlib: pose and expression; mediapipe: dense pose and gaze. Repeatable."
    ),
]
Identity = Annotated[str, typer.Option(help="Identity network (.onnx) instead of the one that ships.")]
Split = Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")]
Model = Annotated[str, typer.Option(help="Exported graph (.onnx) instead of the one that ships.")]
Normalisation = Annotated[str, typer.Option(help="What the evaluator expects: imagenet or symmetric.")]
Seed = Annotated[int, typer.Option(help="Draws the pairs, the occluders and the bootstrap.")]


@app.command("change")
def change_command(
    faces: FacesOrPictures,
    evaluator: Evaluators,
    landmarks: Landmarks = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="Tar of photographs: what is put before faces is cut from them.")
    ] = None,
    references: Annotated[
        bool, typer.Option(help="Measure what to compare with: target, source pasted, forced masks.")
    ] = True,
    forced_masks: Annotated[
        bool, typer.Option(help="Measure the model with its masks forced to 0 and 1 as well.")
    ] = True,
    model: Model = "facechange-256",
    identity: Identity = "identity",
    split: Split = "val",
    normalisation: Normalisation = "imagenet",
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs of different faces.")] = 240,
    seed: Seed = 0,
    engine: EngineOption = EXACT_ENGINE,
    fid: Annotated[
        bool, typer.Option("--fid", help="Measure FID too; needs torch-fidelity and Inception's weights.")
    ] = False,
    inception: Annotated[
        Path | None, typer.Option(help="File of Inception's weights, so that none are fetched.")
    ] = None,
    json: JsonOption = None,
    markdown: MarkdownOption = None,
    grid: Annotated[
        Path | None, typer.Option(help="Write source, target, classical paste and result of the first pairs here.")
    ] = None,
    grid_pairs: Annotated[int, typer.Option(min=1, help="How many pairs the grid shows.")] = 12,
    cases: Annotated[Path | None, typer.Option(help="Write the best and worst pairs here (PNG or JPEG).")] = None,
    masks: Annotated[Path | None, typer.Option(help="Write the first pair's control masks here (PNG or JPEG).")] = None,
    consent: SheetConsentOption = None,
) -> None:
    """Identity moved, and everything else kept: the whole table of changed pairs, beside what to compare it with."""
    from facechange import evaluation
    from facechange.consent import load_context
    from facechange.provenance import check_writable

    evaluation.check_outputs(json, markdown)
    sheets = [path for path in (grid, cases, masks) if path is not None]
    for path in sheets:
        check_writable(load_context(), path)
    grant = grant_sheets(faces, split, consent) if sheets else None
    options = ChangeOptions(
        faces=faces,
        evaluators=tuple(evaluator),
        model=model,
        identity=identity,
        split=split,
        normalisation=normalisation,
        landmarks=tuple(landmarks or ()),
        backgrounds=backgrounds,
        references=references,
        forced_masks=forced_masks,
        pairs=pairs,
        seed=seed,
        engine=engine,
        fid=fid,
        inception=inception,
    )
    subject = open_subject(options)
    shown = evaluation.ShownCases(grid_pairs, max(1, min(grid_pairs, pairs) // 2))
    report = measure_change(options, subject, shown)
    draw = {grid: shown.draw_beside_paste, cases: shown.draw_extremes, masks: lambda: draw_masks(subject.change, shown)}
    for path in sheets:
        assert grant is not None
        evaluation.publish_sheet(draw[path](), path, grant, subject.change.card)
    show_report(report, f"{subject.change.card.name} {subject.change.card.version}", json, markdown)


@app.command("anonymize")
def anonymize_command(
    faces: FacesOrPictures,
    evaluator: Evaluators,
    landmarks: Landmarks = None,
    detector: Annotated[
        Path | None, typer.Option(help="ONNX file of YuNet: sees whether faces are still found.")
    ] = None,
    model: Model = "facechange-256",
    identity: Identity = "identity",
    split: Split = "val",
    normalisation: Normalisation = "imagenet",
    seed: Annotated[int, typer.Option(min=0, help="Decides who becomes whom; draws the bootstrap.")] = 0,
    engine: EngineOption = EXACT_ENGINE,
    json: JsonOption = None,
    markdown: MarkdownOption = None,
) -> None:
    """Whether people can still be told once every face is somebody who does not exist, and what is kept."""
    from facechange import evaluation

    evaluation.check_outputs(json, markdown)
    options = ChangeOptions(
        faces, tuple(evaluator), model, identity, split, normalisation, tuple(landmarks or ()), seed=seed, engine=engine
    )
    finder = None if detector is None else evaluation.Detector(detector)
    subject = open_subject(options)
    show_report(
        measure_anonymize(options, subject, finder),
        f"{subject.change.card.name} {subject.change.card.version}",
        json,
        markdown,
    )


@app.command("identity")
def identity_command(
    faces: Faces,
    recognizer: Annotated[Path, typer.Option(help="The ONNX face recognizer that taught it.")],
    model: Model = "identity",
    split: Split = "val",
    normalisation: Normalisation = "imagenet",
    seed: Seed = 0,
    json: JsonOption = None,
    markdown: MarkdownOption = None,
) -> None:
    """How far the identity network orders pairs of faces as its recognizer does."""
    from facechange import evaluation
    from facechange.runtime import load_graph

    evaluation.check_outputs(json, markdown)
    with waiting("Loading the networks"):
        evaluator, graph = evaluation.OnnxEvaluator(recognizer, normalisation), load_graph(model)
        labelled = evaluation.LabelledFaces(faces, split)
    with counting("Reading faces") as progress:
        report = evaluation.evaluate_identity(evaluation.identify_with(graph), labelled, evaluator, seed, progress)
    show_report(report, f"{graph.card.name} {graph.card.version}", json, markdown)


@app.command("scout")
def scout_command(
    faces: Faces,
    backgrounds: Annotated[Path, typer.Option(help="Tar of photographs without a face.")],
    model: Model = "scout",
    split: Split = "val",
    seed: Seed = 0,
    json: JsonOption = None,
    markdown: MarkdownOption = None,
) -> None:
    """Faces found again on backgrounds at any size and roll, and faces detected where there is none."""
    from facechange import evaluation
    from facechange.runtime import load_graph
    from facechange.swap import load_detector

    evaluation.check_outputs(json, markdown)
    with waiting("Looking for faces"):
        graph = load_graph(model)
        report = evaluation.evaluate_scout(load_detector(scout=model).detect, faces, backgrounds, split, seed)
    show_report(report, f"{graph.card.name} {graph.card.version}", json, markdown)
