"""Train the landmark network on the labelled landmarks of aligned shards, in crops degraded as the face-change model's
are."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from facechange.core import TrainingError
from facechange.data.shards import AlignedFaces, load_faces
from facechange.faces.mean_face68 import MIRRORED
from facechange.models.landmarks import LANDMARK_SIZE, LandmarkNetwork
from facechange.training import augment
from facechange.training.checkpoint import load_part
from facechange.training.config import DEGRADATION_SHARES, LandmarksConfig
from facechange.training.datasets import read_dataset
from facechange.training.degradations import degrade_scenes
from facechange.training.loop import Progress, Report, Training, train
from facechange.training.memory import autocast, place
from facechange.training.morphs import move_landmarks
from facechange.training.scenes import Scenes

TURN_SHARE = 0.7
RESHAPED_SHARE = 0.8  # of the crops
# What of a face is moved and scaled apart: outline, brows, nose, eyes, mouth; deviations, of the shift in parts of the
# side.
PARTS = ((0, 17), (17, 22), (22, 27), (27, 36), (36, 42), (42, 48), (48, 68))
PART_SHIFT, PART_SCALE = 0.015, 0.08


def train_landmarks(config: LandmarksConfig, report: Report = lambda row: None) -> Path:
    """Train or go on training in `config.run`; returns the checkpoint, whose `ema` `train face --landmarks` reads.

    Raises as `train` does, and `TrainingError` where the shards lack landmarks.
    """
    return train(LandmarksTraining, config, report).checkpoint


class LandmarksTraining(Training):
    """Places of 68 landmarks in crops that are turned, degraded and reshaped."""

    checkpoint = "landmarks.safetensors"

    def __init__(self, config: LandmarksConfig, device: torch.device) -> None:
        self.config: LandmarksConfig = config
        self._faces, self._val = _load(config.train, device), _load(config.val, device)
        self._network = place(LandmarkNetwork(), device)
        self._ema = copy.deepcopy(self._network).eval().requires_grad_(False)
        self._optimiser = torch.optim.AdamW(self._network.parameters(), config.learning_rate, weight_decay=0.02)
        self.networks = {"network": self._network, "ema": self._ema}
        self.optimisers = {"optimiser": self._optimiser}
        self.emas = [(self._ema, self._network)]
        self.dataset = read_dataset(config.train)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Crops and where their landmarks are."""
        for number in count(first):
            generator = torch.Generator(self._faces[1].device).manual_seed(self.config.seed * 1_000_003 + number)
            yield make_batch(*self._faces, self.config.batch, generator)

    def step(self, batch: tuple[Tensor, Tensor], number: int) -> dict[str, Tensor]:
        """A smooth L1 loss of places."""
        pictures, wanted = batch
        with autocast(pictures.device):
            found = self._network(pictures.contiguous(memory_format=torch.channels_last))
        loss = functional.smooth_l1_loss(found, wanted, beta=0.02)
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        return {"total": loss.detach()}

    def learning_rate(self, progress: Progress) -> float:
        """It falls evenly to zero."""
        return self.config.learning_rate * (1 - progress["pictures"] / self.config.pictures)

    def evaluate(self) -> dict[str, float]:
        """How far the EMA is off on held-out faces."""
        return {"val_error_percent": mean_error(self._ema, *self._val)}


def make_batch(faces: AlignedFaces, landmarks: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Degraded crops [count, 3, 128, 128] in [-1, 1] and their landmarks [count, 68, 2] in parts of the side."""
    index = torch.randint(len(faces), (count,), generator=generator, device=generator.device)
    pictures, points, mirrored = augment.flip_some(faces.pictures[index], faces.points[index], generator)
    all68 = landmarks[index]
    flipped = all68[:, MIRRORED]
    flipped[..., 0] = faces.size - 1 - flipped[..., 0]
    pictures, all68 = reshape_some(
        augment.to_float(pictures), torch.where(mirrored.view(-1, 1, 1), flipped, all68), generator
    )
    points = torch.cat([points, all68], 1)
    background = torch.ones(count, 1, LANDMARK_SIZE, LANDMARK_SIZE, device=points.device)  # nobody asks for it here
    scenes = Scenes(pictures, points, background, background)
    scenes = degrade_scenes(scenes, {"turn": TURN_SHARE}, generator, faces.pictures)
    wanted = (scenes.points[:, 5:] + 0.5) / LANDMARK_SIZE
    scenes = degrade_scenes(
        replace(scenes, points=scenes.points[:, :5]), DEGRADATION_SHARES | {"turn": 0.0}, generator, faces.pictures
    )
    return scenes.pictures, wanted


def reshape_some(pictures: Tensor, landmarks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Give some of the faces in `pictures` [N, 3, S, S] another shape; returns pictures and `landmarks` [N, 68, 2],
    both moved.

    The new shape lies between the face's own and the next one's, or up to a fifth beyond, and each of `PARTS` is then
    moved and scaled apart. A changed face has parts where no face of the data has them; a network that knows where they
    should be overlooks it.
    """
    count, size = len(pictures), pictures.shape[-1]
    chosen = augment.uniform(generator, (count, 1, 1), 0, 1) < RESHAPED_SHARE
    share = torch.where(chosen, augment.uniform(generator, (count, 1, 1), -0.2, 1.2), 0.0)
    wanted = torch.lerp(landmarks, landmarks.roll(1, 0), share)
    parts = []
    for first, last in PARTS:
        part = wanted[:, first:last]
        middle = part.mean(1, keepdim=True)
        shift, scale = (torch.randn(count, 1, 2, generator=generator, device=part.device) for _ in range(2))
        parts.append(
            torch.where(chosen, middle + (part - middle) * (1 + PART_SCALE * scale) + PART_SHIFT * size * shift, part)
        )
    wanted = torch.cat(parts, 1)
    return torch.where(chosen[..., None], move_landmarks(pictures, landmarks, wanted), pictures), wanted


@torch.no_grad()
def mean_error(network: LandmarkNetwork, faces: AlignedFaces, landmarks: Tensor) -> float:
    """Mean distance of found and labelled landmarks in hundredths of the crop's side, over clean faces."""
    found = torch.cat([network(augment.to_float(part)) for part in faces.pictures.split(64)])
    return 100 * float((found - (landmarks + 0.5) / faces.size).norm(dim=2).mean())


def load_landmark_network(path: Path) -> LandmarkNetwork:
    """The averaged network of a run; raises `TrainingError`."""
    network = LandmarkNetwork()
    load_part(path, "ema", network)
    return network


def _load(folder: Path, device: torch.device) -> tuple[AlignedFaces, Tensor]:
    """The faces at 128 pixels and their landmarks [N, 68, 2] in pixels of them."""
    faces = load_faces(folder, LANDMARK_SIZE).to(device)
    if faces.landmarks is None:
        raise TrainingError(
            f"Faces in {folder} have no landmarks.", "Prepare them from labelled faces (docs/map.md, Labelled faces)."
        )
    return faces, faces.landmarks
