"""The landmark network learns where landmarks are, in turned and mirrored pictures too, and holds a face-change run to them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facechange.core import TrainingError
from facechange.model.landmarks import LandmarkNetwork
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.face import train_face
from facechange.training.landmarks import MIRRORED, LandmarksConfig, make_batch, train_landmarks
from facechange.training.shards import AlignedFaces


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_network_takes_crops_of_any_size_and_every_weight_learns(size: int) -> None:
    network = LandmarkNetwork()
    found = network(torch.rand(2, 3, size, size) * 2 - 1)
    assert found.shape == (2, 68, 2) and (found > 0).all() and (found < 1).all(), "a place in the crop"
    found.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_places_are_not_rounded_where_convolutions_are() -> None:
    """Places in bfloat16 are up to a 256th of the side apart, farther than results are from their targets."""
    with torch.autocast("cpu", torch.bfloat16):
        found = LandmarkNetwork()(torch.rand(2, 3, 128, 128) * 2 - 1)
    assert found.dtype == torch.float32 and (found.bfloat16() != found).float().mean() > 0.9


def test_mirroring_names_the_other_sides_landmark() -> None:
    assert sorted(MIRRORED) == list(range(68)) and all(MIRRORED[MIRRORED[index]] == index for index in range(68))
    left, right, middle = (0, 17, 36, 39, 48, 60), (16, 26, 45, 42, 54, 64), (8, 27, 30, 33, 51, 57, 62, 66)
    assert [MIRRORED[index] for index in left] == list(right) and all(MIRRORED[index] == index for index in middle)


def test_landmarks_go_where_the_picture_goes() -> None:
    """A white spot at one landmark is found again at that landmark of the batch."""
    index = 30  # the tip of the nose, its own mirror image
    landmarks = torch.full((1, 68, 2), 64.0)
    landmarks[0, index] = torch.tensor([80.0, 70.0])
    across, down = torch.arange(128.0), torch.arange(128.0)[:, None]
    spot = torch.exp(-((across - 80) ** 2 + (down - 70) ** 2) / 18)
    pictures = (spot * 255).byte().expand(1, 3, 128, 128).clone()
    points = torch.tensor([[[44.0, 58.0], [84.0, 58.0], [64.0, 78.0], [48.0, 96.0], [80.0, 96.0]]])
    faces = AlignedFaces(pictures, points, torch.ones(1, 1, 128, 128, dtype=torch.uint8))
    crops, wanted = make_batch(faces, landmarks, 24, torch.Generator().manual_seed(0))
    place = wanted[:, index] * 128 - 0.5
    near = []
    for crop, (x, y) in zip(crops, place.tolist(), strict=True):
        column, row = round(x), round(y)
        here = crop.mean(0)[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        near.append(bool(here.numel()) and float(here.max() - crop.mean(0).median()) > 0.15)
    assert np.mean(near) > 0.7, "but for those that are covered or darkened"
    assert (place - torch.tensor([80.0, 70.0])).norm(dim=1).max() > 10, "nothing moved"


def test_it_learns_resumes_and_a_face_run_is_held_to_it(
    landmark_shards: Path, shards: Path, identity_run: Path, recogniser_path: Path, tmp_path: Path
) -> None:
    rows: list[dict[str, float]] = []
    config = LandmarksConfig(landmark_shards, landmark_shards, tmp_path / "landmarks", pictures=640, batch=32, device="cpu")
    train_landmarks(replace(config, run=tmp_path / "short", pictures=32), rows.append)
    checkpoint = train_landmarks(config, rows.append)
    assert rows[-1]["val_error_percent"] < 0.7 * rows[0]["val_error_percent"]
    train_landmarks(config, rows.append)  # finished: left as it is
    assert read_checkpoint(checkpoint)[1]["pictures"] == 640
    face = FaceConfig(shards, tmp_path / "face", identity_run, recogniser_path, "tiny", 64, pictures=4, batch=4, device="cpu")
    train_face(replace(face, landmarks=checkpoint))
    assert json.loads((face.run / "log.jsonl").read_text())["landmarks"] > 0


def test_shards_without_landmarks_are_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no landmarks"):
        train_landmarks(LandmarksConfig(shards, shards, tmp_path / "run", device="cpu"))
