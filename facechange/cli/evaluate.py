"""`facechange evaluate`: measure exported graphs on labelled faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import counting, waiting

if TYPE_CHECKING:
    import numpy as np

    from facechange.evaluation import Report

app = typer.Typer(help="Measure the networks on labelled faces.", no_args_is_help=True)

Faces = Annotated[Path, typer.Option(help="Folder with SPLIT.jsonl and its tar shards.")]
Split = Annotated[str, typer.Option(help="Which faces: those of SPLIT.jsonl.")]
Model = Annotated[str, typer.Option(help="Exported graph (.onnx) instead of the one that ships.")]
Normalisation = Annotated[str, typer.Option(help="What the recogniser expects: imagenet or symmetric.")]
Seed = Annotated[int, typer.Option(help="Draws the pairs and the bootstrap.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the report here.")]


@app.command("change")
def change_command(
    faces: Faces,
    recogniser: Annotated[Path, typer.Option(help="Judge: ONNX face recogniser that took no part in training.")],
    model: Model = "change",
    identity: Annotated[str, typer.Option(help="Identity network (.onnx) instead of the one that ships.")] = "identity",
    split: Split = "val",
    normalisation: Normalisation = "imagenet",
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs of different faces.")] = 240,
    seed: Seed = 0,
    json: Json = None,
    grid: Annotated[Path | None, typer.Option(help="Write source, target and result of the first pairs here (PNG).")] = None,
    grid_pairs: Annotated[int, typer.Option(min=1, help="How many pairs the grid shows.")] = 12,
) -> None:
    """Identity moved, and everything else kept: recognition, retrieval and PSNR of changed pairs."""
    from facechange import evaluation
    from facechange.runtime import load_graph

    evaluation.check_folders(json, grid)
    graph, identity_graph = load_graph(model), load_graph(identity)
    labelled, judge = evaluation.LabelledFaces(faces, split), evaluation.Recogniser(recogniser, normalisation)
    shown: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def keep(number: int, *crops: np.ndarray) -> None:
        if grid is not None and number < grid_pairs:
            shown.append((crops[0], crops[1], crops[2]))

    with counting("Changing faces") as progress:
        report = evaluation.evaluate_change(
            evaluation.change_with(graph),
            evaluation.identify_with(identity_graph),
            graph.card.size_px,
            labelled,
            judge,
            pairs,
            seed,
            progress,
            keep,
        )
    if grid is not None:
        evaluation.write_sheet(evaluation.draw_comparison_grid(shown), grid)
    _show(report, f"{graph.card.name} {graph.card.version}", json)


@app.command("identity")
def identity_command(
    faces: Faces,
    teacher: Annotated[Path, typer.Option(help="The ONNX face recogniser that taught it.")],
    model: Model = "identity",
    split: Split = "val",
    normalisation: Normalisation = "imagenet",
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """How far the identity network orders pairs of faces as its teacher does."""
    from facechange import evaluation
    from facechange.runtime import load_graph

    evaluation.check_folders(json)
    graph = load_graph(model)
    labelled, judge = evaluation.LabelledFaces(faces, split), evaluation.Recogniser(teacher, normalisation)
    with counting("Reading faces") as progress:
        report = evaluation.evaluate_identity(evaluation.identify_with(graph), labelled, judge, seed, progress)
    _show(report, f"{graph.card.name} {graph.card.version}", json)


@app.command("locator")
def locator_command(
    faces: Faces,
    backgrounds: Annotated[Path, typer.Option(help="Tar of photographs without a face.")],
    model: Model = "locator",
    split: Split = "val",
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Faces found again on backgrounds at any size and roll, and faces claimed where there is none."""
    from facechange import evaluation
    from facechange.faces.locate import FaceLocator
    from facechange.runtime import load_graph

    evaluation.check_folders(json)
    graph = load_graph(model)
    with waiting("Looking for faces"):
        report = evaluation.evaluate_locator(FaceLocator(graph).locate, faces, backgrounds, split, seed)
    _show(report, f"{graph.card.name} {graph.card.version}", json)


def _show(report: Report, subject: str, json: Path | None) -> None:
    """A table on stdout, and the same as JSON where asked for."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=subject, caption=", ".join(f"{name} {value}" for name, value in report.protocol.items()))
    table.add_column("metric")
    for heading in ("value", "95 % interval", "unit"):
        table.add_column(heading, justify="left" if heading == "unit" else "right")
    for name, value in report.metrics.items():
        table.add_row(name, f"{value.mean:.3f}", f"{value.low:.3f} .. {value.high:.3f}", value.unit)
    console = Console()
    console.print(table)
    for name, detail in report.details.items():
        console.print(f"{name}: {detail}", highlight=False)
    if json is not None:
        report.save(json)
        Console(stderr=True).print(f"The report is in {json}.", highlight=False)
