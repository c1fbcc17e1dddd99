"""One training batch: pairs of source and target, spoilt the way real photographs are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from facechange.training import augment
from facechange.training.config import FaceConfig
from facechange.training.scenes import Scenes
from facechange.training.shards import AlignedFaces
from facechange.training.spoiling import spoil_scenes

IDENTITY_SIZE = 112
MORPHS_A_FACE = 3  # how many people who are none of the training faces a run knows beside each that is
MORPHED_SHARE = 0.5  # of the pairs of different people: how often Y is to be one of them
BORDER_PX = 3  # as far into a result as the zero padding of convolutions was seen
LARGEST_UNSHRUNK = 256  # pictures above this are halved before the 112² crop is sampled, so that it does not alias


@dataclass(frozen=True)
class FaceBatch:
    """Pairs in network form; pictures are float32 [N, 3, R, R] in [-1, 1]."""

    source: Tensor
    source_index: Tensor  # [N] int64: which of the faces
    identity_index: Tensor  # [N] int64: whose identity Y gets: the source's, or, from `len(faces)` on, a morph's
    target: Tensor
    target_index: Tensor
    target_points: Tensor  # [N, 5, 2] in pixels of `target`
    background: Tensor  # M_bg [N, 1, R, R]: 1 outside the face hull and on whatever covers the face
    covered: Tensor  # [N, 1, R, R]: 1 where something covers the face
    border: Tensor  # [N, 1, R, R]: 1 along the picture's border
    same_object: Tensor  # [N]: 1 where source and target show one person


def make_batch(faces: AlignedFaces, config: FaceConfig, step: int, textures: Tensor | None = None) -> FaceBatch:
    """Batch number `step`: a function of the seed and the step alone, so a resumed run sees the same sequence.

    Half of the pairs of different people ask for a morph's identity, so that few identities are not learnt by heart.
    Sources are spoilt as targets are, and apart from them: they are the discriminator's real pictures, and where it never
    saw a hat it would pay the generator for taking hats off. Occluders are cut from `textures`, or from the faces.
    """
    device, count = faces.pictures.device, config.batch
    generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
    target_index = torch.randint(len(faces), (count,), generator=generator, device=device)
    other_index = torch.randint(len(faces), (count,), generator=generator, device=device)
    same = torch.arange(count, device=device) < round(config.same_object_share * count)
    source_index = torch.where(same, target_index, other_index)
    morph_index = torch.randint(len(faces), len(faces) * (1 + MORPHS_A_FACE), (count,), generator=generator, device=device)
    morphed = ~same & (augment.uniform(generator, (count,), 0, 1) < MORPHED_SHARE)
    identity_index = torch.where(morphed, morph_index, source_index)
    index = torch.cat([target_index, source_index])

    stacked = torch.cat([faces.pictures[index], faces.background[index]], 1)
    stacked, points, _ = augment.flip_some(stacked, faces.points[index], generator)
    points = (points + 0.5) * (config.size / faces.size) - 0.5
    background = resize(stacked[:, 3:].float(), config.size)
    scenes = Scenes(resize(augment.to_float(stacked[:, :3]), config.size), points, background, torch.zeros_like(background))
    scenes = spoil_scenes(scenes, config.spoiling, generator, faces.pictures if textures is None else textures)
    target, source = scenes.pictures.contiguous(memory_format=torch.channels_last).split(count)
    background, covered = scenes.background[:count], scenes.covered[:count]
    border = torch.ones_like(background)
    border[..., BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = 0
    points = scenes.points[:count]
    return FaceBatch(
        source, source_index, identity_index, target, target_index, points, background, covered, border, same_object=same.float()
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
