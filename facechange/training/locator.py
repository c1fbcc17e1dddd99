"""Train the face locator on composites within a time budget, continue a run, export the result."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from facechange.core import ModelCard, TrainingError, hash_file
from facechange.core.stored import read_json
from facechange.data.backgrounds import read_backgrounds
from facechange.data.composites import CompositeDataset, read_faces, store_face
from facechange.faces.locator_maps import STRIDES
from facechange.model.locator import Locator, export_locator_graph
from facechange.training.checkpoint import load_checkpoint, load_part, read_checkpoint, save_checkpoint, update_average
from facechange.training.interrupt import PatientInterrupt
from facechange.training.locator_losses import locator_losses
from facechange.training.memory import autocast, place, resolve_device

BOX_WEIGHT, POINT_WEIGHT = 2.0, 10.0
WARM_UP_STEPS = 200
AVERAGE_DECAY = 0.998
LARGEST_GRADIENT = 10.0


@dataclass(frozen=True)
class LocatorConfig:
    """A run: what it reads, where it writes and when it stops. A run started again in the same folder continues."""

    faces: Path  # folder with train.jsonl and its shards
    backgrounds: Path  # tar of photographs without a face
    run: Path  # folder of the run
    minutes: float = 20.0  # of training, over all continuations; the learning rate falls to zero until then
    pictures: int | None = None  # stop after so many instead, where that comes first
    size_px: int = 320
    batch: int = 16
    learning_rate: float = 2e-3
    seed: int = 0
    workers: int = 1  # processes that draw composites; 0 draws them in between
    checkpoint_seconds: float = 60.0


@dataclass(frozen=True)
class LocatorProgress:
    """Where a run stands; what `train_locator` reports after every step and logs with every checkpoint."""

    pictures: int
    seconds: float  # trained, over all continuations
    fraction: float  # of the budget, 0..1
    pictures_per_second: float  # of this continuation
    losses: dict[str, float]  # running means: score, box, points


@dataclass
class _State:
    """Everything that a checkpoint holds."""

    network: Locator
    average: Locator
    optimizer: torch.optim.AdamW
    pictures: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)


def train_locator(config: LocatorConfig, report: Callable[[LocatorProgress], None] | None = None) -> Path:
    """Train until the budget is spent and return the checkpoint's path.

    The run's folder gets `config.json`, `checkpoint.safetensors` and a line of `log.jsonl` a checkpoint. An interruption
    saves before it passes on. Raises `TrainingError` where the data or the run cannot be used or the loss is not finite.
    """
    checkpoint = config.run / "checkpoint.safetensors"
    torch.manual_seed(config.seed)
    device = resolve_device("auto")
    state = _make_state(device, config)
    _open_run(config)
    if checkpoint.exists():
        _load(checkpoint, state)
    if _fraction(config, state) >= 1:
        return checkpoint
    batches = _load_batches(config, state.pictures)
    before, saved = state.seconds, state.seconds
    started, first_picture = time.monotonic(), state.pictures
    with PatientInterrupt() as interrupt:
        try:
            while _fraction(config, state) < 1:
                _step(config, state, *(tensor.to(device, non_blocking=True) for tensor in next(batches)))
                elapsed = time.monotonic() - started
                state.seconds = before + elapsed
                progress = LocatorProgress(
                    state.pictures, state.seconds, _fraction(config, state), (state.pictures - first_picture) / elapsed, dict(state.losses)
                )
                if state.seconds - saved > config.checkpoint_seconds or progress.fraction >= 1:
                    saved = state.seconds
                    _save(checkpoint, state, progress)
                if report:
                    report(progress)
                if interrupt.asked:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            _save(checkpoint, state, progress=None)
            raise
    return checkpoint


def _make_state(device: torch.device, config: LocatorConfig) -> _State:
    network = place(Locator(), device).train()
    average = Locator().to(device).eval().requires_grad_(False)
    average.load_state_dict(network.state_dict())
    return _State(network, average, torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=1e-2))


def _open_run(config: LocatorConfig) -> None:
    """Make the run's folder; raises `TrainingError` where it holds a run that saw other composites."""
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(config).items()}
    path = config.run / "config.json"
    try:
        config.run.mkdir(parents=True, exist_ok=True)
        if path.exists():
            earlier = read_json(path)
            changed = [name for name in ("size_px", "batch", "seed") if earlier.get(name) != settings[name]]
            if changed:
                raise TrainingError(f"{config.run} holds a run with another {', '.join(changed)}.", "Choose another folder for this one.")
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError, AttributeError) as error:
        raise TrainingError(f"{config.run} cannot be used for a run ({error}).", "Choose another folder.") from None


def _load_batches(config: LocatorConfig, first_picture: int) -> Iterator[list[Tensor]]:
    """Batches of pictures [N, S, S, 3] uint8 and labels [N, 8, 15], from composite `first_picture` on, without end."""
    faces = [store_face(*face) for face in read_faces(config.faces, "train")]
    if not faces:
        raise TrainingError(f"{config.faces} holds no faces to train on.", "train.jsonl must list them.")
    dataset = CompositeDataset(faces, read_backgrounds(config.backgrounds, held_out=False), config.size_px, config.seed)
    numbers = range(first_picture, 1 << 40)
    loader: DataLoader[Any] = DataLoader(
        dataset,  # type: ignore[arg-type]
        config.batch,
        sampler=numbers,
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
        worker_init_fn=_start_worker,
    )
    return iter(loader)


def _start_worker(_: int) -> None:
    """One thread a worker: OpenCV's pool of threads does not survive a fork."""
    cv2.setNumThreads(0)


def _fraction(config: LocatorConfig, state: _State) -> float:
    """How much of the budget is spent, 0..1."""
    by_pictures = state.pictures / config.pictures if config.pictures else 0.0
    return min(1.0, max(state.seconds / (60 * config.minutes), by_pictures))


def _step(config: LocatorConfig, state: _State, pictures: Tensor, labels: Tensor) -> None:
    """One batch: forward and backward in bfloat16, AdamW under a cosine schedule, then the average of the weights."""
    steps = state.pictures // config.batch
    fall = 0.5 + 0.5 * math.cos(math.pi * _fraction(config, state))
    for group in state.optimizer.param_groups:
        group["lr"] = config.learning_rate * fall * min(1.0, (steps + 1) / WARM_UP_STEPS)
    inputs = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1  # [N, 3, S, S], channels last in memory
    with autocast(pictures.device):
        maps = state.network(inputs)
    losses = locator_losses([map_.float() for map_ in maps], labels)
    total = losses["score"] + BOX_WEIGHT * losses["box"] + POINT_WEIGHT * losses["points"]
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()
    gradient = torch.nn.utils.clip_grad_norm_(state.network.parameters(), LARGEST_GRADIENT)
    if not math.isfinite(total.item() + gradient.item()):  # before the weights are touched
        checkpoint = config.run / "checkpoint.safetensors"
        kept = f"The last good checkpoint is {checkpoint}." if checkpoint.exists() else "Nothing was saved yet."
        raise TrainingError("The locator's loss is no longer finite.", f"{kept} Lower the learning rate.")
    state.optimizer.step()
    decay = min(AVERAGE_DECAY, (steps + 1) / (steps + 10))
    update_average(state.average, state.network, decay)
    state.pictures += len(pictures)
    for name, value in losses.items():
        state.losses[name] = 0.98 * state.losses.get(name, value.item()) + 0.02 * value.item()


def _save(path: Path, state: _State, progress: LocatorProgress | None) -> None:
    """Write the whole state; log `progress`."""
    facts = {"pictures": state.pictures, "seconds": state.seconds, "losses": state.losses}
    save_checkpoint(path, {"network": state.network, "average": state.average}, {"optimizer": state.optimizer}, facts)
    if progress:
        with (path.parent / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(progress)) + "\n")


def _load(path: Path, state: _State) -> None:
    facts = load_checkpoint(path, {"network": state.network, "average": state.average}, {"optimizer": state.optimizer})
    state.pictures, state.seconds, state.losses = facts["pictures"], facts["seconds"], facts["losses"]


def load_locator(checkpoint: Path) -> Locator:
    """The averaged network of a run, ready to use; raises `TrainingError`."""
    network = Locator().eval()
    load_part(checkpoint, "average", network)
    return network


def export_locator(checkpoint: Path, path: Path, metrics: dict[str, Any] | None = None) -> ModelCard:
    """Export the averaged network of a run to the graph `path` (.onnx) with its card (.json) beside it."""
    network = load_locator(checkpoint)
    facts = read_checkpoint(checkpoint)[1]
    export_locator_graph(network, path)
    card = ModelCard(
        name="facechange-locator",
        role="locator",
        version="0.1.0",
        summary="Finds faces: an upright box, five points and a score each; fully convolutional, free of anchors.",
        licence="Apache-2.0",
        sha256=hash_file(path),
        size_px=0,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        normalisation="RGB, x / 127.5 - 1",
        template="none: a whole picture, its sides padded to multiples of 32 px",
        inputs={"picture": "[N, 3, H, W] float32 in [-1, 1], RGB, H and W multiples of 32"},
        outputs={
            f"stride_{s}": f"[N, 15, H/{s}, W/{s}]: score logit, centre, log size, five points; see faces.locator_maps" for s in STRIDES
        },
        data="Composites of 3,879 generated faces of people who do not exist (boxes and points labelled by YuNet, Apache-2.0) "
        "on photographs without a face; one background in ten is held out.",
        training=f"{facts['pictures']:,} composites, {facts['seconds'] / 60:.0f} minutes.",
        limits="Faces of 8 to 320 px in its input. The faces it learned from are mostly frontal, well lit and of white people: expect "
        "it to miss profiles and people unlike them more often.",
        metrics=metrics or {},
        bfloat16=True,  # points then move by 0.1 % of the face on average, and recall stays (docs/performance.md)
    )
    card.save(path.with_suffix(".json"))
    return card
