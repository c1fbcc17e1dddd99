"""`facechange evaluate report`: all measurements, on one page, with pictures and in the cards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.change_measurement import ChangeOptions, ChangeSubject, draw_masks, measure_anonymize, measure_change, open_subject
from facechange.cli.console import counting, waiting

if TYPE_CHECKING:
    from facechange.evaluation import Report
    from facechange.evaluation.results_page import Subject
    from facechange.runtime import Graph

SHOWN_PAIRS = 8
MADE_FACES = 48
COMMAND = (
    "facechange evaluate report --faces FACES --backgrounds BACKGROUNDS.tar --recogniser JUDGE.onnx "
    "--landmarks LANDMARKS.onnx --detector YUNET.onnx --cards --model {model} -o FOLDER"
)


def report(
    faces: Annotated[Path, typer.Option(help="Folder with SPLIT.jsonl and its tar shards.")],
    backgrounds: Annotated[Path, typer.Option(help="Tar of photographs without a face.")],
    recogniser: Annotated[Path, typer.Option(help="Judge of identity, and the identity network's teacher: an ONNX face recogniser.")],
    landmarks: Annotated[Path, typer.Option(help="ONNX network of 68 landmarks.")],
    detector: Annotated[Path, typer.Option(help="ONNX file of YuNet.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for results.md and results/.")],
    model: Annotated[str, typer.Option(help="Face-change model (.onnx) instead of the one that ships.")] = "change",
    identity: Annotated[str, typer.Option(help="Identity network (.onnx) instead of the one that ships.")] = "identity",
    locator: Annotated[str, typer.Option(help="Face locator (.onnx) instead of the one that ships.")] = "locator",
    split: Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")] = "val",
    normalisation: Annotated[str, typer.Option(help="What the recogniser expects: imagenet or symmetric.")] = "imagenet",
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs of different faces.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Draws pairs, occluders, pictures, personas and the bootstrap.")] = 0,
    judge_taught: Annotated[
        bool, typer.Option("--judge-taught/--judge-independent", help="Whether the recogniser took part in training.")
    ] = True,
    cards: Annotated[bool, typer.Option("--cards", help="Put the values into the model cards too.")] = False,
) -> None:
    """Measure the networks and anonymising: a page, its pictures and numbers; the pictures show only faces that the model made."""
    from facechange import evaluation
    from facechange.evaluation.report import write_text
    from facechange.evaluation.results_page import write_page
    from facechange.runtime import graph_path

    folder = output / "results"
    evaluation.check_outputs(output / "results.md")
    folder.mkdir(exist_ok=True)
    options = ChangeOptions(faces, recogniser, model, identity, split, normalisation, landmarks, backgrounds, True, pairs, seed)
    finder = evaluation.Detector(detector)
    opened = open_subject(options)
    change = _named(opened.change, measure_change(options, opened, lambda case: None))
    anonymize = _named(opened.change, measure_anonymize(options, opened, finder))
    with counting("Reading faces") as progress:
        labelled, identify = evaluation.LabelledFaces(faces, split), evaluation.identify_with(opened.identity)
        agreement = evaluation.evaluate_identity(identify, labelled, opened.recogniser, seed, progress)
    found, locating = _measure_locator(locator, faces, backgrounds, split, seed)
    networks = {"change": change, "identity": _named(opened.identity, agreement), "locator": _named(locating, found)}
    subjects = {"anonymize": anonymize, **networks}
    for name, subject in subjects.items():
        subject.report.save(folder / f"{name}.json")
    pictures = _draw_pictures(options, opened, folder)
    ablations = "results/ablations.md" if (folder / "ablations.md").is_file() else None
    page = write_page(subjects, pictures, COMMAND.format(model=Path(model).name), judge_taught=judge_taught, ablations=ablations)
    write_text(output / "results.md", page)
    if cards:
        for name_or_path, subject in zip((model, identity, locator), networks.values(), strict=True):
            subject.report.store_in_card(graph_path(name_or_path).with_suffix(".json"))
    typer.echo(f"{output / 'results.md'}: the page; its pictures and numbers are in {folder}.")


def _named(graph: Graph, measured: Report) -> Subject:
    from facechange.evaluation.results_page import Subject

    return Subject(f"{graph.card.name} {graph.card.version}", measured)


def _measure_locator(name_or_path: str, faces: Path, backgrounds: Path, split: str, seed: int) -> tuple[Report, Graph]:
    from facechange import evaluation
    from facechange.faces.locate import FaceLocator
    from facechange.runtime import load_graph

    graph = load_graph(name_or_path)
    with waiting("Looking for faces"):
        return evaluation.evaluate_locator(FaceLocator(graph).locate, faces, backgrounds, split, seed), graph


def _draw_pictures(options: ChangeOptions, opened: ChangeSubject, folder: Path) -> dict[str, str]:
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
        "Source, target, result": ("comparison.jpg", shown.draw_first()),
        "The best and the worst by the judge's cosine": ("extremes.jpg", shown.draw_extremes()),
        "The control masks of one change": ("masks.jpg", draw_masks(opened.change, shown.first[0])),
    }
    for name, sheet in sheets.values():
        evaluation.write_sheet(sheet, folder / name)
    return {heading: f"results/{name}" for heading, (name, _) in sheets.items()}
