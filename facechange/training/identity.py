"""Distil the identity network from a recogniser, on synthetic faces and on morphs of them.

Any picture can be labelled by the teacher, so the few thousand faces at hand become as many identities as are needed.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.core import TrainingError
from facechange.data.shards import AlignedFaces, load_faces
from facechange.model.identity import IDENTITY_DIMENSIONS, IDENTITY_SIZE, IdentityNetwork
from facechange.model.recogniser import MobileFaceNet, load_recogniser
from facechange.training import augment, camera
from facechange.training.checkpoint import load_checkpoint, save_checkpoint, update_average
from facechange.training.interrupt import PatientInterrupt
from facechange.training.memory import autocast, place, prepare_device
from facechange.training.morphs import draw_people

TABLE_WEIGHT = 40
EARLIER = 2048  # crops of the batches before that each new one is compared with
SPOILT_SHARE = 0.6  # of the student's crops; the rest are as clean as the teacher's
CHECKPOINT_SECONDS = 120
PICTURE_SIZE = 160  # FFHQ crops held in memory; the ArcFace crop in them is about 128 pixels wide


@dataclass(frozen=True)
class IdentityConfig:
    """What a run does; saved as `config.json` in its folder."""

    train: Path  # aligned shards
    val: Path
    teacher: Path  # MobileFaceNet, safetensors
    run: Path
    pictures: int = 200_000  # the learning rate falls to zero over this many
    minutes: float = float("inf")
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    seed: int = 0
    device: str = "auto"


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


def train_identity(config: IdentityConfig, report: Callable[[dict[str, float]], None] = lambda row: None) -> Path:
    """Train or go on training in `config.run`; returns the checkpoint, whose `average` is the network to export."""
    device = prepare_device(config.device)
    torch.manual_seed(config.seed)
    faces, val = load_faces(config.train, PICTURE_SIZE).to(device), load_faces(config.val, PICTURE_SIZE).to(device)
    teacher = place(load_recogniser(config.teacher), device)
    student = place(_Student(), device)
    average = copy.deepcopy(student).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(student.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    earlier = _Earlier().to(device)
    networks, optimisers, seen = {"student": student, "average": average, "earlier": earlier}, {"optimiser": optimiser}, 0
    checkpoint = config.run / "identity.safetensors"
    if checkpoint.exists():
        seen = load_checkpoint(checkpoint, networks, optimisers)["pictures"]
    config.run.mkdir(parents=True, exist_ok=True)
    (config.run / "config.json").write_text(json.dumps(asdict(config), default=str, indent=2), encoding="utf-8")
    started = saved = time.monotonic()
    first, running = seen, None
    with PatientInterrupt() as interrupt:
        for clean, spoilt in _batches(config, faces, seen):
            with autocast(device):
                with torch.no_grad():
                    teacher_features = teacher.features(clean)
                    teacher_identity = teacher.embed(teacher_features)
                outputs = student(spoilt)
            loss = distillation_loss(outputs, teacher_identity, teacher_features)
            loss = loss + TABLE_WEIGHT * table_difference(outputs[0], earlier.student, teacher_identity, earlier.teacher)
            earlier.remember(outputs[0], teacher_identity)
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * _rate(seen, config.pictures)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 5.0)
            optimiser.step()
            seen += config.batch
            update_average(average, student, min(0.998, (1 + seen / config.batch) / (10 + seen / config.batch)))
            running = loss.detach() if running is None else torch.lerp(running, loss.detach(), 0.02)
            now = time.monotonic()
            ended = interrupt.asked or seen >= config.pictures or now - started > config.minutes * 60
            if ended or now - saved > CHECKPOINT_SECONDS:
                if not math.isfinite(
                    smoothed := float(running)
                ):  # the one number read from the device, so seldom that it waits for no step
                    raise TrainingError(f"The loss is not finite after {seen:,} pictures.", f"The last good checkpoint is {checkpoint}.")
                save_checkpoint(checkpoint, networks, optimisers, {"pictures": seen})
                saved = now
                spearman = cosine_rank_correlation(average.identity, teacher, val)
                report(
                    {"pictures": seen, "loss": smoothed, "val_spearman": spearman, "pictures_per_second": (seen - first) / (now - started)}
                )
            if interrupt.asked:
                raise KeyboardInterrupt
            if ended:
                break
    return checkpoint


def _rate(seen: int, total: int) -> float:
    """Warm up over the first 2 %, then a half cosine to zero."""
    progress = min(seen / total, 1.0)
    return min(progress / 0.02 + 0.02, 1.0) * 0.5 * (1 + math.cos(math.pi * progress))


def _batches(config: IdentityConfig, faces: AlignedFaces, seen: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch k depends on the seed and k alone, so a resumed run sees the same ones."""
    step = seen // config.batch
    while True:
        generator = torch.Generator(faces.pictures.device).manual_seed(config.seed * 1_000_003 + step)
        clean, spoilt = make_batch(faces, config.batch, generator)
        yield clean.contiguous(memory_format=torch.channels_last), spoilt.contiguous(memory_format=torch.channels_last)
        step += 1


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
