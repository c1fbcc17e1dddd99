"""Distil the identity network from a recogniser, on synthetic faces and on morphs of them.

Any picture can be labelled by the teacher, so the few thousand faces at hand become as many identities as are needed.
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
from facechange.model.identity import IDENTITY_DIMENSIONS, IDENTITY_SIZE, IdentityNetwork
from facechange.model.recogniser import MobileFaceNet, load_recogniser
from facechange.training import augment, camera
from facechange.training.config import IdentityConfig
from facechange.training.datasets import read_dataset
from facechange.training.loop import Progress, Report, Training, train
from facechange.training.memory import autocast, place
from facechange.training.morphs import draw_people

TABLE_WEIGHT = 40
EARLIER = 2048  # crops of the batches before that each new one is compared with
SPOILT_SHARE = 0.6  # of the student's crops; the rest are as clean as the teacher's
PICTURE_SIZE = 160  # FFHQ crops held in memory; the ArcFace crop in them is about 128 pixels wide


class _Student(nn.Module):
    """The identity network and two maps into the teacher's spaces that only the loss sees."""

    def __init__(self) -> None:
        super().__init__()
        self.identity = IdentityNetwork()
        self.to_teacher = nn.Linear(IDENTITY_DIMENSIONS, 128)
        self.to_teacher_features = nn.Conv2d(IDENTITY_DIMENSIONS, 512, 1)

    def forward(self, crop: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.identity.features(crop)
        identity = self.identity.embed(features)
        return identity, self.to_teacher(identity), self.to_teacher_features(features)


class _Earlier(nn.Module):
    """Both networks' vectors of the batches before, the last ones first; zeros, which agree with each other, until there are any."""

    student: Tensor
    teacher: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("student", torch.zeros(EARLIER, IDENTITY_DIMENSIONS))
        self.register_buffer("teacher", torch.zeros(EARLIER, 128))

    def remember(self, student: Tensor, teacher: Tensor) -> None:
        """Put the vectors [N, 512] and [N, 128] of a batch before the others and forget as many."""
        self.student = torch.cat([student.detach(), self.student])[:EARLIER]
        self.teacher = torch.cat([teacher, self.teacher])[:EARLIER]


def table_difference(student: Tensor, other_student: Tensor, teacher: Tensor, other_teacher: Tensor) -> Tensor:
    """Mean square difference of the cosines between two sets of crops as the student and as the teacher see them."""
    return (student @ other_student.T - teacher @ other_teacher.T).square().mean()


def distillation_loss(student: tuple[Tensor, Tensor, Tensor], teacher_identity: Tensor, teacher_features: Tensor) -> Tensor:
    """Direction of each vector, the batch's table of cosines, and the direction of each of the 7×7 features."""
    identity, mapped, features = student
    direction = 1 - functional.cosine_similarity(mapped.float(), teacher_identity).mean()
    table = table_difference(identity, identity, teacher_identity, teacher_identity)
    local = 1 - functional.cosine_similarity(features.float(), teacher_features.float(), dim=1).mean()
    return direction + TABLE_WEIGHT * table + local


def make_batch(faces: AlignedFaces, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops for the teacher and the same crops, spoilt, for the student: two [size, 3, 112, 112] in [-1, 1]."""
    people, points, _ = augment.flip_some(*draw_people(faces, size, generator), generator)
    matrices = augment.jitter_matrices(augment.identity_matrices(points), IDENTITY_SIZE, generator, 12, 0.1, 0.04)
    clean = augment.warp(people, matrices, IDENTITY_SIZE)
    spoilt = augment.change_light(augment.grey_some(clean, generator, 0.2), generator, 0.35)
    for chance, change in ((0.3, camera.lower_detail), (0.2, camera.compress)):
        spoilt = torch.where(augment.uniform(generator, (size, 1, 1, 1), 0, 1) < chance, change(spoilt, generator), spoilt)
    spoilt = augment.add_noise(spoilt, generator, 0.08)
    hidden = augment.random_boxes(size, IDENTITY_SIZE, generator, 0.2, 0.1, 0.35)
    spoilt = spoilt * (1 - hidden) + augment.uniform(generator, (size, 3, 1, 1), -1, 1) * hidden
    chosen = augment.uniform(generator, (size, 1, 1, 1), 0, 1) < SPOILT_SHARE
    return clean, torch.where(chosen, spoilt, clean)


def train_identity(config: IdentityConfig, report: Report = lambda row: None) -> Path:
    """Train or go on training in `config.run`; returns the checkpoint, whose `average` is the network to export. Raises as `train` does."""
    return train(IdentityTraining, config, report).checkpoint


class IdentityTraining(Training):
    """The student learns on spoilt crops what the teacher says of clean ones."""

    checkpoint = "identity.safetensors"

    def __init__(self, config: IdentityConfig, device: torch.device) -> None:
        self.config: IdentityConfig = config
        self._faces, self._val = (load_faces(folder, PICTURE_SIZE).to(device) for folder in (config.train, config.val))
        self._teacher = place(load_recogniser(config.teacher), device)
        self._student = place(_Student(), device)
        self._average = copy.deepcopy(self._student).eval().requires_grad_(False)
        self._optimiser = torch.optim.AdamW(self._student.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        self._earlier = _Earlier().to(device)
        self.networks = {"student": self._student, "average": self._average, "earlier": self._earlier}
        self.optimisers = {"optimiser": self._optimiser}
        self.averages = [(self._average, self._student)]
        self.dataset = read_dataset(config.train)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Crops for the teacher and for the student, [N, 3, 112, 112]."""
        for number in count(first):
            generator = torch.Generator(self._faces.pictures.device).manual_seed(self.config.seed * 1_000_003 + number)
            clean, spoilt = make_batch(self._faces, self.config.batch, generator)
            yield clean.contiguous(memory_format=torch.channels_last), spoilt.contiguous(memory_format=torch.channels_last)

    def step(self, batch: tuple[Tensor, Tensor], number: int) -> dict[str, Tensor]:
        """The loss on a batch, against itself and the batches before."""
        clean, spoilt = batch
        with autocast(clean.device):
            with torch.no_grad():
                teacher_features = self._teacher.features(clean)
                teacher_identity = self._teacher.embed(teacher_features)
            outputs = self._student(spoilt)
        loss = distillation_loss(outputs, teacher_identity, teacher_features)
        loss = loss + TABLE_WEIGHT * table_difference(outputs[0], self._earlier.student, teacher_identity, self._earlier.teacher)
        self._earlier.remember(outputs[0], teacher_identity)
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
        """How alike the average and the teacher rank held-out pairs."""
        return {"val_spearman": cosine_rank_correlation(self._average.identity, self._teacher, self._val)}


@torch.no_grad()
def cosine_rank_correlation(identity: IdentityNetwork, teacher: MobileFaceNet, faces: AlignedFaces) -> float:
    """Spearman correlation of the network's cosines with the teacher's over all pairs of `faces`."""
    crops = augment.warp(augment.to_float(faces.pictures), augment.identity_matrices(faces.points), IDENTITY_SIZE)
    ranks = []
    for network in (identity, teacher):
        vectors = torch.cat([network(part) for part in crops.split(64)])
        upper = torch.triu_indices(len(vectors), len(vectors), 1)
        cosines = (vectors @ vectors.T)[upper[0], upper[1]]
        ranks.append(cosines.argsort().argsort().float())
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])
