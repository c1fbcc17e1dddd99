"""Whole photographs: who is still told, and whether what was said of them is true."""

from collections.abc import Callable

import numpy as np

from facechange.core import Changed, Face, Outcome
from facechange.data.labelled import LabelledFace
from facechange.evaluation.photographs_report import evaluate_photographs, find_outcome

POINTS = np.array([[30, 30], [60, 30], [45, 45], [35, 60], [55, 60]], np.float32)


class FourPictures:
    """Flat pictures of brightness 10, 20, 30 and 40, with a face each."""

    def __init__(self) -> None:
        self.faces = [LabelledFace(f"{index}.png", "", POINTS, None, None) for index in range(4)]

    def read(self, index: int) -> np.ndarray:
        return np.full((100, 100, 3), 10 * (index + 1), np.uint8)


def see(picture: np.ndarray, face: LabelledFace) -> np.ndarray:
    angle = picture[0, 0, 0] / 50 * np.pi / 2
    return np.array([np.cos(angle), np.sin(angle)])


def outcome(done: str, points: np.ndarray = POINTS) -> Outcome:
    return Outcome(Face((20, 20, 50, 50), points, 0.9), done)  # type: ignore[arg-type]


def test_only_what_is_claimed_and_untrue_is_a_false_claim() -> None:
    made: dict[int, Callable[[np.ndarray], Changed]] = {
        10: lambda picture: Changed(picture, [], outcomes=(outcome("changed"),)),  # a lie
        20: lambda picture: Changed(picture, [], outcomes=(outcome("left"),)),  # the truth
        # somewhere else: this one is missed
        30: lambda picture: Changed(picture, [], outcomes=(outcome("changed", POINTS + 300),)),
        40: lambda picture: Changed(np.full_like(picture, 10), [], outcomes=(outcome("blur"),)),
    }
    report = evaluate_photographs(
        lambda picture: made[int(picture[0, 0, 0])](picture), FourPictures(), see, "evaluator"
    )
    means = {name: value.mean for name, value in report.metrics.items()}
    assert means["reidentified_top1_all_faces"] == 75
    assert (
        means["false_reports_all_faces"]
        == means["missed_all_faces"]
        == means["left_all_faces"]
        == means["covered_all_faces"]
        == 25
    )
    assert report.details == {"blur": 1, "changed": 1, "left": 1, "missed": 1}
    assert find_outcome(Changed(np.zeros((9, 9, 3), np.uint8), []), FourPictures().faces[0]) is None
