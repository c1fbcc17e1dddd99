"""`facechange export`: a training run's network as an ONNX graph with its card, and a graph as a PyTorch program."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facechange.cli.console import say, waiting

if TYPE_CHECKING:
    from facechange.core import ModelCard

app = typer.Typer(
    help="Turn a checkpoint into an ONNX graph with its card, and a graph into a PyTorch program.", no_args_is_help=True
)

Checkpoint = Annotated[Path, typer.Argument(help="The .safetensors file of a training run.")]
Output = Annotated[
    Path, typer.Option("-o", "--output", help="Where to write the graph (.onnx); its card goes beside it.")
]
Metrics = Annotated[Path | None, typer.Option(help="Report of `facechange evaluate --json`, to be told on the card.")]


@app.command("face")
def face(
    checkpoint: Checkpoint,
    output: Output,
    metrics: Metrics = None,
    finest_from: Annotated[
        list[Path] | None,
        typer.Option(
            help="A graph of twice the size, whose finest resolution goes on top. May be repeated, ever larger.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """The face-change model (its EMA)."""
    _export("export_face", checkpoint, output, metrics, finest_from=finest_from or ())


@app.command("program")
def program(
    model: Annotated[
        str, typer.Argument(help="Face-change graph: the name of one that ships, as facechange-512, or a file.")
    ],
) -> None:
    """A PyTorch program (.pt2) beside a face-change graph, which then runs as that wherever PyTorch sees a GPU."""
    from facechange.cli.extras import need_training

    need_training()
    from facechange.core import OutputError
    from facechange.runtime import graph_path
    from facechange.training.export import export_face_program

    path = graph_path(model)
    if path.is_file() and not os.access(path.parent, os.W_OK):
        raise OutputError(
            f"{path.parent} cannot be written.",
            "Copy the graph and its card (.json) to a folder of yours, and name it.",
        )
    with waiting("Exporting"):
        written = export_face_program(path)
    say(f"{written}: {written.stat().st_size / 2**20:.1f} MiB")


@app.command("identity")
def identity(checkpoint: Checkpoint, output: Output, metrics: Metrics = None) -> None:
    """The identity network."""
    _export("export_identity", checkpoint, output, metrics)


@app.command("scout")
def scout(checkpoint: Checkpoint, output: Output, metrics: Metrics = None) -> None:
    """The face scout."""
    _export("export_scout", checkpoint, output, metrics)


@app.command("recognizer")
def recognizer(
    recognizer: Annotated[Path, typer.Argument(help="The weights of foamliu/MobileFaceNet (.safetensors).")],
    output: Output,
    faces: Annotated[
        Path | None,
        typer.Option(help="Labelled faces (a folder with SPLIT.jsonl), each of another person, to measure it on."),
    ] = None,
    split: Annotated[str, typer.Option(help="Which of them.")] = "train",
) -> None:
    """The second recognizer, by which changes are checked."""
    from facechange.cli.extras import need_training

    need_training()
    _check_output(output)
    from facechange.data.labelled import LabelledFaces
    from facechange.training.export import export_recognizer

    with waiting("Exporting"):
        card = export_recognizer(recognizer, output, None if faces is None else LabelledFaces(faces, split))
    _say(card, output)


@app.command("personas")
def personas(
    output: Output,
    train: Annotated[Path, typer.Option(help="Aligned shards made by: facechange data prepare")],
    identity_network: Annotated[
        Path | None,
        typer.Option(
            "--identity",
            help="Identity network (checkpoint or .onnx) instead of the one that ships.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """The sampler of people who do not exist, learned from the identities of training faces."""
    from facechange.cli.extras import need_training

    need_training()
    _check_output(output)
    from facechange.runtime import graph_path
    from facechange.training.personas import export_personas

    with waiting("Exporting"):
        card = export_personas(train, identity_network or graph_path("identity"), output)
    _say(card, output)


def _export(kind: str, checkpoint: Path, output: Path, metrics: Path | None, **more: Any) -> None:
    from facechange.cli.extras import need_training

    need_training()
    _check_output(output)
    from facechange.training import export, scout

    function = {
        "export_face": export.export_face,
        "export_identity": export.export_identity,
        "export_scout": scout.export_scout,
    }[kind]
    with waiting("Exporting"):
        card = function(checkpoint, output, _read_metrics(metrics), **more)
    _say(card, output)


def _check_output(output: Path) -> None:
    from facechange.core import OutputError

    if output.suffix != ".onnx":
        raise OutputError(f"{output} does not end in .onnx.", "Graphs are written as ONNX.")
    if not output.parent.is_dir():
        raise OutputError(f"The folder {output.parent} does not exist.", "Make it first.")


def _say(card: ModelCard, output: Path) -> None:
    say(
        f"{output}: {card.name} {card.version}, {card.parameters / 1e6:.1f} M parameters, {output.stat().st_size / 2**20:.1f} MiB"
    )


def _read_metrics(path: Path | None) -> dict[str, object] | None:
    from facechange.core import ModelError
    from facechange.core.stored import read_json

    if path is None:
        return None
    try:
        return dict(read_json(path)["metrics"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is not a report ({error}).", "Give the file that `facechange evaluate --json` wrote."
        ) from None
