"""The landmark network learns where landmarks are, in turned and mirrored pictures too, and holds a face-change run to
them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facechange.core import TrainingError
from facechange.data.shards import AlignedFaces
from facechange.faces.mean_face68 import read_mean_face
from facechange.models.landmarks import LandmarkNetwork
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.face import train_face
from facechange.training.landmarks import LandmarksConfig, make_batch, reshape_some, train_landmarks


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


NOSE_TIP = 30  # its own mirror image


def draw_nose(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bytes [count, 3, 128, 128] that show nothing but a white spot at the tip of a mean face's nose, and its landmarks
    in pixels."""
    landmarks = torch.tensor(read_mean_face()[0][:, :2] * 40 + (66, 56), dtype=torch.float32)
    across, down = torch.arange(128.0), torch.arange(128.0)[:, None]
    x, y = landmarks[NOSE_TIP].tolist()
    spot = torch.exp(-((across - x) ** 2 + (down - y) ** 2) / 18)
    return (spot * 255).byte().expand(count, 3, 128, 128).clone(), landmarks.expand(count, 68, 2)


def test_landmarks_go_where_the_picture_goes() -> None:
    """A white spot at one landmark is found again at that landmark of the batch."""
    pictures, landmarks = draw_nose(1)
    points = torch.tensor([[[44.0, 58.0], [84.0, 58.0], [64.0, 78.0], [48.0, 96.0], [80.0, 96.0]]])
    faces = AlignedFaces(pictures, points, torch.ones(1, 1, 128, 128, dtype=torch.uint8))
    crops, wanted = make_batch(faces, landmarks, 24, torch.Generator().manual_seed(0))
    place = wanted[:, NOSE_TIP] * 128 - 0.5
    near = []
    for crop, (x, y) in zip(crops, place.tolist(), strict=True):
        column, row = round(x), round(y)
        here = crop.mean(0)[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        near.append(bool(here.numel()) and float(here.max() - crop.mean(0).median()) > 0.15)
    assert np.mean(near) > 0.7, "but for those that are covered or darkened"
    assert (place - landmarks[0, NOSE_TIP]).norm(dim=1).max() > 10, "nothing moved"


def test_a_new_shape_is_one_that_no_turn_of_the_head_makes_and_the_picture_has_it() -> None:
    pictures, landmarks = draw_nose(40)
    drawn = pictures / 127.5 - 1
    moved, wanted = reshape_some(drawn, landmarks, torch.Generator().manual_seed(0))
    changed = (wanted != landmarks).flatten(1).any(1)
    assert 0.3 < changed.float().mean() < 0.9
    assert torch.equal(moved[~changed], drawn[~changed])
    weight = (moved[:, 0] + 1) * (torch.arange(128.0) + 1j * torch.arange(128.0)[:, None])
    spot = weight.sum((1, 2)) / (moved[:, 0] + 1).sum((1, 2))
    assert (torch.view_as_real(spot) - wanted[:, NOSE_TIP]).norm(dim=1).median() < 0.3, (
        "the spot lies where its landmark does"
    )
    eyes, nose = wanted[changed][:, [36, 39, 42, 45]].mean(1), wanted[changed][:, NOSE_TIP]
    assert (nose - eyes).std(0).min() > 0.8, "noses move apart from eyes"


def test_it_learns_resumes_and_a_face_run_is_held_to_it(
    landmark_shards: Path, shards: Path, identity_run: Path, recognizer_path: Path, tmp_path: Path
) -> None:
    rows: list[dict[str, float]] = []
    config = LandmarksConfig(
        train=landmark_shards, val=landmark_shards, run=tmp_path / "landmarks", pictures=640, batch=32, device="cpu"
    )
    train_landmarks(replace(config, run=tmp_path / "short", pictures=32), rows.append)
    checkpoint = train_landmarks(config, rows.append)
    assert rows[-1]["val_error_percent"] < 0.7 * rows[0]["val_error_percent"]
    train_landmarks(config, rows.append)  # finished: left as it is
    assert read_checkpoint(checkpoint)[1]["pictures"] == 640
    face = FaceConfig(
        train=shards,
        run=tmp_path / "face",
        identity=identity_run,
        recognizer=recognizer_path,
        preset="tiny",
        size=64,
        pictures=4,
        batch=4,
        device="cpu",
    )
    train_face(replace(face, landmarks=checkpoint))
    logged = json.loads((face.run / "log.jsonl").read_text())
    assert logged["landmarks"] > 0 and logged["pose"] > 0


def test_shards_without_landmarks_are_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no landmarks"):
        train_landmarks(LandmarksConfig(train=shards, val=shards, run=tmp_path / "run", device="cpu"))
