"""`facechange evaluate report`: all measurements, on every set, on one page, with pictures and in the cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.change_measurement import (
    EXACT_ENGINE,
    ChangeOptions,
    ChangeSubject,
    draw_masks,
    grant_sheets,
    measure_anonymize,
    measure_change,
    open_subject,
)
from facechange.cli.console import counting, say, waiting
from facechange.cli.options import EngineOption, SheetConsentOption

if TYPE_CHECKING:
    from facechange.consent import Grant
    from facechange.evaluation import Detector, OnnxEvaluator, Report
    from facechange.evaluation.results_page import ModelResults, SetResults, Subject
    from facechange.runtime import Graph

SHOWN_PAIRS = 8
SYNTHETIC_FACES = 48
COMMAND = (
    "facechange evaluate report --set studio=FACES --set diverse=DIVERSE --set official=OFFICIAL --backgrounds BACKGROUNDS.tar "
    "--evaluator dlib --evaluator EVALUATOR.onnx --recognizer RECOGNIZER.onnx --landmarks LANDMARKS.onnx --landmarks dlib "
    "--landmarks mediapipe "
    "--detector YUNET.onnx --cards -o FOLDER"
)


def report(
    sets: Annotated[
        list[str],
        typer.Option(
            "--set",
            help="NAME=FOLDER of labelled faces; may be repeated. The pictures' faces are made from the first's.",
        ),
    ],
    backgrounds: Annotated[Path, typer.Option(help="Tar of photographs without a face.")],
    evaluator: Annotated[
        list[str],
        typer.Option(
            help="Evaluator of identity: dlib, or an ONNX face recognizer. May be repeated; the first is the headline."
        ),
    ],
    recognizer: Annotated[Path, typer.Option(help="The ONNX face recognizer that the identity network learned from.")],
    landmarks: Annotated[
        list[str], typer.Option(help="ONNX network of 68 landmarks, dlib, or mediapipe (dense pose, gaze). Repeatable.")
    ],
    detector: Annotated[Path, typer.Option(help="ONNX file of YuNet.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Folder for results.md and results/; what it holds is not measured again."),
    ],
    model: Annotated[
        list[str] | None, typer.Option(help="Face-change model (.onnx), once or more. Without it those that ship.")
    ] = None,
    identity: Annotated[str, typer.Option(help="Identity network (.onnx) instead of the one that ships.")] = "identity",
    scout: Annotated[str, typer.Option(help="Face scout (.onnx) instead of the one that ships.")] = "scout",
    split: Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")] = "val",
    normalisation: Annotated[str, typer.Option(help="What the evaluators expect: imagenet or symmetric.")] = "imagenet",
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs of different faces of each set.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Draws pairs, occluders, pictures, personas and the bootstrap.")] = 0,
    engine: EngineOption = EXACT_ENGINE,
    forced_masks: Annotated[
        bool,
        typer.Option(
            "--forced-masks/--no-forced-masks", help="Measure the first model with its masks forced to 0 and 1 as well."
        ),
    ] = True,
    fid: Annotated[
        bool, typer.Option("--fid", help="Measure FID too; needs torch-fidelity and Inception's weights.")
    ] = False,
    inception: Annotated[
        Path | None, typer.Option(help="File of Inception's weights, so that none are fetched.")
    ] = None,
    cards: Annotated[bool, typer.Option("--cards", help="Put the values into the model cards too.")] = False,
    consent: SheetConsentOption = None,
) -> None:
    """Measure the networks and anonymising: a page, its pictures and numbers; the pictures show only faces that the
    model made."""
    from facechange import evaluation
    from facechange.evaluation.report import write_text
    from facechange.evaluation.results_page import write_page
    from facechange.runtime import CHANGE_NAMES

    models, folders = model or list(CHANGE_NAMES), _read_sets(sets)
    if len({Path(each).stem for each in models}) < len(models):
        raise typer.BadParameter("two models have the same name, and so would their results", param_hint="--model")
    folder = output / "results"
    evaluation.check_outputs(output / "results.md")
    folder.mkdir(exist_ok=True)
    grant = grant_sheets(next(iter(folders.values())), split, consent)
    finder, taught = evaluation.Detector(detector), evaluation.OnnxEvaluator(recognizer, normalisation)
    options = ChangeOptions(
        faces=next(iter(folders.values())),
        evaluators=tuple(evaluator),
        identity=identity,
        split=split,
        normalisation=normalisation,
        landmarks=tuple(landmarks),
        backgrounds=backgrounds,
        pairs=pairs,
        seed=seed,
        engine=engine,
        fid=fid,
        inception=inception,
    )
    named = [replace(options, model=each, forced_masks=forced_masks and each == models[0]) for each in models]
    results = [_measure_model(each, folders, finder, folder, grant) for each in named]
    agreement = _measure_identity(identity, folders, split, taught, seed, folder)
    found = _measure_scout(scout, folders, backgrounds, split, seed, folder)
    write_text(
        output / "results.md",
        write_page(results, agreement, found, COMMAND, ablations=(folder / "ablations.md").is_file()),
    )
    if cards:
        _fill_cards(models, results, identity, agreement, scout, found)
    say(f"{output / 'results.md'}: the page; its pictures and numbers are in {folder}.")


def _read_sets(sets: list[str]) -> dict[str, Path]:
    """Folders by name, of texts NAME=FOLDER."""
    folders = {}
    for text in sets:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder) or name in folders or not name.replace("-", "").isalnum():
            raise typer.BadParameter(f"{text} is not NAME=FOLDER with a name of its own", param_hint="--set")
        folders[name] = Path(folder)
    return folders


def _named(graph: Graph, measured: dict[str, Report]) -> Subject:
    from facechange.evaluation.results_page import Subject

    return Subject(f"{graph.card.name} {graph.card.version}", measured)


def _once(path: Path, wanted: dict[str, object], measure: Callable[[], Report]) -> Report:
    """The report that lies at `path` if its protocol says all that is `wanted`; else one measured now, and saved
    there."""
    from facechange.evaluation import Report

    try:
        saved = Report.load(path)
    except (OSError, ValueError):
        saved = None
    if saved is not None and wanted.items() <= saved.protocol.items():
        say(f"{path}: measured before", err=True)
        return saved
    measured = measure()
    measured = replace(measured, protocol=wanted | measured.protocol)
    measured.save(path)
    say(f"{path}: measured", err=True)
    return measured


def _measure_model(
    options: ChangeOptions, folders: dict[str, Path], finder: Detector, folder: Path, grant: Grant
) -> ModelResults:
    """Measure one face-change model on every set; its numbers and pictures lie in `folder` under its name."""
    from facechange.evaluation.results_page import ModelResults

    by_set: dict[str, SetResults] = {}
    for name, faces in folders.items():
        by_set[name] = _measure_set(replace(options, faces=faces), name, finder, folder)
    subject = open_subject(options)
    pictures = _draw_pictures(options, subject, folder, Path(options.model).stem, grant)
    return ModelResults(f"{subject.change.card.name} {subject.change.card.version}", by_set, pictures)


def _measure_set(options: ChangeOptions, name: str, finder: Detector, folder: Path) -> SetResults:
    """Measure one face-change model, and anonymising by it, on one set."""
    from facechange.evaluation.report import name_evaluators
    from facechange.evaluation.results_page import SetResults

    subject, model = open_subject(options), Path(options.model).stem
    count = len(subject.pictures.faces)
    options = replace(options, pairs=min(options.pairs, count * (count - 1)))
    wanted: dict[str, object] = {
        "set": name,
        "model": f"{subject.change.card.name} {subject.change.card.sha256[:12]}",
        "identity": f"{subject.identity.card.name} {subject.identity.card.sha256[:12]}",
        "faces": count,
        "evaluators": name_evaluators(subject.evaluators),
        "landmarkers": name_evaluators([*subject.landmarkers, *([] if subject.mesh is None else [subject.mesh])]),
        "seed": options.seed,
    }
    changed = _once(
        folder / f"{model}-{name}.json",
        wanted | {"pairs": options.pairs, "fid": options.fid, "forced_masks": options.forced_masks},
        lambda: measure_change(options, subject, lambda case: None),
    )
    anonymized = _once(
        folder / f"{model}-{name}-anonymize.json", wanted, lambda: measure_anonymize(options, subject, finder)
    )
    return SetResults(changed, anonymized)


def _measure_identity(
    name_or_path: str, folders: dict[str, Path], split: str, recognizer: OnnxEvaluator, seed: int, folder: Path
) -> Subject:
    from facechange import evaluation
    from facechange.runtime import load_graph

    measured = {}
    with waiting("Loading the network"):
        graph = load_graph(name_or_path)
    for name, faces in folders.items():
        with counting("Reading faces") as progress:
            labelled = evaluation.LabelledFaces(faces, split)
            measured[name] = evaluation.evaluate_identity(
                evaluation.identify_with(graph), labelled, recognizer, seed, progress
            )
        measured[name].save(folder / f"identity-{name}.json")
    return _named(graph, measured)


def _measure_scout(
    name_or_path: str, folders: dict[str, Path], backgrounds: Path, split: str, seed: int, folder: Path
) -> Subject:
    from facechange import evaluation
    from facechange.runtime import load_graph
    from facechange.swap import load_detector

    measured = {}
    with waiting("Loading the network"):
        graph = load_graph(name_or_path)
    for name, faces in folders.items():
        with waiting("Looking for faces"):
            measured[name] = evaluation.evaluate_scout(
                load_detector(scout=name_or_path).detect, faces, backgrounds, split, seed
            )
        measured[name].save(folder / f"scout-{name}.json")
    return _named(graph, measured)


def _draw_pictures(
    options: ChangeOptions, opened: ChangeSubject, folder: Path, model: str, grant: Grant
) -> dict[str, str]:
    """Draw grid, extremes and masks of pairs of faces that the model made; returns headings and paths beside the
    page."""
    from facechange import evaluation

    size, change = opened.change.card.size_px, evaluation.change_with(opened.change)
    faces = evaluation.AlignedFaces(opened.pictures, evaluation.identify_with(opened.identity), size)
    count = min(SYNTHETIC_FACES, len(faces) * (len(faces) - 1))
    made = evaluation.SyntheticFaces(faces, evaluation.as_baseline(change), count, options.seed + 1)
    shown = evaluation.ShownCases(SHOWN_PAIRS, SHOWN_PAIRS // 2, made=True)
    plain = replace(options, references=False, fid=False, pairs=count, seed=options.seed + 2)
    measure_change(plain, replace(opened, pictures=made, landmarkers=[], mesh=None), shown)
    sheets = {
        "Source, target, the classical paste, and ours (Fig. 7)": ("comparison", shown.draw_beside_paste()),
        "The best and the worst by the evaluator's cosine": ("extremes", shown.draw_extremes()),
        "The control masks of one change": ("masks", draw_masks(opened.change, shown)),
    }
    for name, sheet in sheets.values():
        evaluation.publish_sheet(sheet, folder / f"{model}-{name}.jpg", grant, opened.change.card)
    return {heading: f"results/{model}-{name}.jpg" for heading, (name, _) in sheets.items()}


def _fill_cards(
    models: list[str], results: list[ModelResults], identity: str, agreement: Subject, scout: str, found: Subject
) -> None:
    """Put what was measured into the cards beside the graphs, the hardest set first."""
    from facechange.evaluation.report import store_in_card
    from facechange.evaluation.results_page import hardest_first
    from facechange.runtime import graph_path

    for name_or_path, measured in zip(models, results, strict=True):
        by_set = {name: measured.sets[name].change for name in hardest_first(results)}
        store_in_card(graph_path(name_or_path).with_suffix(".json"), by_set)
    for name_or_path, subject in ((identity, agreement), (scout, found)):
        store_in_card(graph_path(name_or_path).with_suffix(".json"), subject.reports, flat=True)
