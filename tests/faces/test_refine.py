"""Refinements: turns, mirror images, and what happens when they contradict each other. The detector is a stand-in."""

from __future__ import annotations

import numpy as np
import pytest

from facechange.core import Face
from facechange.faces.refine import EXACT_PX, refine_detections, refine_exactly

UPRIGHT = np.array([[0.4, 0.42], [0.6, 0.42], [0.5, 0.52], [0.43, 0.62], [0.57, 0.62]], np.float32)  # of a look
DETECTION = Face(
    (60.0, 92.0, 48.0, 48.0), np.array([[100.0, 100], [100, 132], [84, 116], [68, 104], [68, 128]], np.float32), 0.9
)  # a quarter turn
IMAGE = np.zeros((300, 300, 3), np.uint8)


def shown(side: int, points: np.ndarray, score: float, shift: float = 0.0) -> list[Face]:
    return [Face((side / 4 + shift, side / 4, side / 2, side / 2), points * side + (shift, 0), score)]


def test_a_look_is_turned_upright_and_its_mirror_image_cancels_errors_to_a_side() -> None:
    looks = iter([shown(EXACT_PX, UPRIGHT, 0.9, 2.0), shown(EXACT_PX, UPRIGHT, 0.8, 2.0)])
    (seen,) = refine_exactly(IMAGE, [DETECTION], [90.0], lambda crops: [next(looks) for _ in crops])
    assert seen is not None and seen.score == pytest.approx(0.8) and not seen.doubtful
    middle = np.array([84.0, 116])
    expected = middle + ((UPRIGHT * EXACT_PX - (EXACT_PX - 1) / 2)[:, ::-1] * (-1, 1)) * 96 / EXACT_PX
    np.testing.assert_allclose(seen.points, expected, atol=0.4)


def test_mirror_images_that_contradict_each_other_are_not_averaged() -> None:
    inverted = (1 - UPRIGHT)[[1, 0, 2, 4, 3]][[1, 0, 2, 4, 3]]
    looks = iter([shown(EXACT_PX, UPRIGHT, 0.9), shown(EXACT_PX, inverted, 0.8)])
    (seen,) = refine_exactly(IMAGE, [DETECTION], [90.0], lambda crops: [next(looks) for _ in crops])
    assert seen is not None and seen.doubtful
    assert np.linalg.norm(seen.points[0] - seen.points[1]) > 15, "no blob: the points of the surer look"


@pytest.mark.parametrize(("upside_down", "doubtful"), [(0.7, False), (0.895, True)])
def test_the_turn_with_the_best_score_says_how_a_face_stands(upside_down: float, doubtful: bool) -> None:
    """The stand-in sees a face in the first turn, and one in the third that scores less, or as much."""
    scores = iter([0.9, 0.1, upside_down, 0.1, 0.88, 0.9, 0.9, upside_down, upside_down])
    (face,) = refine_detections(IMAGE, [DETECTION], lambda crops: [shown(len(crops[0]), UPRIGHT, next(scores))])
    assert face.score == pytest.approx(0.88) and face.doubtful == doubtful


def test_a_detection_that_no_turn_confirms_falls() -> None:
    assert refine_detections(IMAGE, [DETECTION], lambda crops: [[] for _ in crops]) == []
    looks = iter([[], shown(96, UPRIGHT, 0.3), [], [], [], [], shown(96, UPRIGHT, 0.35), []])
    assert refine_detections(IMAGE, [DETECTION], lambda crops: [next(looks) for _ in crops]) == []
    assert refine_detections(IMAGE, [], lambda crops: []) == []


def test_what_is_seen_beside_the_middle_is_another_face() -> None:
    assert (
        refine_detections(
            IMAGE, [DETECTION], lambda crops: [shown(len(crops[0]), UPRIGHT, 0.9, len(crops[0]) * 0.3) for _ in crops]
        )
        == []
    )


def test_turns_between_are_tried_where_the_four_show_something_unclear() -> None:
    scores = iter([0.1, 0.3, 0.1, 0.1, 0.85, 0.2, 0.1, 0.1, 0.88, 0.9, 0.9, 0.1, 0.1])
    (face,) = refine_detections(IMAGE, [DETECTION], lambda crops: [shown(len(crops[0]), UPRIGHT, next(scores))])
    assert face.score == pytest.approx(0.85), "the rough look in the fifth turn"
    assert next(scores, None) is None
