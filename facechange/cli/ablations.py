"""`facechange train ablations`: what each idea of the patent is worth, in a table and a grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import counting, say, waiting
from facechange.cli.training_run import (
    Backgrounds,
    ConfigFile,
    Recognizer,
    RunFolder,
    Shards,
    Weights,
    interruptible,
    option,
    parse_numbers,
    print_row,
)
from facechange.training.config import FaceConfig, resolve_config

if TYPE_CHECKING:
    from facechange.evaluation import LabelledFaces, OnnxEvaluator, Report, Sheet
    from facechange.evaluation.landmarker import Landmarker
    from facechange.training.ablations import TrainedVariant

GRID_PAIRS = 8
PICTURES = 200_000  # that each run sees, where nobody says how many


def ablations(
    faces: Annotated[
        Path, typer.Option(help="Labelled faces to measure on: a folder with SPLIT.jsonl and its tar shards.")
    ],
    evaluator: Annotated[Path, typer.Option(help="ONNX face recognizer that measures.")],
    config: ConfigFile = None,
    train: Shards = None,
    run: RunFolder = None,
    recognizer: Recognizer = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(help="ONNX network of 68 landmarks, to measure pose and expression.", show_default=False),
    ] = None,
    split: Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")] = "val",
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs are measured.")] = 240,
    identity: Annotated[
        Path | None, typer.Option(help="Identity network (.onnx) instead of the one that ships.", show_default=False)
    ] = None,
    backgrounds: Backgrounds = None,
    preset: Annotated[str | None, option(FaceConfig, "preset", "Channel table: tiny, small, mid or wide.")] = None,
    size: Annotated[int | None, option(FaceConfig, "size", "Side of the crop: 64, 128, 256, 512 or 1024.")] = None,
    pictures: Annotated[
        int | None, typer.Option(min=1, help="Pictures that each run sees.", show_default=f"{PICTURES}")
    ] = None,
    batch: Annotated[int | None, option(FaceConfig, "batch", "Pictures a step.", min=2)] = None,
    learning_rate: Annotated[
        float | None, option(FaceConfig, "learning_rate", "Learning rate of Adam, but for the patent's.")
    ] = None,
    weight: Weights = None,
    seed: Annotated[int | None, option(FaceConfig, "seed", "Decides every random choice of every run.")] = None,
    device: Annotated[str | None, option(FaceConfig, "device", "auto, cpu, cuda, mps.")] = None,
    compile_networks: Annotated[
        bool | None, typer.Option("--compile", help="Compile the networks (worth it on a GPU).", show_default=False)
    ] = None,
) -> None:
    """Train the whole model, five without one idea each, and the patent's recipe, on equal pictures; write
    ablations.md, .json and .jpg."""
    from facechange.cli.extras import need_training

    given = {
        name: value
        for name, value in locals().items()
        if name in FaceConfig.__dataclass_fields__ and name != "landmarks"
    }
    need_training()
    from facechange import evaluation
    from facechange.consent import load_context, require_evaluation_grant
    from facechange.core import load_card
    from facechange.evaluation.landmarker import Landmarker
    from facechange.runtime import graph_path
    from facechange.training.ablations import VARIANTS, train_variant

    given |= {"weights": parse_numbers(weight), "compile": compile_networks}
    table = resolve_config(FaceConfig, config, given, {"identity": graph_path("identity"), "pictures": PICTURES})
    grant = require_evaluation_grant(load_context(), [faces / f"{split}.jsonl"])
    labelled, measuring = evaluation.LabelledFaces(faces, split), evaluation.OnnxEvaluator(evaluator)
    finding = None if landmarks is None else Landmarker(landmarks)
    trained: list[TrainedVariant] = []
    reports: list[Report] = []
    for variant in VARIANTS:
        say(f"{variant.name}: {variant.title}")
        with interruptible(table.run):
            trained.append(train_variant(table, variant, print_row))
        reports.append(_measure(trained[-1].graph, table.identity, labelled, measuring, finding, pairs))
    grid = _draw_grid([done.graph for done in trained], table.identity, labelled)
    evaluation.publish_sheet(grid, table.run / "ablations.jpg", grant, load_card(trained[0].graph.with_suffix(".json")))
    _write_table(table, trained, reports)
    say(f"{table.run / 'ablations.md'}: the table; the grid is beside it.")


def _measure(
    path: Path,
    identity: Path,
    faces: LabelledFaces,
    evaluator: OnnxEvaluator,
    landmarker: Landmarker | None,
    pairs: int,
) -> Report:
    """Measure the exported graph at `path`."""
    from facechange import evaluation
    from facechange.runtime import load_graph

    with counting("Changing faces") as progress:
        graph = load_graph(path)
        change, identify = evaluation.change_with(graph), evaluation.identify_with(load_graph(identity))
        return evaluation.evaluate_change(
            change,
            identify,
            graph.card.size_px,
            faces,
            [evaluator],
            pairs,
            0,
            progress,
            landmarkers=[] if landmarker is None else [landmarker],
        )


@waiting("Drawing the grid")
def _draw_grid(graphs: Sequence[Path], identity: Path, faces: LabelledFaces) -> Sheet:
    """A row a pair of faces that the model which ships made of `faces`: source, target, and the result of every graph
    in order."""
    import numpy as np

    from facechange import evaluation
    from facechange.evaluation.pairs import draw_pairs
    from facechange.runtime import load_graph

    identify, shipped = evaluation.identify_with(load_graph(identity)), load_graph("facechange-256")
    originals = evaluation.AlignedFaces(faces, identify, shipped.card.size_px)
    count = min(2 * GRID_PAIRS, len(originals) * (len(originals) - 1))
    made = evaluation.SyntheticFaces(originals, evaluation.as_baseline(evaluation.change_with(shipped)), count, 1)
    variants = [load_graph(path) for path in graphs]
    baselines = [evaluation.as_baseline(evaluation.change_with(each)) for each in variants]
    aligned = evaluation.AlignedFaces(made, identify, variants[0].card.size_px)
    pairs = [
        (aligned[source], aligned[target])
        for source, target in draw_pairs(count, min(GRID_PAIRS, count * (count - 1)), 0)
    ]
    rows, marked, side = [], [], aligned.size_px
    for row, (source, target) in enumerate(pairs):
        crops = [source.crop, target.crop, *(baseline(source, target) for baseline in baselines)]
        points = [source.landmarks5, *[target.landmarks5] * (len(crops) - 1)]
        marked += [
            evaluation.mark_crop(each, side, column * side, row * side, side) for column, each in enumerate(points)
        ]
        rows.append(np.hstack(crops))
    return evaluation.Sheet(np.vstack(rows), marked)


def _write_table(config: FaceConfig, trained: Sequence[TrainedVariant], reports: Sequence[Report]) -> None:
    """Write `ablations.json` and `ablations.md` into the run's folder."""
    import json
    from dataclasses import asdict

    from facechange.evaluation.report_tables import heading, show_interval
    from facechange.training.config import describe_weights
    from facechange.training.memory import describe_device

    protocol = {
        "preset": config.preset,
        "size_px": config.size,
        "batch": config.batch,
        "learning_rate": config.learning_rate,
    }
    weights = describe_weights(config.weights)
    protocol |= {"weights": weights} if weights else {}
    protocol |= {"seed": config.seed, "device": describe_device(config.device)} | reports[0].protocol
    rows = {
        done.variant.name: {
            "title": done.variant.title,
            "pictures": done.pictures,
            "minutes": round(done.seconds / 60, 1),
        }
        | {"metrics": {name: asdict(value) for name, value in report.metrics.items()}}
        for done, report in zip(trained, reports, strict=True)
    }
    (config.run / "ablations.json").write_text(
        json.dumps({"protocol": protocol, "variants": rows}, indent=2) + "\n", encoding="utf-8"
    )

    names = [done.variant.title for done in trained]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for name, value in reports[0].metrics.items():
        cells = [show_interval(report.metrics[name]) for report in reports]
        lines.append(f"| {heading(name)}, {value.unit} | " + " | ".join(cells) + " |")
    lines.append("| pictures seen | " + " | ".join(f"{done.pictures:,}" for done in trained) + " |")
    lines.append("| minutes of training | " + " | ".join(f"{done.seconds / 60:.1f}" for done in trained) + " |")
    lines += [
        "",
        "Each value with its 95 % interval. " + ", ".join(f"{name} {value}" for name, value in protocol.items()) + ".",
    ]
    lines += ["", "![grid](ablations.jpg)", "", "From the left: source, target, " + ", ".join(names) + "."]
    (config.run / "ablations.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
