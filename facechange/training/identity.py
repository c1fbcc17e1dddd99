"""Distil the identity network from a recognizer, on synthetic faces and on morphs of them.

Any picture can be labelled by the recognizer, so the few thousand faces at hand become as many identities as are
needed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.data.shards import AlignedFaces, load_faces
from facechange.models.identity import IDENTITY_DIMENSIONS, IDENTITY_SIZE, IdentityNetwork
from facechange.models.recognizer import MobileFaceNet, load_recognizer
from facechange.training import augment, camera
from facechange.training.config import IdentityConfig
from facechange.training.datasets import read_dataset
from facechange.training.loop import Progress, Report, Training, train
from facechange.training.memory import autocast, place
from facechange.training.morphs import draw_people

TABLE_WEIGHT = 40
EARLIER = 2048  # crops of the batches before that each new one is compared with
DEGRADED_SHARE = 0.6  # of the student's crops; the rest are as clean as the recognizer's
PICTURE_SIZE = 160  # FFHQ crops held in memory; the ArcFace crop in them is about 128 pixels wide


class _Student(nn.Module):
    """The identity network and two maps into the recognizer's spaces that only the loss sees."""

    def __init__(self) -> None:
        super().__init__()
        self.identity = IdentityNetwork()
        self.to_recognizer = nn.Linear(IDENTITY_DIMENSIONS, 128)
        self.to_recognizer_features = nn.Conv2d(IDENTITY_DIMENSIONS, 512, 1)

    def forward(self, crop: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.identity.features(crop)
        identity = self.identity.embed(features)
        return identity, self.to_recognizer(identity), self.to_recognizer_features(features)


class _Earlier(nn.Module):
    """Both networks' vectors of the batches before, the last ones first; zeros, which agree with each other, until
    there are any."""

    student: Tensor
    recognizer: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("student", torch.zeros(EARLIER, IDENTITY_DIMENSIONS))
        self.register_buffer("recognizer", torch.zeros(EARLIER, 128))

    def remember(self, student: Tensor, recognizer: Tensor) -> None:
        """Put the vectors [N, 512] and [N, 128] of a batch before the others and forget as many."""
        self.student = torch.cat([student.detach(), self.student])[:EARLIER]
        self.recognizer = torch.cat([recognizer, self.recognizer])[:EARLIER]


def table_difference(student: Tensor, other_student: Tensor, recognizer: Tensor, other_recognizer: Tensor) -> Tensor:
    """Mean square difference of the cosines between two sets of crops as the student and as the recognizer see them."""
    return (student @ other_student.T - recognizer @ other_recognizer.T).square().mean()


def distillation_loss(
    student: tuple[Tensor, Tensor, Tensor], recognizer_identity: Tensor, recognizer_features: Tensor
) -> Tensor:
    """Direction of each vector, the batch's table of cosines, and the direction of each of the 7×7 features."""
    identity, mapped, features = student
    direction = 1 - functional.cosine_similarity(mapped.float(), recognizer_identity).mean()
    table = table_difference(identity, identity, recognizer_identity, recognizer_identity)
    local = 1 - functional.cosine_similarity(features.float(), recognizer_features.float(), dim=1).mean()
    return direction + TABLE_WEIGHT * table + local


def make_batch(faces: AlignedFaces, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops for the recognizer and the same crops, degraded, for the student: two [size, 3, 112, 112] in [-1, 1]."""
    people, points, _ = augment.flip_some(*draw_people(faces, size, generator), generator)
    matrices = augment.jitter_matrices(augment.identity_matrices(points), IDENTITY_SIZE, generator, 12, 0.1, 0.04)
    clean = augment.warp(people, matrices, IDENTITY_SIZE)
    degraded = augment.change_light(augment.grey_some(clean, generator, 0.2), generator, 0.35)
    for chance, change in ((0.3, camera.lower_detail), (0.2, camera.compress)):
        degraded = torch.where(
            augment.uniform(generator, (size, 1, 1, 1), 0, 1) < chance, change(degraded, generator), degraded
        )
    degraded = augment.add_noise(degraded, generator, 0.08)
    hidden = augment.random_boxes(size, IDENTITY_SIZE, generator, 0.2, 0.1, 0.35)
    degraded = degraded * (1 - hidden) + augment.uniform(generator, (size, 3, 1, 1), -1, 1) * hidden
    chosen = augment.uniform(generator, (size, 1, 1, 1), 0, 1) < DEGRADED_SHARE
    return clean, torch.where(chosen, degraded, clean)


def train_identity(config: IdentityConfig, report: Report = lambda row: None) -> Path:
    """Train or go on training in `config.run`; returns the checkpoint, whose `ema` is the network to export. Raises as
    `train` does."""
    return train(IdentityTraining, config, report).checkpoint


class IdentityTraining(Training):
    """The student learns on degraded crops what the recognizer says of clean ones."""

    checkpoint = "identity.safetensors"

    def __init__(self, config: IdentityConfig, device: torch.device) -> None:
        self.config: IdentityConfig = config
        self._faces, self._val = (load_faces(folder, PICTURE_SIZE).to(device) for folder in (config.train, config.val))
        self._recognizer = place(load_recognizer(config.recognizer), device)
        self._student = place(_Student(), device)
        self._ema = copy.deepcopy(self._student).eval().requires_grad_(False)
        self._optimiser = torch.optim.AdamW(
            self._student.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self._earlier = _Earlier().to(device)
        self.networks = {"student": self._student, "ema": self._ema, "earlier": self._earlier}
        self.optimisers = {"optimiser": self._optimiser}
        self.emas = [(self._ema, self._student)]
        self.dataset = read_dataset(config.train)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Crops for the recognizer and for the student, [N, 3, 112, 112]."""
        for number in count(first):
            generator = torch.Generator(self._faces.pictures.device).manual_seed(self.config.seed * 1_000_003 + number)
            clean, degraded = make_batch(self._faces, self.config.batch, generator)
            yield (
                clean.contiguous(memory_format=torch.channels_last),
                degraded.contiguous(memory_format=torch.channels_last),
            )

    def step(self, batch: tuple[Tensor, Tensor], number: int) -> dict[str, Tensor]:
        """The loss on a batch, against itself and the batches before."""
        clean, degraded = batch
        with autocast(clean.device):
            with torch.no_grad():
                recognizer_features = self._recognizer.features(clean)
                recognizer_identity = self._recognizer.embed(recognizer_features)
            outputs = self._student(degraded)
        loss = distillation_loss(outputs, recognizer_identity, recognizer_features)
        loss = loss + TABLE_WEIGHT * table_difference(
            outputs[0], self._earlier.student, recognizer_identity, self._earlier.recognizer
        )
        self._earlier.remember(outputs[0], recognizer_identity)
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._student.parameters(), 5.0)
        self._optimiser.step()
        return {"total": loss.detach()}

    def learning_rate(self, progress: Progress) -> float:
        """Warm up over the first 2 %, then a half cosine to zero."""
        share = min(progress["pictures"] / self.config.pictures, 1.0)
        return self.config.learning_rate * (min(share / 0.02 + 0.02, 1.0) * 0.5 * (1 + math.cos(math.pi * share)))

    def evaluate(self) -> dict[str, float]:
        """How alike the EMA and the recognizer rank held-out pairs."""
        return {"val_spearman": cosine_rank_correlation(self._ema.identity, self._recognizer, self._val)}


@torch.no_grad()
def cosine_rank_correlation(identity: IdentityNetwork, recognizer: MobileFaceNet, faces: AlignedFaces) -> float:
    """Spearman correlation of the network's cosines with the recognizer's over all pairs of `faces`."""
    crops = augment.warp(augment.to_float(faces.pictures), augment.identity_matrices(faces.points), IDENTITY_SIZE)
    ranks = []
    for network in (identity, recognizer):
        vectors = torch.cat([network(part) for part in crops.split(64)])
        upper = torch.triu_indices(len(vectors), len(vectors), 1)
        cosines = (vectors @ vectors.T)[upper[0], upper[1]]
        ranks.append(cosines.argsort().argsort().float())
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])
