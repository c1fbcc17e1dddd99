"""Recovered pairs: a picture with somebody else's face put on it, to be given its own face back.

Between pictures of different people an adversary alone says what the result should look like; here it is known. What
has to come back is real skin, brows, teeth and glasses, where the other's were.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from facechange.data.shards import AlignedFaces
from facechange.training import augment
from facechange.training.morphs import move_landmarks

EDGE_SHARE = 1 / 12  # of the side: over so much the other's face fades into the picture, inside the hull
COLOUR_CELLS = 4  # a side: light and colour are matched in so many cells of the picture
SMALLEST_CELL = 0.05  # cells with less of a face than this share have the mean of the others


def put_other_faces_on(
    pictures: Tensor, landmarks: Tensor, background: Tensor, faces: AlignedFaces, generator: torch.Generator
) -> Tensor:
    """`pictures` [N, 3, S, S] in [-1, 1] whose faces are those of others, drawn from `faces`, with the pictures' own
    landmarks and light.

    `landmarks` [N, L, 2] are in pixels and of the kind that `faces` have, `background` [N, 1, S, S] is M_bg: what it
    covers stays.
    """
    count, size = len(pictures), pictures.shape[-1]
    others = faces.draw(count, generator)
    theirs = faces.points[others] if faces.landmarks is None else faces.landmarks[others]
    moved = augment.to_float(faces.pictures[others])
    if faces.size != size:
        factor = faces.size // size
        moved, theirs = functional.avg_pool2d(moved, factor), (theirs + 0.5) / factor - 0.5
    moved = move_landmarks(moved, theirs, landmarks)
    moved = match_light(moved, pictures, 1 - background)
    edge = 2 * int(EDGE_SHARE * size / 2) + 1
    inside = functional.avg_pool2d(1 - background, edge, 1, edge // 2, count_include_pad=True)
    inside = (2 * inside - 1).clamp(0, 1) * (1 - background)  # 0 at the hull and beyond it
    return torch.lerp(pictures, moved.clamp(-1, 1), inside)


def match_light(pictures: Tensor, wanted: Tensor, face: Tensor) -> Tensor:
    """`pictures` with the light and colour that `wanted` has: their means over the face in coarse cells, and their
    contrast over all of it.

    All are [N, ., S, S]; `face` is 1 in the face.
    """

    share = functional.adaptive_avg_pool2d(face, COLOUR_CELLS)
    known = (share > SMALLEST_CELL).float()

    def spread(values: Tensor) -> Tensor:
        near = functional.adaptive_avg_pool2d(values * face, COLOUR_CELLS) / share.clamp(min=SMALLEST_CELL)
        mean = (near * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1)
        return functional.interpolate(torch.lerp(mean, near, known), size=values.shape[-1], mode="bilinear")

    of_pictures, of_wanted = spread(pictures), spread(wanted)

    def contrast(values: Tensor, mean: Tensor) -> Tensor:
        squares = ((values - mean).square().mean(1, keepdim=True) * face).sum((2, 3), keepdim=True)
        return (squares / face.sum((2, 3), keepdim=True).clamp(min=1) + 1e-4).sqrt()

    gain = (contrast(wanted, of_wanted) / contrast(pictures, of_pictures)).clamp(0.5, 2)
    return (pictures - of_pictures) * gain + of_wanted
