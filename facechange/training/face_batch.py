"""One training batch: pairs of source and target, the target spoilt the way real photographs are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from facechange.training import augment
from facechange.training.config import FaceConfig
from facechange.training.shards import AlignedFaces

IDENTITY_SIZE = 112
LARGEST_UNSHRUNK = 192  # pictures above this are halved before the 112² crop is sampled, so that it does not alias


@dataclass(frozen=True)
class FaceBatch:
    """Pairs in network form; pictures are float32 [N, 3, R, R] in [-1, 1]."""

    source: Tensor
    source_index: Tensor  # [N] int64: which of the faces
    target: Tensor
    target_index: Tensor
    target_points: Tensor  # [N, 5, 2] in pixels of `target`
    background: Tensor  # M_bg [N, 1, R, R]: 1 outside the face hull and on whatever covers the face
    same_object: Tensor  # [N]: 1 where source and target show one person


def make_batch(faces: AlignedFaces, config: FaceConfig, step: int) -> FaceBatch:
    """Batch number `step`: a function of the seed and the step alone, so a resumed run sees the same sequence."""
    device = faces.pictures.device
    generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
    target_index = torch.randint(len(faces), (config.batch,), generator=generator, device=device)
    other_index = torch.randint(len(faces), (config.batch,), generator=generator, device=device)
    same = torch.arange(config.batch, device=device) < round(config.same_object_share * config.batch)
    source_index = torch.where(same, target_index, other_index)
    source = augment.to_float(faces.pictures[source_index])

    stacked = torch.cat([faces.pictures[target_index], faces.background[target_index]], 1)
    stacked, points, _ = augment.flip_some(stacked, faces.points[target_index], generator)
    target = resize(augment.to_float(stacked[:, :3]), config.size)
    background = resize(stacked[:, 3:].float(), config.size)
    points = (points + 0.5) * (config.size / faces.size) - 0.5
    target, background = _cover(target, background, config.covered_target_share, generator)
    spoilt = augment.add_noise(augment.change_light(augment.grey_some(target, generator, 0.2), generator, 0.3), generator, 0.03)
    spoilt = augment.lower_resolution(spoilt, generator, 0.3, 0.4)
    chosen = augment.uniform(generator, (config.batch, 1, 1, 1), 0, 1) < config.spoilt_target_share
    target = torch.where(chosen, spoilt, target)
    layout = torch.channels_last
    return FaceBatch(
        resize(source, config.size).contiguous(memory_format=layout),
        source_index,
        target.contiguous(memory_format=layout),
        target_index,
        points,
        background,
        same.float(),
    )


def crop_identity(pictures: Tensor, points: Tensor, matrices: Tensor | None = None) -> Tensor:
    """The 112² crop of the ArcFace template, differentiable in `pictures` [N, 3, S, S]; `matrices` replace the points' own."""
    matrices = augment.identity_matrices(points) if matrices is None else matrices
    while pictures.shape[-1] > LARGEST_UNSHRUNK:
        pictures = functional.avg_pool2d(pictures, 2)
        # pixel i of the half-sized picture is centred on 2 i + 0.5 of the full one
        matrices = torch.cat([matrices[:, :, :2] * 2, matrices[:, :, 2:] + matrices[:, :, :2].sum(2, keepdim=True) * 0.5], 2)
    return augment.warp(pictures, matrices, IDENTITY_SIZE)


def resize(pictures: Tensor, size: int) -> Tensor:
    """Averaged down to `size`, a whole fraction of the side."""
    factor = pictures.shape[-1] // size
    return functional.avg_pool2d(pictures, factor) if factor > 1 else pictures


def _cover(target: Tensor, background: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cover a share of the faces by a patch of another picture of the batch, upside down, or by one colour; it counts as background."""
    count, _, size, _ = target.shape
    hidden = augment.random_boxes(count, size, generator, share, 0.2, 0.5)
    colour = augment.uniform(generator, (count, 3, 1, 1), -1, 1).expand_as(target)
    plain = augment.uniform(generator, (count, 1, 1, 1), 0, 1) < 0.5
    patch = torch.where(plain, colour, target.roll(1, 0).flip(-2))
    return target * (1 - hidden) + patch * hidden, torch.maximum(background, hidden)
