"""Recovered pairs: somebody else's face is put on a picture, and what is asked for is the picture as it was."""

from dataclasses import replace
from pathlib import Path

import torch

from facechange.data.shards import load_faces, share_draws
from facechange.training.augment import to_float
from facechange.training.config import FaceConfig
from facechange.training.face_batch import make_batch
from facechange.training.recovered import match_light, put_other_faces_on

SIZE = 160


def test_another_face_comes_inside_the_hull_and_nothing_else_moves(landmark_shards: Path) -> None:
    faces = load_faces(landmark_shards, SIZE)
    pictures, background = to_float(faces.pictures), faces.background.float()
    assert faces.landmarks is not None
    changed = put_other_faces_on(pictures, faces.landmarks, background, faces, torch.Generator().manual_seed(1))
    outside = background.expand_as(pictures) == 1
    assert torch.equal(changed[outside], pictures[outside])
    middle = (slice(None), slice(None), slice(60, 100), slice(60, 100))
    assert ((changed - pictures)[middle].abs().mean((1, 2, 3)) > 0.02).float().mean() > 0.5, (
        "most get the face of somebody else"
    )


def test_light_and_colour_are_those_of_the_picture() -> None:
    generator = torch.Generator().manual_seed(0)
    dark, light = (
        torch.rand(2, 3, 64, 64, generator=generator) * 0.2 - 0.8,
        torch.rand(2, 3, 64, 64, generator=generator) * 0.4 + 0.3,
    )
    face = torch.zeros(2, 1, 64, 64)
    face[..., 16:48, 16:48] = 1
    matched = match_light(light, dark, face)
    inside = face.expand_as(dark) == 1
    assert abs(matched[inside].mean() - dark[inside].mean()) < 0.02
    assert abs(matched[inside].std() - dark[inside].std()) < 0.03


def test_a_recovered_pair_asks_for_the_picture_before_and_is_degraded_alike(landmark_shards: Path) -> None:
    faces = load_faces(landmark_shards, SIZE)
    config = FaceConfig(
        train=landmark_shards,
        run=landmark_shards,
        identity=landmark_shards,
        recognizer=landmark_shards,
        preset="tiny",
        size=64,
        batch=32,
        device="cpu",
    )
    batch = make_batch(faces, config, 0)
    differs = (batch.target != batch.wanted).flatten(1).any(1)
    assert differs[:13].float().mean() > 0.7 and not differs[13:].any()  # 0.4 of 32; a face may be put on itself
    assert batch.same_object.sum() == 16 and batch.same_object[:16].all()
    far = (batch.background > 0.99) & (batch.covered < 0.01)
    moved = ((batch.target - batch.wanted).abs() * far)[:13]
    assert moved.mean() < 0.01, "what is not the face was degraded in the same way"
    without = make_batch(faces, replace(config, recovered_share=0.0), 0)
    assert torch.equal(without.target, without.wanted) and without.same_object.sum() == 3


def test_small_groups_come_up_oftener_than_their_share(landmark_shards: Path) -> None:
    reach = share_draws([None] * 900 + ["dark"] * 100)
    assert reach is not None and share_draws([None] * 5) is None
    faces = replace(load_faces(landmark_shards, SIZE), reach=torch.tensor([0.0, 0.0, 0.9, 0.9, 1.0, 1.0]))
    drawn = faces.draw(4000, torch.Generator().manual_seed(0)).bincount(minlength=6) / 4000
    assert torch.allclose(drawn, torch.tensor([0.0, 0.0, 0.9, 0.0, 0.1, 0.0]), atol=0.03)
    assert abs((reach < reach[899]).float().mean() - 0.9) < 0.01 and abs(float(reach[899]) - 0.75) < 0.001
