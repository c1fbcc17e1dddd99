"""The scout's losses: which cell answers for which face, and how wrong it was."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from facechange.data.composites import FACE, IGNORED, OVERSIZE
from facechange.faces.scout_maps import STRIDES, UNITS_PX

SIZES_PX = {8: (0.0, 44.0), 16: (34.0, 125.0), 32: (96.0, 1e4)}  # longer sides each stride answers for; they overlap
DETECTION_RADIUS, SPARED_RADIUS = 1.0, 2.0  # in cells around a face's centre: must detect it; may, without a penalty
POINT_BETA = 0.03  # of the face's longer side: where the points' loss turns from square to linear


def decode_cells(cells: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Map [N, 15, h, w] => boxes [N, h·w, 4] as corners (x, y, x, y) and points [N, h·w, 5, 2], in pixels.

    The differentiable twin of `faces.scout_maps.decode_maps`.
    """
    values = cells.flatten(2).transpose(1, 2)  # [N, h·w, 15]
    centres = cell_centres(cells, stride)
    half = values[..., 3:5].clamp(-6, 4).exp() * (UNITS_PX[stride] / 2)
    middles = centres + values[..., 1:3] * stride
    points = centres[:, None] + values[..., 5:].reshape(*values.shape[:2], 5, 2) * UNITS_PX[stride]
    return torch.cat([middles - half, middles + half], -1), points


def cell_centres(cells: Tensor, stride: int) -> Tensor:
    """Pixel coordinates [h·w, 2] of the middles of a map's cells."""
    y, x = torch.meshgrid(*(torch.arange(side, device=cells.device) for side in cells.shape[2:]), indexing="ij")
    return (torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride - 0.5


def assign_faces(labels: Tensor, centres: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Which label row [N, K] each cell at `centres` [K, 2] detects (-1: none), and its score's weight [N, K], 0 or
    1.

    `labels` [N, 8, 15]. A face of the stride's size is detected by the cells within one stride of its centre; where two
    faces meet, the smaller wins. Cells of ignored faces and a ring around each centre are not judged.
    """
    kind, low, size = labels[:, None, :, 0], labels[:, None, :, 1:3], labels[:, None, :, 3:5]
    longer = size.amax(-1)  # [N, 1, 8]
    point = centres[None, :, None]
    distance = (point - (low + size / 2)).abs().amax(-1) / stride  # [N, K, 8]
    inside = ((point >= low) & (point <= low + size)).all(-1)
    face = (kind == FACE) & (longer >= SIZES_PX[stride][0]) & (longer < SIZES_PX[stride][1])
    detections = face & (distance <= DETECTION_RADIUS)
    smallest = torch.where(detections, longer, torch.inf).min(-1)
    chosen = torch.where(smallest.values.isfinite(), smallest.indices, -1)
    unasked = (kind == IGNORED) | (
        kind == OVERSIZE if stride == STRIDES[-1] else torch.zeros_like(kind, dtype=torch.bool)
    )
    spared = (inside & unasked).any(-1) | (face & inside & (distance <= SPARED_RADIUS)).any(-1)
    return chosen, (~spared | (chosen >= 0)).float()


def focal_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Sum of the binary cross entropies, each weighted by the square of its error (Lin et al. 2017)."""
    entropies = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (weights * entropies * (targets - logits.sigmoid()).square()).sum()


def box_losses(boxes: Tensor, wanted: Tensor) -> Tensor:
    """1 - generalised intersection over union (Rezatofighi et al. 2019), 0..2, of corner boxes [K, 4] => [K]."""
    shared = (
        (torch.minimum(boxes[:, 2:], wanted[:, 2:]) - torch.maximum(boxes[:, :2], wanted[:, :2])).clamp(min=0).prod(-1)
    )
    union = (boxes[:, 2:] - boxes[:, :2]).prod(-1) + (wanted[:, 2:] - wanted[:, :2]).prod(-1) - shared
    hull = (torch.maximum(boxes[:, 2:], wanted[:, 2:]) - torch.minimum(boxes[:, :2], wanted[:, :2])).prod(-1)
    return 2 - shared / union - union / hull


def scout_losses(maps: list[Tensor], labels: Tensor) -> dict[str, Tensor]:
    """`maps` (one [N, 15, h, w] a stride) against `labels` [N, 8, 15] => `score`, `box` and `points`, each a claiming
    cell."""
    scores, boxes, points = [], [], []
    detected = 0
    for stride, cells in zip(STRIDES, maps, strict=True):
        chosen, weights = assign_faces(labels, cell_centres(cells, stride), stride)
        detections = chosen >= 0
        detected += int(detections.sum())
        scores.append(focal_loss(cells[:, 0].flatten(1), detections.float(), weights))
        decoded_boxes, decoded_points = decode_cells(cells, stride)
        # [detections, 15]
        rows = labels.gather(1, chosen.clamp(min=0)[..., None].expand(-1, -1, labels.shape[-1]))[detections]
        boxes.append(
            box_losses(decoded_boxes[detections], torch.cat([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]], 1)).sum()
        )
        errors = (decoded_points[detections] - rows[:, 5:].reshape(-1, 5, 2)) / rows[:, 3:5].amax(-1)[:, None, None]
        points.append(F.smooth_l1_loss(errors, torch.zeros_like(errors), beta=POINT_BETA, reduction="sum") / 10)
    count = max(detected, 1)
    return {
        name: torch.stack(parts).sum() / count
        for name, parts in (("score", scores), ("box", boxes), ("points", points))
    }
