"""The scout's losses against hand-computed values, and who answers for which face."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facechange.data.composites import FACE, IGNORED, OVERSIZE
from facechange.faces.scout_maps import STRIDES, decode_maps
from facechange.training.scout_losses import (
    assign_faces,
    box_losses,
    cell_centres,
    decode_cells,
    focal_loss,
    scout_losses,
)


def label(kind: int, x: float, y: float, width: float, height: float) -> list[float]:
    points = [x + width * 0.3, y + height * 0.4, x + width * 0.7, y + height * 0.4, x + width / 2, y + height * 0.6]
    return [kind, x, y, width, height, *points, x + width * 0.35, y + height * 0.8, x + width * 0.65, y + height * 0.8]


def labels_of(*rows: list[float]) -> torch.Tensor:
    labels = torch.zeros(1, 8, 15)
    labels[0, : len(rows)] = torch.tensor(rows)
    return labels


def zero_maps(side: int = 64) -> list[torch.Tensor]:
    return [torch.zeros(1, 15, side // stride, side // stride) for stride in STRIDES]


def test_focal_loss_by_hand() -> None:
    loss = focal_loss(torch.tensor([0.0, 2.0, 9.0]), torch.tensor([1.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 0.0]))
    wrong = 1 / (1 + np.exp(-2))
    assert loss.item() == pytest.approx(0.25 * np.log(2) - wrong**2 * np.log(1 - wrong), rel=1e-5)


def test_box_loss_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0]])
    wanted = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [3.0, 0.0, 4.0, 1.0]])
    # same; half over half: 1 - 1/3, hull equals union; apart: 1 - 0 + (4 - 2) / 4
    torch.testing.assert_close(box_losses(boxes, wanted), torch.tensor([0.0, 2 / 3, 1.5]))


def test_decoding_equals_the_one_in_numpy() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(1, 15, 64 // s, 96 // s, generator=generator) for s in STRIDES]
    for cells in maps:
        cells[:, 0] = torch.arange(cells[:, 0].numel(), 0, -1).reshape(cells[:, 0].shape) / 100 + 100 / cells.shape[2]
    _, boxes, points = decode_maps({f"stride_{s}": cells.numpy() for s, cells in zip(STRIDES, maps, strict=True)}, 0.5)
    decoded = [decode_cells(cells, stride) for stride, cells in zip(STRIDES, maps, strict=True)]
    logits = torch.cat([cells[0, 0].flatten() for cells in maps])
    order = torch.argsort(-logits, stable=True)
    corners = torch.cat([part[0][0] for part in decoded])[order]
    np.testing.assert_allclose(
        torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1).numpy(), boxes, rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(torch.cat([part[1][0] for part in decoded])[order].numpy(), points, rtol=1e-4, atol=1e-3)


def test_cells_around_the_centre_detection_a_face_of_their_size() -> None:
    labels = labels_of(label(FACE, 17.5, 17.5, 20, 20))  # centre (27.5, 27.5): between the cells at 19.5, 27.5 and 35.5
    for stride, detections in ((8, 9), (16, 0), (32, 0)):
        chosen, _ = assign_faces(labels, cell_centres(torch.zeros(1, 15, 64 // stride, 64 // stride), stride), stride)
        assert (chosen == 0).sum() == detections
        assert (chosen >= 0).sum() == detections


def test_of_two_faces_at_one_place_the_smaller_is_claimed() -> None:
    labels = labels_of(label(FACE, 8, 8, 40, 40), label(FACE, 20, 20, 16, 16))
    chosen, _ = assign_faces(labels, torch.tensor([[28.0, 28.0]]), 8)
    assert chosen.item() == 1


def test_ignored_and_oversize_faces_are_not_judged() -> None:
    centres = torch.tensor([[28.0, 28.0], [60.0, 60.0]])
    assert assign_faces(labels_of(label(IGNORED, 20, 20, 16, 16)), centres, 8)[1].tolist() == [[0, 1]]
    oversize = labels_of(label(OVERSIZE, -200, -200, 250, 400))
    assert assign_faces(oversize, centres, 32)[1].tolist() == [[0, 1]]
    assert assign_faces(oversize, centres, 8)[1].tolist() == [[1, 1]]


def test_descending_the_loss_finds_the_face() -> None:
    labels = labels_of(label(FACE, 10, 14, 22, 30))
    maps = [cells.requires_grad_() for cells in zero_maps()]
    optimizer = torch.optim.Adam(maps, lr=0.2)
    for _ in range(100):
        optimizer.zero_grad()
        losses = scout_losses(maps, labels)
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
    scores, boxes, points = decode_maps(
        {f"stride_{s}": cells.detach().numpy() for s, cells in zip(STRIDES, maps, strict=True)}, 0.5
    )
    np.testing.assert_allclose(boxes[0], [10, 14, 22, 30], atol=0.5)
    np.testing.assert_allclose(points[0].ravel(), labels[0, 0, 5:].numpy(), atol=0.5)
    assert scores[0] > 0.9


def test_a_batch_without_faces_has_a_finite_loss() -> None:
    losses = scout_losses(zero_maps(), torch.zeros(1, 8, 15))
    assert losses["box"] == 0 and losses["points"] == 0
    assert losses["score"].item() == pytest.approx((64 + 16 + 4) * 0.25 * np.log(2), rel=1e-5)
