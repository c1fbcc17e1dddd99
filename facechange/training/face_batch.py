"""One training batch: pairs of source and target, degraded the way real photographs are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.data.shards import AlignedFaces
from facechange.faces.mean_face68 import MIRRORED
from facechange.training import augment, camera
from facechange.training.config import FaceConfig
from facechange.training.degradations import degrade_scenes
from facechange.training.morphs import draw_people
from facechange.training.recovered import put_other_faces_on
from facechange.training.scenes import Scenes

IDENTITY_SIZE = 112
BORDER_PX = 3  # as far into a result as the zero padding of convolutions was seen


@dataclass(frozen=True)
class FaceBatch:
    """Pairs in network form, a micro-batch of them; pictures are float32 [N, 3, R, R] in [-1, 1]."""

    number: int  # of the micro-batch in the run, which decides every random choice
    source: Tensor
    source_points: Tensor  # [N, 5, 2] in pixels of `source`
    # [N, 3, S, S] in [-1, 1]: whose identity Y gets, unspoilt: the source's person, or a morph; S is that of the faces
    person: Tensor
    person_points: Tensor  # [N, 5, 2] in pixels of `person`
    target: Tensor
    target_points: Tensor  # [N, 5, 2] in pixels of `target`
    background: Tensor  # M_bg [N, 1, R, R]: 1 outside the face hull and on whatever covers the face
    covered: Tensor  # [N, 1, R, R]: 1 where something covers the face
    border: Tensor  # [N, 1, R, R]: 1 along the picture's border
    # [N]: 1 where source and target show one person: the same picture, or one with somebody else's face on it
    same_object: Tensor
    # what Y is held to: the target, or, of a recovered pair, the picture before somebody else's face came on it
    wanted: Tensor
    whole_target: Tensor  # `target`, also where that is a window of it
    viewed: Tensor  # [N] bool: f_id is read from `source`, degraded as it is, and not from `person`


def make_batch(faces: AlignedFaces, config: FaceConfig, number: int, textures: Tensor | None = None) -> FaceBatch:
    """Micro-batch `number`: a function of the seed and the number alone, so that a resumed run sees the same sequence,
    and whoever works on it the same pictures.

    Half of the pairs of different people ask for a morph's identity, so that few identities are not learnt by heart. Of
    recovered pairs (`recovered`) the identity is read from another view of the picture, so that it is no code of its
    pixels. Sources are degraded as targets are, and apart from them: they are the discriminator's real pictures, and
    where it never saw a hat it would pay the generator for taking hats off. Occluders are cut from `textures`, or from
    the faces.
    """
    device, count = faces.pictures.device, config.micro_batch
    generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + number)
    target_index, other_index = faces.draw(2 * count, generator).split(count)
    recovered = round(config.recovered_share * count)
    same = torch.arange(count, device=device) < round(config.same_object_share * count) + recovered
    source_index = torch.where(same, target_index, other_index)
    morphed = ~same & (augment.uniform(generator, (count,), 0, 1) < config.morphed_share)
    person, person_points = draw_people(faces, count, generator)
    person = torch.where(morphed.view(-1, 1, 1, 1), person, shrink(augment.to_float(faces.pictures[source_index])))
    own_points = (faces.points[source_index] + 0.5) * (person.shape[-1] / faces.size) - 0.5
    viewed = ~morphed & (augment.uniform(generator, (count,), 0, 1) < torch.where(same, *config.viewed_shares))
    index = torch.cat([target_index, source_index])

    stacked = torch.cat([faces.pictures[index], faces.background[index]], 1)
    stacked, points, mirrored = augment.flip_some(stacked, faces.points[index], generator)
    points = (points + 0.5) * (config.size / faces.size) - 0.5
    background = resize(stacked[:, 3:].float(), config.size)
    clean = resize(augment.to_float(stacked[:, :3]), config.size)
    textures = faces.pictures if textures is None else textures
    state = generator.get_state()
    scenes = degrade_scenes(
        Scenes(clean, points, background, torch.zeros_like(background)), config.degradations, generator, textures
    )
    wanted, source = scenes.pictures.contiguous(memory_format=torch.channels_last).split(count)
    target = wanted
    if recovered:
        places = (_landmarks_of(faces, index[:recovered], mirrored[:recovered]) + 0.5) * (
            config.size / faces.size
        ) - 0.5
        clean = clean.clone()
        clean[:recovered] = put_other_faces_on(clean[:recovered], places, background[:recovered], faces, generator)
        generator.set_state(state)  # degraded once more in the very same way
        again = degrade_scenes(
            Scenes(clean, points, background, torch.zeros_like(background)), config.degradations, generator, textures
        )
        target = again.pictures[:count].contiguous(memory_format=torch.channels_last)
    if config.face_median:
        exponents = camera.find_exponents(target, config.face_median)
        target, wanted = camera.expose(target, exponents), camera.expose(wanted, exponents)
        source = camera.expose(source, camera.find_exponents(source, config.face_median))
    background, covered = scenes.background[:count], scenes.covered[:count]
    border = torch.ones_like(background)
    border[..., BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = 0
    return FaceBatch(
        number=number,
        source=source,
        source_points=scenes.points[count:],
        person=person,
        person_points=torch.where(morphed.view(-1, 1, 1), person_points, own_points),
        target=target,
        target_points=scenes.points[:count],
        background=background,
        covered=covered,
        border=border,
        same_object=same.float(),
        wanted=wanted,
        whole_target=target,
        viewed=viewed,
    )


def _landmarks_of(faces: AlignedFaces, index: Tensor, mirrored: Tensor) -> Tensor:
    """The landmarks [N, L, 2] of faces, 68 or, where these are not known, five, of those `mirrored` [N] as they lie in
    the mirror image."""
    every, order = (faces.points, [1, 0, 2, 4, 3]) if faces.landmarks is None else (faces.landmarks, MIRRORED)
    landmarks = every[index]
    flipped = landmarks[:, order]
    flipped = torch.stack([faces.size - 1 - flipped[..., 0], flipped[..., 1]], 2)
    return torch.where(mirrored.view(-1, 1, 1), flipped, landmarks)


def crop_identity(pictures: Tensor, points: Tensor, matrices: Tensor | None = None) -> Tensor:
    """The 112² crop of the ArcFace template, differentiable in `pictures` [N, 3, S, S]; `matrices` replace the points'
    own."""
    matrices = augment.identity_matrices(points) if matrices is None else matrices
    while pictures.shape[-1] > augment.LARGEST_UNSHRUNK:
        pictures = functional.avg_pool2d(pictures, 2)
        # pixel i of the half-sized picture is centred on 2 i + 0.5 of the full one
        matrices = torch.cat(
            [matrices[:, :, :2] * 2, matrices[:, :, 2:] + matrices[:, :, :2].sum(2, keepdim=True) * 0.5], 2
        )
    return augment.warp(pictures, matrices, IDENTITY_SIZE)


@torch.no_grad()
def read_identities(faces: AlignedFaces, network: nn.Module, rows: Tensor | None = None) -> Tensor:
    """The identity [N, 512] of every face, or of `rows` of them, as `network` reads it from the picture as it is."""
    rows = torch.arange(len(faces)) if rows is None else rows
    read = [
        network(crop_identity(augment.to_float(faces.pictures[part]), faces.points[part])) for part in rows.split(32)
    ]
    return torch.cat(read)


def shrink(pictures: Tensor) -> Tensor:
    """Halved until no side is above `LARGEST_UNSHRUNK`."""
    return resize(pictures, min(pictures.shape[-1], augment.LARGEST_UNSHRUNK))


def resize(pictures: Tensor, size: int) -> Tensor:
    """Averaged down to `size`, a whole fraction of the side."""
    factor = pictures.shape[-1] // size
    return functional.avg_pool2d(pictures, factor) if factor > 1 else pictures
