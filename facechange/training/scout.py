"""Train the face scout on composites within a time budget, continue a run, export the result."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from facechange.core import ModelCard, TrainingError, hash_file
from facechange.data.backgrounds import read_backgrounds
from facechange.data.composites import CompositeDataset, read_faces, store_face
from facechange.faces.scout_maps import STRIDES
from facechange.models.scout import ScoutNetwork, export_scout_graph
from facechange.training.checkpoint import load_part, read_checkpoint
from facechange.training.config import ScoutConfig
from facechange.training.datasets import describe_labelled, tell_data
from facechange.training.loop import Progress, Report, Training, train
from facechange.training.memory import autocast, place
from facechange.training.scout_losses import scout_losses

BOX_WEIGHT, POINT_WEIGHT = 2.0, 10.0
WARM_UP_STEPS = 200
EMA_DECAY = 0.998
LARGEST_GRADIENT = 10.0


def train_scout(config: ScoutConfig, report: Report = lambda row: None) -> Path:
    """Train until the time or the pictures are spent, over all calls, and return the checkpoint's path.

    Raises as `train` does, `PictureError` where the faces cannot be read, and `TrainingError` where the run saw other
    composites.
    """
    return train(ScoutTraining, config, report).checkpoint


class ScoutTraining(Training):
    """Scores, boxes and points of faces on composites."""

    fixed = ("size_px", "batch", "seed")
    counts_all_calls = True

    def __init__(self, config: ScoutConfig, device: torch.device) -> None:
        self.config: ScoutConfig = config
        self._device = device
        self._network = place(ScoutNetwork(), device).train()
        ema = ScoutNetwork().to(device).eval().requires_grad_(False)
        ema.load_state_dict(self._network.state_dict())
        self._optimiser = torch.optim.AdamW(self._network.parameters(), lr=config.learning_rate, weight_decay=1e-2)
        self.networks = {"network": self._network, "ema": ema}
        self.optimisers = {"optimizer": self._optimiser}
        self.emas = [(ema, self._network)]
        self.dataset = describe_labelled(config.faces, "train")

    def batches(self, first: int) -> Iterator[list[Tensor]]:
        """Pictures [N, S, S, 3] uint8 and labels [N, 8, 15]."""
        for batch in _load_batches(self.config, first * self.config.batch):
            yield [tensor.to(self._device, non_blocking=True) for tensor in batch]

    def step(self, batch: list[Tensor], number: int) -> dict[str, Tensor]:
        """Forward and backward in bfloat16."""
        pictures, labels = batch
        inputs = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1  # [N, 3, S, S], channels last in memory
        with autocast(pictures.device):
            maps = self._network(inputs)
        losses = scout_losses([map_.float() for map_ in maps], labels)
        total = losses["score"] + BOX_WEIGHT * losses["box"] + POINT_WEIGHT * losses["points"]
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), LARGEST_GRADIENT)
        self._optimiser.step()
        return {name: value.detach() for name, value in losses.items()} | {"total": total.detach()}

    def learning_rate(self, progress: Progress) -> float:
        """A warm-up, and a half cosine to zero."""
        fall = 0.5 + 0.5 * math.cos(math.pi * self.spent(progress))
        return (
            self.config.learning_rate * fall * min(1.0, (progress["pictures"] // self.config.batch + 1) / WARM_UP_STEPS)
        )

    def decay(self, number: int) -> float:
        """As of the others, a step later."""
        return min(EMA_DECAY, (number + 1) / (number + 10))

    def spent(self, progress: Progress) -> float:
        """By time or by pictures, whichever is farther."""
        by_pictures = progress["pictures"] / self.config.pictures
        return min(1.0, max(progress["seconds"] / (60 * self.config.minutes), by_pictures))


def _load_batches(config: ScoutConfig, first_picture: int) -> Iterator[list[Tensor]]:
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


def load_detector(checkpoint: Path) -> ScoutNetwork:
    """The averaged network of a run, ready to use; raises `TrainingError`."""
    network = ScoutNetwork().eval()
    load_part(checkpoint, "ema", network)
    return network


def export_scout(checkpoint: Path, path: Path, metrics: dict[str, Any] | None = None) -> ModelCard:
    """Export the averaged network of a run to the graph `path` (.onnx) with its card (.json) beside it."""
    network = load_detector(checkpoint)
    metadata = read_checkpoint(checkpoint)[1]
    export_scout_graph(network, path)
    card = ModelCard(
        name="facechange-scout",
        role="scout",
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
            f"stride_{s}": f"[N, 15, H/{s}, W/{s}]: score logit, centre, log size, five points; see faces.scout_maps"
            for s in STRIDES
        },
        data=f"Composites on photographs without a face, one in ten of which is held out. Faces: {' '.join(tell_data(metadata))}",
        training=f"{metadata['pictures']:,} composites, {metadata['seconds'] / 60:.0f} minutes.",
        limits="Faces of 8 to 320 px in its input. Expect it to miss poses and people that its data has few of more often.",
        metrics=metrics or {},
        bfloat16=True,  # points then move by 0.1 % of the face on average, and recall stays (docs/performance.md)
    )
    card.save(path.with_suffix(".json"))
    return card
