"""Pose and expression of faces whose answer is known: pictures of the mean face, turned by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facechange.evaluation.factor_faces import factor_mean_face
from facechange.faces.mean_face68 import MIRRORED, read_mean_face
from facechange.metrics.expression import expression_error_openings68, measure_openings
from facechange.metrics.pose import FOCAL_CROPS, fit_pose, pose_error_pnp68

SIZE_PX = 256


def see(face: np.ndarray, yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """68 landmarks [68, 2] of a crop that shows `face` [68, 3] turned by degrees."""
    turns = [
        cv2.Rodrigues(np.radians(angle) * axis)[0] for angle, axis in zip((pitch, yaw, roll), np.eye(3), strict=True)
    ]
    places = face @ (turns[2] @ turns[1] @ turns[0]).T + (0.02, 0.1, 4 * FOCAL_CROPS / 1.5)
    return places[:, :2] / places[:, 2:] * FOCAL_CROPS * SIZE_PX + (SIZE_PX - 1) / 2


@pytest.mark.parametrize(
    ("turn", "degrees"), [({}, 0), ({"yaw": 20}, 20), ({"pitch": -12}, 12), ({"roll": 30}, 30), ({"yaw": -35}, 35)]
)
def test_the_turn_is_measured_and_leaves_the_expression(turn: dict[str, float], degrees: float) -> None:
    face, _ = read_mean_face()
    front, turned = fit_pose(see(face), SIZE_PX), fit_pose(see(face, **turn), SIZE_PX)
    assert pose_error_pnp68(turned, front) == pytest.approx(degrees, abs=0.05)
    assert pose_error_pnp68(turned, turned) == pytest.approx(0, abs=1e-9)
    assert expression_error_openings68(turned, front) < 0.05
    assert np.abs(turned.frontal - face[:, :2]).max() < 0.01


def test_an_open_mouth_is_no_turn_and_a_wide_face_no_expression() -> None:
    face, deviations = read_mean_face()
    speaking, wide = face.copy(), face.copy()
    speaking[[65, 66, 67], 1] += 0.1
    wide[:17, 0] *= 1.15
    front, spoke = fit_pose(see(face, yaw=10), SIZE_PX), fit_pose(see(speaking, yaw=10), SIZE_PX)
    assert pose_error_pnp68(spoke, front) < 0.05
    opened = measure_openings(spoke.frontal) - measure_openings(front.frontal)
    assert opened[2] == pytest.approx(0.1 / (face[54, 0] - face[48, 0]), rel=0.02)
    assert np.abs(opened[:2]).max() < 1e-3
    assert expression_error_openings68(spoke, front) > 0.5 * opened[2] / deviations[2] / 4
    assert expression_error_openings68(fit_pose(see(wide, yaw=10), SIZE_PX), front) < 0.01


def test_a_shape_is_factored_from_one_view_a_person() -> None:
    random, face = np.random.default_rng(0), read_mean_face()[0]
    views = []
    for _ in range(600):
        person = face * random.normal(1, 0.04, 3) + random.normal(0, 0.01, face.shape)  # no two are alike
        views.append(see(person, *random.normal(0, (12, 6, 2))) * random.uniform(0.5, 2))
    factored = factor_mean_face(np.array(views))
    assert np.abs(factored - face)[:, :2].max() < 0.05
    assert np.abs(factored - face)[:, 2].mean() < 0.06
    assert np.allclose(factored[MIRRORED], factored * (-1, 1, 1))


def test_mirroring_names_the_other_sides_landmark() -> None:
    assert sorted(MIRRORED) == list(range(68)) and all(MIRRORED[MIRRORED[index]] == index for index in range(68))
    left, right, middle = (0, 17, 36, 39, 48, 60), (16, 26, 45, 42, 54, 64), (8, 27, 30, 33, 51, 57, 62, 66)
    assert [MIRRORED[index] for index in left] == list(right) and all(MIRRORED[index] == index for index in middle)


def test_the_stored_face_looks_like_one() -> None:
    face, deviations = read_mean_face()
    assert face[45, 0] - face[36, 0] == pytest.approx(1)
    assert np.allclose(face[MIRRORED], face * (-1, 1, 1), atol=1e-3)
    assert face[30, 2] == face[:, 2].min()  # the tip of the nose is nearest to the viewer
    assert face[[0, 16], 2].min() > face[17:, 2].max()  # and the ears are farthest
    assert face[8, 1] == face[:, 1].max()  # the chin is lowest
    assert (deviations > 0).all() and deviations.shape == (4,)
