"""Turn a face in its crop: roll, size, place, perspective, and the parallax of a head that turns away; points and M_bg
go along.

The map from new to old coordinates is a displacement followed by a homography. Coordinates are -1 and 1 at the outer
edges of the crop. Pictures are sampled through the map; points go through its inverse, found by iteration.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from facechange.training.augment import constant, uniform
from facechange.training.scenes import Scenes

LARGEST_ROLL_DEGREES = 12.0
LARGEST_SCALE, LARGEST_STRETCH, LARGEST_SHIFT = 0.12, 0.06, 0.06  # fractions of the crop
LARGEST_TILT = 0.12  # perspective: how much nearer one edge of the crop is than the other
LARGEST_PARALLAX = (0.2, 0.12)  # how far the middle of the face moves against its outline, across and down
HEAD_RADII = (0.5, 0.62)  # of the bump that moves
ITERATIONS = 12  # the displacement shrinks distances to less than half, so the error falls below 1 / 4000 of it


def turn_scenes(scenes: Scenes, generator: torch.Generator) -> Scenes:
    """Every scene seen from a slightly different place; what was outside the crop mirrors it and counts as
    background."""
    size = scenes.size
    homography = draw_homographies(len(scenes), generator)
    inverse = invert_3x3(homography)
    points = (scenes.points + 0.5) * (2 / size) - 1
    centre = apply_homography(inverse, points.mean(1, keepdim=True))
    parallax = torch.stack([uniform(generator, (len(scenes), 1), -reach, reach) for reach in LARGEST_PARALLAX], 2)

    axis = (torch.arange(size, device=points.device) + 0.5) * (2 / size) - 1
    place = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), 2).view(1, -1, 2)
    grid = apply_homography(homography, place - displace(place, centre, parallax)).view(-1, size, size, 2)
    pictures = functional.grid_sample(
        scenes.pictures, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    masks = torch.cat([1 - scenes.background, scenes.covered], 1)
    face, covered = functional.grid_sample(masks, grid, padding_mode="zeros", align_corners=False).split(1, 1)

    fixed = apply_homography(inverse, points)
    moved = fixed
    for _ in range(ITERATIONS):
        moved = fixed + displace(moved, centre, parallax)
    return Scenes(pictures.clamp(-1, 1), (moved + 1) * (size / 2) - 0.5, 1 - face, covered)


def draw_homographies(count: int, generator: torch.Generator) -> Tensor:
    """Matrices [N, 3, 3] from new to old coordinates: roll, size, stretch, shift, perspective."""

    def draw(reach: float) -> Tensor:
        return uniform(generator, (count,), -reach, reach)

    angle, scale, stretch = (
        torch.deg2rad(draw(LARGEST_ROLL_DEGREES)),
        1 + draw(LARGEST_SCALE),
        1 + draw(LARGEST_STRETCH),
    )
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    rows = [cosine * stretch, -sine, draw(LARGEST_SHIFT), sine * stretch, cosine, draw(LARGEST_SHIFT)]
    rows += [draw(LARGEST_TILT), draw(LARGEST_TILT), torch.ones_like(angle)]
    return torch.stack(rows, 1).view(-1, 3, 3)


def invert_3x3(matrices: Tensor) -> Tensor:
    """Inverses of [N, 3, 3] up to a factor, which a homography does not care for; an accelerator need not wait for
    them."""
    first, second, third = matrices.unbind(1)
    return torch.stack(
        [torch.linalg.cross(second, third), torch.linalg.cross(third, first), torch.linalg.cross(first, second)], 2
    )


def apply_homography(matrices: Tensor, places: Tensor) -> Tensor:
    """[N, 3, 3] applied to places [N or 1, P, 2] => [N, P, 2]."""
    mapped = places @ matrices[:, :, :2].mT + matrices[:, None, :, 2]
    return mapped[..., :2] / mapped[..., 2:]


def displace(places: Tensor, centre: Tensor, parallax: Tensor) -> Tensor:
    """How far [N, P, 2] a nearer middle of the face moves: `parallax` [N, 1, 2] at `centre` [N, 1, 2], nothing far from
    it."""
    radii = constant(HEAD_RADII, places.device)
    return parallax * torch.exp(-((places - centre) / radii).square().sum(2, keepdim=True))
