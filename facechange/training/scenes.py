"""What a batch shows before the camera degrades it: pictures with their face points and M_bg, kept together through
every change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from facechange.training.augment import uniform


@dataclass(frozen=True)
class Scenes:
    """A batch of face crops; whatever moves or covers the picture moves or covers the rest."""

    pictures: Tensor  # [N, 3, R, R] float32 in [-1, 1]
    points: Tensor  # [N, 5, 2] in pixels of the pictures
    background: Tensor  # M_bg [N, 1, R, R] in [0, 1]: 1 outside the face hull and on whatever covers the face
    covered: Tensor  # [N, 1, R, R] in [0, 1]: 1 where something covers the face

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size(self) -> int:
        return self.pictures.shape[-1]


def pick_rows(count: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows [K] of a batch to work on, and which of them [K] to keep changed: each row of the batch with probability
    `share`.

    K depends on `count` and `share` alone, so that an accelerator never waits for a number, and work is done on few
    rows.
    """
    wanted = count * share
    picked = min(count, int(-(-wanted // 1)))
    order = torch.rand(count, generator=generator, device=generator.device).argsort()
    return order[:picked], uniform(generator, (picked,), 0, 1) < wanted / max(picked, 1)


def change_some(
    scenes: Scenes, share: float, generator: torch.Generator, change: Callable[[Scenes, torch.Generator], Scenes]
) -> None:
    """`change` a share of the batch, in place: a copy of all for each change would cost more than the changes."""
    rows, kept = pick_rows(len(scenes), share, generator)
    if len(rows) == 0:
        return
    before = Scenes(*(part[rows] for part in _parts(scenes)))
    after = change(before, generator)
    for whole, old, new in zip(*map(_parts, (scenes, before, after)), strict=True):
        if new is not old:
            whole.index_copy_(0, rows, torch.where(kept.view(-1, *[1] * (old.ndim - 1)), new, old))


def _parts(scenes: Scenes) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return scenes.pictures, scenes.points, scenes.background, scenes.covered


def face_coordinates(points: Tensor, size: int) -> Tensor:
    """Where each pixel lies in the face's own frame: points [N, 5, 2] => [N, 2, size, size].

    The origin is midway between the eyes, the first axis runs from the viewer's left eye to the right one, the second
    down the face; the unit is the mean of the eyes' distance and that from eyes to mouth, so a turned head keeps its
    size.
    """
    eyes, mouth = points[:, :2].mean(1), points[:, 3:].mean(1)
    across, down = points[:, 1] - points[:, 0], mouth - eyes
    unit = (across.norm(dim=1, keepdim=True) + down.norm(dim=1, keepdim=True)) / 2
    axis = across + torch.stack([down[:, 1], -down[:, 0]], 1)  # both say which way is up
    axis = axis / axis.norm(dim=1, keepdim=True) / unit
    index = torch.arange(size, device=points.device, dtype=points.dtype)
    x = index.view(1, 1, size) - eyes[:, 0].view(-1, 1, 1)
    y = index.view(1, size, 1) - eyes[:, 1].view(-1, 1, 1)
    cosine, sine = axis[:, 0].view(-1, 1, 1), axis[:, 1].view(-1, 1, 1)
    return torch.stack([x * cosine + y * sine, y * cosine - x * sine], 1)
