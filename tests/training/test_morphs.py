"""Morphs: landmarks come where they are wanted, the rest of the picture stays, and people are drawn reproducibly."""

from pathlib import Path

import torch

from facechange.data.shards import load_faces
from facechange.training.augment import to_float
from facechange.training.config import FaceConfig
from facechange.training.face_batch import make_batch
from facechange.training.morphs import draw_people, move_landmarks

SIZE = 160


def test_what_is_at_a_landmark_moves_with_it_and_the_border_stays() -> None:
    across, down = torch.arange(float(SIZE)), torch.arange(float(SIZE))[:, None]
    spot = torch.exp(-((across - 80) ** 2 + (down - 70) ** 2) / 18)
    picture = torch.stack([spot, across.expand(SIZE, SIZE) / SIZE, down.expand(SIZE, SIZE) / SIZE])[None]
    landmarks = torch.tensor([[[80.0, 70.0], [40.0, 60.0], [60.0, 120.0], [110.0, 115.0]]])
    wanted = landmarks + torch.tensor([[[9.0, -6.0], [0.0, 0.0], [0.0, 3.0], [-2.0, 0.0]]])
    moved = move_landmarks(picture, landmarks, wanted)
    weight = moved[0, 0] / moved[0, 0].sum()
    assert torch.allclose(torch.stack([(weight * across).sum(), (weight * down).sum()]), wanted[0, 0], atol=1)
    edge = torch.ones(SIZE, SIZE, dtype=torch.bool)
    edge[3:-3, 3:-3] = False
    assert (moved - picture)[0, 1:, edge].abs().max() < 0.03


def test_landmarks_that_stay_leave_the_picture_as_it_is() -> None:
    picture, landmarks = torch.rand(2, 3, SIZE, SIZE), torch.rand(2, 68, 2) * 100 + 30
    assert torch.allclose(move_landmarks(picture, landmarks, landmarks), picture, atol=1e-4)


def test_half_of_the_pairs_of_different_people_ask_for_a_morph(shards: Path) -> None:
    faces = load_faces(shards, SIZE)
    config = FaceConfig(
        train=shards, run=shards, identity=shards, recognizer=shards, preset="tiny", size=64, batch=64, device="cpu"
    )
    batch = make_batch(faces, config, 0)
    known = to_float(faces.pictures)
    morphed = torch.tensor([not any(torch.equal(person, picture) for picture in known) for person in batch.person])
    assert not (morphed & batch.same_object.bool()).any() and not (morphed & batch.viewed).any()
    # of 32 pairs of different people; a quarter of the people drawn are faces as they are
    assert 6 <= morphed.sum() <= 26
    assert batch.viewed[batch.same_object.bool()].float().mean() > 0.6 and batch.viewed[~batch.same_object.bool()].any()


def test_people_are_drawn_from_faces_with_and_without_landmarks(shards: Path, landmark_shards: Path) -> None:
    for folder in (shards, landmark_shards):
        faces = load_faces(folder, SIZE)
        (pictures, points), again = (draw_people(faces, 16, torch.Generator().manual_seed(3)) for _ in range(2))
        assert torch.equal(pictures, again[0]) and torch.equal(points, again[1])
        assert pictures.shape == (16, 3, SIZE, SIZE) and points.shape == (16, 5, 2)
        assert pictures.abs().max() <= 1 and pictures.isfinite().all()
        known = (pictures[:, None] - to_float(faces.pictures)).abs().mean((2, 3, 4)).min(1).values < 1e-6
        assert 1 <= known.sum() <= 9, "about a quarter are faces as they are, the others nobody of them"
    assert load_faces(shards, SIZE).landmarks is None and load_faces(landmark_shards, SIZE).landmarks is not None
