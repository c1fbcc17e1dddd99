"""`facechange train`: the face-change model, the identity network, the landmark network and the locator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.ablations import ablations
from facechange.cli.console import say, waiting
from facechange.cli.training_run import interruptible, parse_numbers, print_row

if TYPE_CHECKING:
    from facechange.training.locator import LocatorProgress

app = typer.Typer(help="Train a network; the same command goes on with a run that stopped.", no_args_is_help=True)
app.command("ablations")(ablations)

Shards = Annotated[Path, typer.Option("--train", help="Aligned shards made by: facechange data prepare")]
Run = Annotated[Path, typer.Option("-o", "--run", help="Folder of the run; give it again to go on.")]
Recogniser = Annotated[Path, typer.Option(help="The teacher: MobileFaceNet weights (.safetensors).")]
Minutes = Annotated[float, typer.Option(min=0.01, help="Stop after this long.")]
Batch = Annotated[int, typer.Option(min=2, help="Pictures a step.")]
Rate = Annotated[float, typer.Option(help="Learning rate of Adam.")]
Seed = Annotated[int, typer.Option(help="Decides every random choice of the run.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")]


@app.command("face")
def face(
    train: Shards,
    run: Run,
    recogniser: Recogniser,
    identity: Annotated[
        Path | None, typer.Option(help="Identity network (checkpoint or .onnx) instead of the one that ships.", show_default=False)
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option(help="Checkpoint of: facechange train landmarks; it holds pose and expression.", show_default=False)
    ] = None,
    preset: Annotated[str, typer.Option(help="Channel table: tiny, small, mid or wide.")] = "small",
    size: Annotated[int, typer.Option(help="Side of the crop: 64, 128, 256, 512 or 1024.")] = 128,
    start_from: Annotated[Path | None, typer.Option(help="Checkpoint or graph (.onnx) of this or a lower size to go on from.")] = None,
    window: Annotated[
        int | None, typer.Option(help="Train the finest measure alone, on windows of so many pixels.", show_default=False)
    ] = None,
    finest_from: Annotated[
        Path | None, typer.Option(help="Checkpoint on windows of this size, over another smaller model, to go on from.", show_default=False)
    ] = None,
    pictures: Annotated[int, typer.Option(min=1, help="Stop after this many pictures; the learning rate falls towards it.")] = 1_000_000,
    minutes: Minutes = float("inf"),
    loss_below: Annotated[float, typer.Option(help="Stop once the smoothed total loss is below this.")] = float("-inf"),
    batch: Batch = 16,
    recovered_share: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of pairs whose target wears somebody else's face, and gets its own back.")
    ] = 0.4,
    learning_rate: Rate = 5e-3,
    discriminator_rate: Annotated[
        float, typer.Option(help="The discriminator's learning rate over that; more where it starts afresh.")
    ] = 1.0,
    weight: Annotated[list[str] | None, typer.Option(help="Weight of a loss, as identity=5; may be repeated.")] = None,
    spoil: Annotated[list[str] | None, typer.Option(help="Share of pictures spoilt in a way, as hat=0.1; may be repeated.")] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="Tar of photographs without a face, to cut occluders from.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    compile_networks: Annotated[bool, typer.Option("--compile", help="Compile the networks (worth it on a GPU).")] = False,
    dry_run: DryRun = False,
) -> None:
    """Train the face-change model (losses 1 to 6, R1, moving average, checkpoints, sheets)."""
    from facechange.cli.extras import need_training

    need_training()
    from facechange.runtime import graph_path
    from facechange.training.config import LOSS_WEIGHTS, FaceConfig
    from facechange.training.face import train_face
    from facechange.training.plan import describe_plan
    from facechange.training.spoiling import SPOILING_SHARES

    config = FaceConfig(
        train=train,
        run=run,
        identity=identity or graph_path("identity"),
        recogniser=recogniser,
        landmarks=landmarks,
        preset=preset,
        size=size,
        start_from=start_from,
        window=window,
        finest_from=finest_from,
        pictures=pictures,
        minutes=minutes,
        loss_below=loss_below,
        batch=batch,
        recovered_share=recovered_share,
        learning_rate=learning_rate,
        discriminator_rate=discriminator_rate,
        weights=LOSS_WEIGHTS | parse_numbers(weight or []),
        spoiling=SPOILING_SHARES | parse_numbers(spoil or []),
        backgrounds=backgrounds,
        seed=seed,
        device=device,
        compile=compile_networks,
    )
    if dry_run:
        with waiting("Measuring this machine"):
            plan = describe_plan(config)
        say(*plan)
        return
    say("Reading the faces and their identities ...")
    with interruptible(run):
        ended = train_face(config, print_row)
    say(f"{ended.checkpoint}: stopped by {ended.reason} after {ended.pictures:,} pictures.")


@app.command("identity")
def identity(
    train: Shards,
    val: Annotated[Path, typer.Option(help="Aligned shards to report on.")],
    run: Run,
    recogniser: Recogniser,
    pictures: Annotated[int, typer.Option(min=1, help="The learning rate falls to zero over this many.")] = 200_000,
    minutes: Minutes = float("inf"),
    batch: Batch = 64,
    learning_rate: Rate = 2e-3,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Distil the identity network from a recogniser."""
    from facechange.cli.extras import need_training

    need_training()
    from facechange.training.identity import IdentityConfig, train_identity

    config = IdentityConfig(train, val, recogniser, run, pictures, minutes, batch, learning_rate, seed=seed, device=device)
    with interruptible(run):
        say(f"{train_identity(config, print_row)}: the identity network.")


@app.command("mapping")
def mapping(
    train: Shards,
    run: Run,
    recogniser: Recogniser,
    change: Annotated[
        Path | None, typer.Option(help="Face-change model (checkpoint or .onnx) instead of change.", show_default=False)
    ] = None,
    identity: Annotated[
        Path | None, typer.Option(help="Identity network that it was trained with instead of the one that ships.", show_default=False)
    ] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="Tar of photographs without a face, to cut occluders from.")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="The learning rate falls to zero over the last of so many.")] = 16_000,
    minutes: Minutes = float("inf"),
    batch: Batch = 16,
    learning_rate: Rate = 1e-3,
    weight: Annotated[list[str] | None, typer.Option(help="Weight of a loss, as contrast=50; may be repeated.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train what moves identities to where a frozen face-change model draws the right people."""
    from facechange.cli.extras import need_training

    need_training()
    from facechange.runtime import graph_path
    from facechange.training.mapping import WEIGHTS, MappingConfig, train_mapping

    config = MappingConfig(
        train,
        run,
        change or graph_path("change"),
        identity or graph_path("identity"),
        recogniser,
        backgrounds,
        pictures,
        minutes,
        batch,
        learning_rate,
        weights=WEIGHTS | parse_numbers(weight or []),
        seed=seed,
        device=device,
    )
    with interruptible(run):
        say(f"{train_mapping(config, print_row)}: the identity network with its mapping.")


@app.command("landmarks")
def landmarks(
    train: Shards,
    val: Annotated[Path, typer.Option(help="Aligned shards to report on.")],
    run: Run,
    pictures: Annotated[int, typer.Option(min=1, help="The learning rate falls to zero over this many.")] = 170_000,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train the landmark network that keeps pose and expression in: train face --landmarks."""
    from facechange.cli.extras import need_training

    need_training()
    from facechange.training.landmarks import LandmarksConfig, train_landmarks

    config = LandmarksConfig(train, val, run, pictures, seed=seed, device=device)
    with interruptible(run):
        say(f"{train_landmarks(config, print_row)}: the landmark network.")


@app.command("locator")
def locator(
    faces: Annotated[Path, typer.Option(help="Folder with train.jsonl and its tar shards.")],
    backgrounds: Annotated[Path, typer.Option(help="Tar of photographs without a face.")],
    run: Run,
    minutes: Minutes = 20,
    seed: Seed = 0,
) -> None:
    """Train the face locator on faces pasted on backgrounds."""
    from facechange.cli.extras import need_training

    need_training()
    from facechange.training.locator import LocatorConfig, train_locator

    config = LocatorConfig(faces=faces, backgrounds=backgrounds, run=run, minutes=minutes, seed=seed)
    with interruptible(run):
        say(f"{train_locator(config, _print_locator)}: the face locator.")


def _print_locator(progress: LocatorProgress) -> None:
    if progress.pictures % 1600 == 0:
        print_row({"pictures": progress.pictures, "pictures_per_second": progress.pictures_per_second} | progress.losses)
