"""The order of chance: shares are kept, the rest of a batch is left alone, and equal generators give equal batches."""

import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from facechange.training.degradations import DEGRADATION_SHARES, degrade_scenes
from facechange.training.scenes import Scenes, change_some, face_coordinates, pick_rows
from facechange.training.textures import load_textures

POINTS = torch.tensor([[24.0, 30.0], [40.0, 30.0], [32.0, 38.0], [25.0, 46.0], [39.0, 46.0]])


def make_scenes(count: int) -> Scenes:
    generator = torch.Generator().manual_seed(5)
    pictures = torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1
    return Scenes(
        pictures, POINTS.expand(count, 5, 2).clone(), torch.ones(count, 1, 64, 64), torch.zeros(count, 1, 64, 64)
    )


def textures() -> torch.Tensor:
    return torch.arange(2 * 3 * 16 * 16).remainder(256).byte().view(2, 3, 16, 16)


@pytest.mark.parametrize(("count", "share"), [(4, 0.15), (16, 0.04), (7, 0.5), (3, 1.0)])
def test_every_row_is_picked_as_often_as_its_share_says(count: int, share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    hits = torch.zeros(count)
    for _ in range(2000):
        rows, kept = pick_rows(count, share, generator)
        assert len(rows) == -(-count * share // 1) and len(set(rows.tolist())) == len(rows)
        hits[rows[kept]] += 1
    assert hits / 2000 == pytest.approx(share, abs=0.05)


def test_the_rest_of_the_batch_is_left_alone() -> None:
    scenes, untouched = make_scenes(10), make_scenes(10)
    change_some(
        scenes, 0.3, torch.Generator().manual_seed(0), lambda some, _: replace(some, pictures=some.pictures * 0)
    )
    blank = (scenes.pictures == 0).all(3).all(2).all(1)
    assert blank.sum() == 3
    assert torch.equal(scenes.pictures[~blank], untouched.pictures[~blank])
    change_some(scenes, 0.0, torch.Generator(), lambda some, _: pytest.fail("nothing was to change"))


def test_equal_generators_give_equal_scenes_and_the_given_ones_stay() -> None:
    scenes, untouched = make_scenes(24), make_scenes(24)
    one, same, other = (
        degrade_scenes(scenes, DEGRADATION_SHARES, torch.Generator().manual_seed(seed), textures())
        for seed in (1, 1, 2)
    )
    assert (
        torch.equal(one.pictures, same.pictures)
        and torch.equal(one.background, same.background)
        and torch.equal(one.points, same.points)
    )
    assert not torch.equal(one.pictures, other.pictures)
    assert torch.equal(scenes.pictures, untouched.pictures) and torch.equal(scenes.background, untouched.background)


@pytest.mark.parametrize("name", DEGRADATION_SHARES)
def test_each_change_happens_keeps_shapes_and_range(name: str) -> None:
    scenes = make_scenes(4)
    degraded = degrade_scenes(scenes, {name: 1.0}, torch.Generator().manual_seed(0), textures())
    assert degraded.pictures.shape == scenes.pictures.shape and degraded.background.shape == scenes.background.shape
    assert degraded.pictures.abs().max() <= 1 + 1e-5 and degraded.pictures.isfinite().all()
    assert not any(torch.equal(before, after) for before, after in zip(scenes.pictures, degraded.pictures, strict=True))


def test_face_coordinates_do_not_depend_on_roll_and_size() -> None:
    angle = 0.4
    turn = torch.tensor([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], dtype=torch.float32)
    turned = (POINTS - 32) @ turn * 1.5 + 32
    place = face_coordinates(torch.stack([POINTS, turned]), 64)
    for points, grid in zip((POINTS, turned), place, strict=True):
        x, y = points[2].round().int().tolist()
        assert grid[:, y, x] == pytest.approx(torch.tensor([0.0, 0.5]), abs=0.06)  # the nose
    assert place[0, :, 30, 24] == pytest.approx(torch.tensor([-0.5, 0.0]), abs=1e-5)


def test_textures_are_the_middle_squares(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photographs.tar", "w") as tar:
        for number in range(10):
            picture = np.full((40, 80, 3), 255, np.uint8)
            picture[:, 20:60] = number
            cv2.imwrite(str(tmp_path / "one.png"), picture)
            tar.add(tmp_path / "one.png", f"{number}.png")
    loaded = load_textures(tmp_path / "photographs.tar", 32)
    assert loaded.shape == (9, 3, 32, 32) and loaded.dtype == torch.uint8 and loaded.max() < 10
