"""`facechange evaluate report`: all measurements, on one page, with pictures and in the cards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.change_measurement import (
    EXACT_ENGINE,
    ChangeOptions,
    ChangeSubject,
    draw_masks,
    measure_anonymize,
    measure_change,
    open_subject,
)
from facechange.cli.console import counting, waiting
from facechange.cli.options import EngineOption

if TYPE_CHECKING:
    from facechange.evaluation import Detector, Report
    from facechange.evaluation.results_page import ModelResults, Subject
    from facechange.runtime import Graph

SHOWN_PAIRS = 8
MADE_FACES = 48
COMMAND = (
    "facechange evaluate report --faces FACES --backgrounds BACKGROUNDS.tar --recogniser JUDGE.onnx "
    "--landmarks LANDMARKS.onnx --detector YUNET.onnx --cards -o FOLDER"
)


def report(
    faces: Annotated[Path, typer.Option(help="Folder with SPLIT.jsonl and its tar shards.")],
    backgrounds: Annotated[Path, typer.Option(help="Tar of photographs without a face.")],
    recogniser: Annotated[Path, typer.Option(help="Judge of identity, and the identity network's teacher: an ONNX face recogniser.")],
    landmarks: Annotated[Path, typer.Option(help="ONNX network of 68 landmarks.")],
    detector: Annotated[Path, typer.Option(help="ONNX file of YuNet.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for results.md and results/.")],
    model: Annotated[list[str] | None, typer.Option(help="Face-change model (.onnx), once or more. Without it those that ship.")] = None,
    identity: Annotated[str, typer.Option(help="Identity network (.onnx) instead of the one that ships.")] = "identity",
    locator: Annotated[str, typer.Option(help="Face locator (.onnx) instead of the one that ships.")] = "locator",
    split: Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")] = "val",
    normalisation: Annotated[str, typer.Option(help="What the recogniser expects: imagenet or symmetric.")] = "imagenet",
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs of different faces.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Draws pairs, occluders, pictures, personas and the bootstrap.")] = 0,
    engine: EngineOption = EXACT_ENGINE,
    judge_taught: Annotated[
        bool, typer.Option("--judge-taught/--judge-independent", help="Whether the recogniser took part in training.")
    ] = True,
    cards: Annotated[bool, typer.Option("--cards", help="Put the values into the model cards too.")] = False,
) -> None:
    """Measure the networks and anonymising: a page, its pictures and numbers; the pictures show only faces that the model made."""
    from facechange import evaluation
    from facechange.evaluation.report import write_text
    from facechange.evaluation.results_page import write_page
    from facechange.runtime import CHANGE_NAMES, graph_path

    models = model or list(CHANGE_NAMES)
    if len({Path(each).stem for each in models}) < len(models):
        raise typer.BadParameter("two models have the same name, and so would their results", param_hint="--model")
    folder = output / "results"
    evaluation.check_outputs(output / "results.md")
    folder.mkdir(exist_ok=True)
    options = [
        ChangeOptions(faces, recogniser, each, identity, split, normalisation, landmarks, backgrounds, True, pairs, seed, engine)
        for each in models
    ]
    finder = evaluation.Detector(detector)
    opened = [open_subject(each) for each in options]
    results = [_measure_model(*each, finder, folder) for each in zip(options, opened, strict=True)]
    with counting("Reading faces") as progress:
        labelled, identify = evaluation.LabelledFaces(faces, split), evaluation.identify_with(opened[0].identity)
        agreement = _named(opened[0].identity, evaluation.evaluate_identity(identify, labelled, opened[0].recogniser, seed, progress))
    found = _measure_locator(locator, faces, backgrounds, split, seed)
    agreement.report.save(folder / "identity.json")
    found.report.save(folder / "locator.json")
    ablations = "results/ablations.md" if (folder / "ablations.md").is_file() else None
    write_text(output / "results.md", write_page(results, agreement, found, COMMAND, judge_taught=judge_taught, ablations=ablations))
    if cards:
        measured = [*(each.change for each in results), agreement, found]
        for name_or_path, subject in zip((*models, identity, locator), measured, strict=True):
            subject.report.store_in_card(graph_path(name_or_path).with_suffix(".json"))
    typer.echo(f"{output / 'results.md'}: the page; its pictures and numbers are in {folder}.")


def _named(graph: Graph, measured: Report) -> Subject:
    from facechange.evaluation.results_page import Subject

    return Subject(f"{graph.card.name} {graph.card.version}", measured)


def _measure_model(options: ChangeOptions, opened: ChangeSubject, finder: Detector, folder: Path) -> ModelResults:
    """Measure one face-change model; its numbers and pictures lie in `folder` under its name."""
    from facechange.evaluation.results_page import ModelResults

    name = Path(options.model).stem
    change, anonymize = measure_change(options, opened, lambda case: None), measure_anonymize(options, opened, finder)
    change.save(folder / f"{name}.json")
    anonymize.save(folder / f"{name}-anonymize.json")
    return ModelResults(_named(opened.change, change), anonymize, _draw_pictures(options, opened, folder, name))


def _measure_locator(name_or_path: str, faces: Path, backgrounds: Path, split: str, seed: int) -> Subject:
    from facechange import evaluation
    from facechange.change import load_locator
    from facechange.runtime import load_graph

    graph = load_graph(name_or_path)
    with waiting("Looking for faces"):
        return _named(graph, evaluation.evaluate_locator(load_locator(scout=name_or_path).locate, faces, backgrounds, split, seed))


def _draw_pictures(options: ChangeOptions, opened: ChangeSubject, folder: Path, model: str) -> dict[str, str]:
    """Draw grid, extremes and masks of pairs of faces that the model made; returns headings and paths beside the page."""
    from facechange import evaluation

    size, change = opened.change.card.size_px, evaluation.change_with(opened.change)
    faces = evaluation.AlignedFaces(opened.pictures, evaluation.identify_with(opened.identity), size)
    count = min(MADE_FACES, len(faces) * (len(faces) - 1))
    made = evaluation.MadeFaces(faces, evaluation.as_rival(change), count, options.seed + 1)
    shown = evaluation.ShownCases(SHOWN_PAIRS, SHOWN_PAIRS // 2)
    plain = replace(options, references=False, pairs=count, seed=options.seed + 2)
    measure_change(plain, replace(opened, pictures=made), shown)
    sheets = {
        "Source, target, result": ("comparison", shown.draw_first()),
        "The best and the worst by the judge's cosine": ("extremes", shown.draw_extremes()),
        "The control masks of one change": ("masks", draw_masks(opened.change, shown.first[0])),
    }
    for name, sheet in sheets.values():
        evaluation.write_sheet(sheet, folder / f"{model}-{name}.jpg")
    return {heading: f"results/{model}-{name}.jpg" for heading, (name, _) in sheets.items()}
