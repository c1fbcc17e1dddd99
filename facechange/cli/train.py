"""`facechange train`: the face-change model, the identity network, the landmark network and the scout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facechange.cli.ablations import ablations
from facechange.cli.console import say, waiting
from facechange.cli.training_run import (
    Backgrounds,
    ConfigFile,
    Recognizer,
    RunFolder,
    Shards,
    Val,
    Weights,
    interruptible,
    option,
    parse_numbers,
    print_row,
)
from facechange.training.config import (
    FaceConfig,
    IdentityConfig,
    LandmarksConfig,
    MappingConfig,
    ScoutConfig,
    resolve_config,
)

app = typer.Typer(help="Train a network; the same command goes on with a run that stopped.", no_args_is_help=True)
app.command("ablations")(ablations)

FACE, IDENTITY, MAPPING, LANDMARKS, SCOUT = FaceConfig, IdentityConfig, MappingConfig, LandmarksConfig, ScoutConfig
ENDS = "Stop after this many pictures; the learning rate falls towards it."
LASTS = "Stop after this many minutes."
STEP = "Pictures a step."
RATE = "Learning rate of Adam."
DICE = "Decides every random choice of the run."
WHERE = "auto, cpu, cuda, mps."


@app.command("face")
def face(
    config: ConfigFile = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Start from a named table: patent, shipped, shipped-256 or shipped-512.", show_default=False),
    ] = None,
    train: Shards = None,
    run: RunFolder = None,
    recognizer: Recognizer = None,
    identity: Annotated[
        Path | None,
        typer.Option(help="Identity network (checkpoint or .onnx) instead of the one that ships.", show_default=False),
    ] = None,
    further_recognizer: Annotated[
        Path | None,
        typer.Option(
            help="A further recognizer of identity: HSE's MobileNet as TensorFlow.js (faceres-deep.json).",
            show_default=False,
        ),
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint of: facechange train landmarks; it holds pose and expression.", show_default=False
        ),
    ] = None,
    preset: Annotated[str | None, option(FACE, "preset", "Channel table: tiny, small, mid or wide.")] = None,
    size: Annotated[int | None, option(FACE, "size", "Side of the crop: 64, 128, 256, 512 or 1024.")] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Checkpoint or graph (.onnx) to go on from, grown or shrunk.", show_default=False),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(help="Train the finest resolution alone, on windows of so many pixels.", show_default=False),
    ] = None,
    finest_from: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint on windows, or graph (.onnx), of this size: its finest resolution goes on.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[int | None, option(FACE, "pictures", ENDS, min=1)] = None,
    minutes: Annotated[float | None, option(FACE, "minutes", LASTS, min=0.01)] = None,
    loss_below: Annotated[
        float | None, option(FACE, "loss_below", "Stop once the smoothed total loss is below this.")
    ] = None,
    batch: Annotated[int | None, option(FACE, "batch", STEP, min=2)] = None,
    micro_batches: Annotated[
        int | None,
        option(FACE, "micro_batches", "Cut a batch into so many, which the ranks of torchrun share.", min=1),
    ] = None,
    recovered_share: Annotated[
        float | None,
        option(
            FACE,
            "recovered_share",
            "Share of pairs whose target wears somebody else's face, and gets its own back.",
            min=0,
            max=0.9,
        ),
    ] = None,
    learning_rate: Annotated[float | None, option(FACE, "learning_rate", RATE)] = None,
    discriminator_rate: Annotated[
        float | None,
        option(FACE, "discriminator_rate", "The discriminator's learning rate over that of the generator."),
    ] = None,
    weight: Weights = None,
    degrade: Annotated[
        list[str] | None,
        typer.Option(help="Share of pictures degraded in a way, as hat=0.1; may be repeated.", show_default=False),
    ] = None,
    backgrounds: Backgrounds = None,
    seed: Annotated[int | None, option(FACE, "seed", DICE)] = None,
    device: Annotated[str | None, option(FACE, "device", WHERE)] = None,
    compile_networks: Annotated[
        bool | None, typer.Option("--compile", help="Compile the networks (worth it on a GPU).", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
) -> None:
    """Train the face-change model (losses 1 to 6, R1, EMA, checkpoints, sheets)."""
    from facechange.cli.extras import need_training

    given = {name: value for name, value in locals().items() if name in FaceConfig.__dataclass_fields__}
    need_training()
    from facechange.runtime import graph_path
    from facechange.training.face import train_face
    from facechange.training.plan import describe_plan
    from facechange.training.ranks import is_first_rank

    given |= {"weights": parse_numbers(weight), "degradations": parse_numbers(degrade), "compile": compile_networks}
    table = resolve_config(FaceConfig, config, given, {"identity": graph_path("identity")})
    if dry_run:
        with waiting("Measuring this machine"):
            plan = describe_plan(table)
        say(*plan)
        return
    first = is_first_rank()
    if first:
        say("Reading the faces and their identities ...")
    with interruptible(table.run):
        ended = train_face(table, print_row)
    if first:
        say(f"{ended.checkpoint}: stopped by {ended.reason} after {ended.pictures:,} pictures.")


@app.command("identity")
def identity(
    config: ConfigFile = None,
    train: Shards = None,
    val: Val = None,
    run: RunFolder = None,
    recognizer: Recognizer = None,
    pictures: Annotated[int | None, option(IDENTITY, "pictures", ENDS, min=1)] = None,
    minutes: Annotated[float | None, option(IDENTITY, "minutes", LASTS, min=0.01)] = None,
    batch: Annotated[int | None, option(IDENTITY, "batch", STEP, min=2)] = None,
    learning_rate: Annotated[float | None, option(IDENTITY, "learning_rate", RATE)] = None,
    seed: Annotated[int | None, option(IDENTITY, "seed", DICE)] = None,
    device: Annotated[str | None, option(IDENTITY, "device", WHERE)] = None,
) -> None:
    """Distil the identity network from a recognizer."""
    from facechange.cli.extras import need_training

    given = {name: value for name, value in locals().items() if name in IdentityConfig.__dataclass_fields__}
    need_training()
    from facechange.training.identity import train_identity

    table = resolve_config(IdentityConfig, config, given | {"recognizer": recognizer})
    with interruptible(table.run):
        say(f"{train_identity(table, print_row)}: the identity network.")


@app.command("mapping")
def mapping(
    config: ConfigFile = None,
    train: Shards = None,
    run: RunFolder = None,
    recognizer: Recognizer = None,
    change: Annotated[
        Path | None, typer.Option(help="Face-change model (checkpoint or .onnx) instead of change.", show_default=False)
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option(
            help="Identity network that it was trained with instead of the one that ships.", show_default=False
        ),
    ] = None,
    backgrounds: Backgrounds = None,
    pictures: Annotated[int | None, option(MAPPING, "pictures", ENDS, min=1)] = None,
    minutes: Annotated[float | None, option(MAPPING, "minutes", LASTS, min=0.01)] = None,
    batch: Annotated[int | None, option(MAPPING, "batch", STEP, min=2)] = None,
    learning_rate: Annotated[float | None, option(MAPPING, "learning_rate", RATE)] = None,
    weight: Weights = None,
    seed: Annotated[int | None, option(MAPPING, "seed", DICE)] = None,
    device: Annotated[str | None, option(MAPPING, "device", WHERE)] = None,
) -> None:
    """Train what moves identities to where a frozen face-change model draws the right people."""
    from facechange.cli.extras import need_training

    given = {name: value for name, value in locals().items() if name in MappingConfig.__dataclass_fields__}
    need_training()
    from facechange.runtime import graph_path
    from facechange.training.mapping import train_mapping

    shipped = {"change": graph_path("facechange-256"), "identity": graph_path("identity")}
    table = resolve_config(MappingConfig, config, given | {"weights": parse_numbers(weight)}, shipped)
    with interruptible(table.run):
        say(f"{train_mapping(table, print_row)}: the identity network with its mapping.")


@app.command("landmarks")
def landmarks(
    config: ConfigFile = None,
    train: Shards = None,
    val: Val = None,
    run: RunFolder = None,
    pictures: Annotated[int | None, option(LANDMARKS, "pictures", ENDS, min=1)] = None,
    minutes: Annotated[float | None, option(LANDMARKS, "minutes", LASTS, min=0.01)] = None,
    batch: Annotated[int | None, option(LANDMARKS, "batch", STEP, min=2)] = None,
    learning_rate: Annotated[float | None, option(LANDMARKS, "learning_rate", RATE)] = None,
    seed: Annotated[int | None, option(LANDMARKS, "seed", DICE)] = None,
    device: Annotated[str | None, option(LANDMARKS, "device", WHERE)] = None,
) -> None:
    """Train the landmark network that keeps pose and expression in: train face --landmarks."""
    from facechange.cli.extras import need_training

    given = {name: value for name, value in locals().items() if name in LandmarksConfig.__dataclass_fields__}
    need_training()
    from facechange.training.landmarks import train_landmarks

    table = resolve_config(LandmarksConfig, config, given)
    with interruptible(table.run):
        say(f"{train_landmarks(table, print_row)}: the landmark network.")


@app.command("scout")
def scout(
    config: ConfigFile = None,
    faces: Annotated[
        Path | None, typer.Option(help="Folder with train.jsonl and its tar shards.", show_default=False)
    ] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="Tar of photographs without a face.", show_default=False)
    ] = None,
    run: RunFolder = None,
    pictures: Annotated[
        int | None, typer.Option(help="Stop after this many composites.", min=1, show_default="by time alone")
    ] = None,
    minutes: Annotated[float | None, option(SCOUT, "minutes", "Minutes of training, over all calls.", min=0.01)] = None,
    batch: Annotated[int | None, option(SCOUT, "batch", STEP, min=2)] = None,
    learning_rate: Annotated[float | None, option(SCOUT, "learning_rate", RATE)] = None,
    seed: Annotated[int | None, option(SCOUT, "seed", DICE)] = None,
    device: Annotated[str | None, option(SCOUT, "device", WHERE)] = None,
) -> None:
    """Train the face scout on faces pasted on backgrounds."""
    from facechange.cli.extras import need_training

    given = {name: value for name, value in locals().items() if name in ScoutConfig.__dataclass_fields__}
    need_training()
    from facechange.training.scout import train_scout

    table = resolve_config(ScoutConfig, config, given)
    with interruptible(table.run):
        say(f"{train_scout(table, print_row)}: the face scout.")
