"""A turned picture takes its points and M_bg along."""

import pytest
import torch
from torch import Tensor

from facechange.training import geometric
from facechange.training.scenes import Scenes

SIZE = 96
POINTS = torch.tensor([[36.0, 42.0], [60.0, 41.0], [48.0, 54.0], [38.0, 66.0], [58.0, 67.0]])


def distances(size: int, points: Tensor) -> Tensor:
    """From each pixel to each of `points` [N, P, 2], [N, P, size, size]."""
    index = torch.arange(size, dtype=torch.float32)
    return torch.hypot(index - points[..., 0, None, None], index[:, None] - points[..., 1, None, None])


def make_scenes(count: int) -> Scenes:
    """A spot at each point on black, and a round face."""
    points = POINTS.expand(count, 5, 2)
    spots = torch.exp(-((distances(SIZE, points) / 2.5) ** 2)).amax(1, keepdim=True)
    face = (distances(SIZE, points[:, 2:3]) < 28).float()
    return Scenes((spots * 2 - 1).expand(-1, 3, -1, -1).clone(), points.clone(), 1 - face, torch.zeros_like(face))


def test_points_are_where_their_spots_are() -> None:
    turned = geometric.turn_scenes(make_scenes(24), torch.Generator().manual_seed(0))
    assert (turned.points - POINTS).abs().amax((1, 2)).min() > 0.5, "nothing moved"
    near = (distances(SIZE, turned.points) < 6).float()
    weights = near * (turned.pictures[:, :1] + 1)
    index = torch.arange(SIZE, dtype=torch.float32)
    total = weights.sum((2, 3))
    centroids = (
        torch.stack([(weights * index).sum((2, 3)), (weights * index[:, None]).sum((2, 3))], 2) / total[..., None]
    )
    assert (centroids - turned.points).norm(dim=2).max() < 0.5


def test_the_background_mask_moves_with_the_face() -> None:
    scenes = make_scenes(16)
    disc = Scenes(
        (1 - scenes.background).expand(-1, 3, -1, -1) * 2 - 1, scenes.points, scenes.background, 1 - scenes.background
    )
    turned = geometric.turn_scenes(disc, torch.Generator().manual_seed(1))
    assert ((turned.pictures[:, :1] + 1) / 2 - (1 - turned.background)).abs().mean() < 0.004
    assert not torch.allclose(turned.background, scenes.background)
    assert torch.allclose(turned.covered, 1 - turned.background, atol=1e-5), "what covers the face moves with it"


def test_what_the_crop_never_held_is_background() -> None:
    scenes = make_scenes(8)
    nowhere = torch.zeros_like(scenes.background)
    everywhere = Scenes(scenes.pictures, scenes.points, nowhere, nowhere)
    turned = geometric.turn_scenes(everywhere, torch.Generator().manual_seed(2))
    assert all(background[0, 48, 48] < 1e-5 and background.max() > 0.999 for background in turned.background)


def test_the_map_neither_folds_nor_leaves_the_iteration_unfinished() -> None:
    centre = torch.zeros(1, 1, 2)
    largest = torch.tensor(geometric.LARGEST_PARALLAX).view(1, 1, 2)
    points = torch.rand(1, 500, 2) * 2 - 1
    moved = points
    for _ in range(geometric.ITERATIONS):
        moved = points + geometric.displace(moved, centre, largest)
    assert torch.allclose(moved - geometric.displace(moved, centre, largest), points, atol=2 / 4000)


def test_a_homography_undone_is_nothing() -> None:
    matrices = geometric.draw_homographies(8, torch.Generator().manual_seed(3))
    places = torch.rand(8, 20, 2) * 2 - 1
    back = geometric.apply_homography(geometric.invert_3x3(matrices), geometric.apply_homography(matrices, places))
    assert torch.allclose(back, places, atol=1e-5)
    assert geometric.apply_homography(torch.eye(3)[None], places[:1]) == pytest.approx(places[:1])
