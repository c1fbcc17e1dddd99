"""Morphs: people between two faces, or a little beyond them, whose shape and whose skin are mixed apart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from facechange.data.shards import AlignedFaces
from facechange.training import augment

GRID = 24  # places a side where the splines are evaluated; in between they are smooth enough to interpolate
STIFFNESS = 1e-3  # lets landmarks of a few pixels' error be missed by a little rather than fold the picture
# stays where it is
BORDER = ((-1.0, -1.0), (-1.0, 0.0), (-1.0, 1.0), (0.0, -1.0), (0.0, 1.0), (1.0, -1.0), (1.0, 0.0), (1.0, 1.0))


def draw_people(faces: AlignedFaces, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures [N, 3, S, S] in [-1, 1] and their five points [N, 5, 2] in pixels: a quarter are `faces`, the others
    nobody of them.

    The shape of those lies between the shapes of two faces or up to three tenths beyond. Their skin, apart from that,
    is a blend of both (0.35 of all), one's on one side of a line and the other's on the other (0.2), or that of one
    alone (0.2). Without 68 landmarks the five points have to do. Large pictures are halved to 256 pixels or less.
    """
    index = faces.draw(2 * count, generator)
    pictures, points = augment.to_float(faces.pictures[index]), faces.points[index]
    landmarks = points if faces.landmarks is None else faces.landmarks[index]
    while pictures.shape[-1] > augment.LARGEST_UNSHRUNK:
        pictures, points, landmarks = functional.avg_pool2d(pictures, 2), points / 2 - 0.25, landmarks / 2 - 0.25
    kind = augment.uniform(generator, (count, 1, 1, 1), 0, 1)
    shape = torch.where(kind < 0.75, augment.uniform(generator, (count, 1, 1, 1), -0.3, 1.3), 0.0)[..., 0]
    skin = torch.where(kind < 0.55, augment.half_plane(count, pictures.shape[-1], generator), 0.0)
    skin = torch.where(kind < 0.35, augment.uniform(generator, (count, 1, 1, 1), 0.2, 0.8), skin)
    wanted = torch.lerp(landmarks[:count], landmarks[count:], shape)
    moved = move_landmarks(pictures, landmarks, wanted.repeat(2, 1, 1))
    moved[:count] = torch.where(kind < 0.75, moved[:count], pictures[:count])  # not sampled twice
    return torch.lerp(moved[:count], moved[count:], skin), torch.lerp(points[:count], points[count:], shape)


def move_landmarks(pictures: Tensor, landmarks: Tensor, wanted: Tensor) -> Tensor:
    """Warp square `pictures` [N, C, S, S] so that their `landmarks` [N, L, 2], in pixels, come to `wanted`.

    Thin-plate splines (Bookstein 1989) from `wanted` back to `landmarks`, sampled bilinearly.
    """
    count, _, _, size = pictures.shape
    border = augment.constant(BORDER, pictures.device).expand(count, -1, -1)
    knots = torch.cat([_to_unit(wanted, size), border], 1)
    shift = torch.cat([_to_unit(landmarks, size) - _to_unit(wanted, size), torch.zeros_like(border)], 1)
    plane = torch.cat([torch.ones_like(knots[..., :1]), knots], 2)
    bend = _bending(knots, knots) + STIFFNESS * torch.eye(knots.shape[1], device=knots.device)
    system = torch.cat([torch.cat([bend, plane], 2), torch.cat([plane.mT, plane.new_zeros(count, 3, 3)], 2)], 1)
    weights = torch.linalg.solve(system, torch.cat([shift, shift.new_zeros(count, 3, 2)], 1))

    # of the outer pixels, and between them
    centres = torch.linspace(1 / size - 1, 1 - 1 / size, GRID, device=pictures.device)
    places = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), 2).view(1, -1, 2).expand(count, -1, -1)
    terms = torch.cat([_bending(places, knots), torch.ones_like(places[..., :1]), places], 2)
    flow = (terms @ weights).mT.reshape(count, 2, GRID, GRID)
    flow = functional.interpolate(flow, size=(size, size), mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
    still = functional.affine_grid(
        torch.eye(2, 3, device=flow.device).expand(count, 2, 3), [count, 1, size, size], align_corners=False
    )
    return functional.grid_sample(pictures, still + flow, padding_mode="border", align_corners=False)


def _to_unit(points: Tensor, size: int) -> Tensor:
    """Pixels to coordinates where -1 and 1 are the outer edges of the outer pixels."""
    return (points + 0.5) * (2 / size) - 1


def _bending(places: Tensor, knots: Tensor) -> Tensor:
    """r² log r between all `places` [N, P, 2] and `knots` [N, K, 2]: [N, P, K]."""
    squared = (places[:, :, None] - knots[:, None]).square().sum(3)
    return 0.5 * squared * torch.log(squared + 1e-9)
