"""`facechange train ablations`: what each idea of the patent is worth, in a table and a grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import counting, say, waiting
from facechange.cli.training_run import interruptible, parse_numbers, print_row

if TYPE_CHECKING:
    from facechange.evaluation import LabelledFaces, Recogniser, Report, Sheet
    from facechange.evaluation.landmarker import Landmarker
    from facechange.training.ablations import TrainedVariant
    from facechange.training.config import FaceConfig

GRID_PAIRS = 8


def ablations(
    train: Annotated[Path, typer.Option("--train", help="Aligned shards made by: facechange data prepare")],
    run: Annotated[Path, typer.Option("-o", "--run", help="Folder of the runs and the result; give it again to go on.")],
    recogniser: Annotated[Path, typer.Option(help="The teacher: MobileFaceNet weights (.safetensors).")],
    faces: Annotated[Path, typer.Option(help="Labelled faces to measure on: a folder with SPLIT.jsonl and its tar shards.")],
    judge: Annotated[Path, typer.Option(help="ONNX face recogniser that measures.")],
    landmarks: Annotated[Path | None, typer.Option(help="ONNX network of 68 landmarks, to measure pose and expression.")] = None,
    split: Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")] = "val",
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs are measured.")] = 240,
    identity: Annotated[Path | None, typer.Option(help="Identity network (.onnx) instead of the one that ships.")] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="Tar of photographs without a face, for occluders.")] = None,
    preset: Annotated[str, typer.Option(help="Channel table: tiny, small, mid or wide.")] = "small",
    size: Annotated[int, typer.Option(help="Side of the crop: 64, 128, 256, 512 or 1024.")] = 128,
    pictures: Annotated[int, typer.Option(min=1, help="Pictures that each run sees.")] = 200_000,
    batch: Annotated[int, typer.Option(min=2, help="Pictures a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of Adam.")] = 5e-3,
    weight: Annotated[list[str] | None, typer.Option(help="Weight of a loss in every run, as identity=5; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Decides every random choice of every run.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    compile_networks: Annotated[bool, typer.Option("--compile", help="Compile the networks (worth it on a GPU).")] = False,
) -> None:
    """Train the whole model and five without one idea each, on equal pictures; write ablations.md, .json and .jpg."""
    from facechange.cli.extras import need_training

    need_training()
    from facechange import evaluation
    from facechange.core import load_card
    from facechange.evaluation.landmarker import Landmarker
    from facechange.runtime import graph_path
    from facechange.training.ablations import VARIANTS, train_variant
    from facechange.training.config import LOSS_WEIGHTS, FaceConfig
    from facechange.trust import require_evaluation_grant

    identity = identity or graph_path("identity")
    config = FaceConfig(
        train=train,
        run=run,
        identity=identity,
        recogniser=recogniser,
        preset=preset,
        size=size,
        pictures=pictures,
        batch=batch,
        learning_rate=learning_rate,
        weights=LOSS_WEIGHTS | parse_numbers(weight or []),
        backgrounds=backgrounds,
        seed=seed,
        device=device,
        compile=compile_networks,
    )
    grant = require_evaluation_grant([faces / f"{split}.jsonl"])
    labelled, judging = evaluation.LabelledFaces(faces, split), evaluation.Recogniser(judge)
    finding = None if landmarks is None else Landmarker(landmarks)
    trained: list[TrainedVariant] = []
    reports: list[Report] = []
    for variant in VARIANTS:
        say(f"{variant.name}: {variant.title}")
        with interruptible(run):
            trained.append(train_variant(config, variant, print_row))
        reports.append(_measure(trained[-1].graph, identity, labelled, judging, finding, pairs))
    grid = _draw_grid([done.graph for done in trained], identity, labelled)
    evaluation.publish_sheet(grid, run / "ablations.jpg", grant, load_card(trained[0].graph.with_suffix(".json")))
    _write_table(config, trained, reports)
    say(f"{run / 'ablations.md'}: the table; the grid is beside it.")


def _measure(path: Path, identity: Path, faces: LabelledFaces, judge: Recogniser, landmarker: Landmarker | None, pairs: int) -> Report:
    """Measure the exported graph at `path`."""
    from facechange import evaluation
    from facechange.runtime import load_graph

    with counting("Changing faces") as progress:
        graph = load_graph(path)
        change, identify = evaluation.change_with(graph), evaluation.identify_with(load_graph(identity))
        return evaluation.evaluate_change(
            change, identify, graph.card.size_px, faces, [judge], pairs, 0, progress, landmarkers=[] if landmarker is None else [landmarker]
        )


@waiting("Drawing the grid")
def _draw_grid(graphs: Sequence[Path], identity: Path, faces: LabelledFaces) -> Sheet:
    """A row a pair of faces that the model which ships made of `faces`: source, target, and the result of every graph in order."""
    import numpy as np

    from facechange import evaluation
    from facechange.evaluation.pairs import draw_pairs
    from facechange.runtime import load_graph

    identify, shipped = evaluation.identify_with(load_graph(identity)), load_graph("change")
    originals = evaluation.AlignedFaces(faces, identify, shipped.card.size_px)
    count = min(2 * GRID_PAIRS, len(originals) * (len(originals) - 1))
    made = evaluation.MadeFaces(originals, evaluation.as_rival(evaluation.change_with(shipped)), count, 1)
    variants = [load_graph(path) for path in graphs]
    rivals = [evaluation.as_rival(evaluation.change_with(each)) for each in variants]
    aligned = evaluation.AlignedFaces(made, identify, variants[0].card.size_px)
    pairs = [(aligned[source], aligned[target]) for source, target in draw_pairs(count, min(GRID_PAIRS, count * (count - 1)), 0)]
    rows, marked, side = [], [], aligned.size_px
    for row, (source, target) in enumerate(pairs):
        crops = [source.crop, target.crop, *(rival(source, target) for rival in rivals)]
        points = [source.landmarks5, *[target.landmarks5] * (len(crops) - 1)]
        marked += [evaluation.mark_crop(each, side, column * side, row * side, side) for column, each in enumerate(points)]
        rows.append(np.hstack(crops))
    return evaluation.Sheet(np.vstack(rows), marked)


def _write_table(config: FaceConfig, trained: Sequence[TrainedVariant], reports: Sequence[Report]) -> None:
    """Write `ablations.json` and `ablations.md` into the run's folder."""
    import json
    from dataclasses import asdict

    from facechange.evaluation.report_tables import heading, show_interval
    from facechange.training.config import describe_weights
    from facechange.training.memory import describe_device

    protocol = {"preset": config.preset, "size_px": config.size, "batch": config.batch, "learning_rate": config.learning_rate}
    weights = describe_weights(config.weights)
    protocol |= {"weights": weights} if weights else {}
    protocol |= {"seed": config.seed, "device": describe_device(config.device)} | reports[0].protocol
    rows = {
        done.variant.name: {"title": done.variant.title, "pictures": done.pictures, "minutes": round(done.seconds / 60, 1)}
        | {"metrics": {name: asdict(value) for name, value in report.metrics.items()}}
        for done, report in zip(trained, reports, strict=True)
    }
    (config.run / "ablations.json").write_text(json.dumps({"protocol": protocol, "variants": rows}, indent=2) + "\n", encoding="utf-8")

    names = [done.variant.title for done in trained]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for name, value in reports[0].metrics.items():
        cells = [show_interval(report.metrics[name]) for report in reports]
        lines.append(f"| {heading(name)}, {value.unit} | " + " | ".join(cells) + " |")
    lines.append("| pictures seen | " + " | ".join(f"{done.pictures:,}" for done in trained) + " |")
    lines.append("| minutes of training | " + " | ".join(f"{done.seconds / 60:.1f}" for done in trained) + " |")
    lines += ["", "Each value with its 95 % interval. " + ", ".join(f"{name} {value}" for name, value in protocol.items()) + "."]
    lines += ["", "![grid](ablations.jpg)", "", "From the left: source, target, " + ", ".join(names) + "."]
    (config.run / "ablations.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
