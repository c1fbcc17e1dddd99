"""dlib's evaluator: skipped where its packages are not installed, for only `facechange[evaluate]` brings them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.core import DependencyError
from facechange.evaluation import DlibEvaluator
from facechange.evaluation.dlib_evaluator import CHIP_PX, FIVE_OF_68
from facechange.faces.geometry import estimate_similarity, transform_points
from facechange.faces.mean_face68 import read_mean_face
from facechange.images import read_picture
from facechange.swap import load_detector

EXAMPLES = Path(__file__).parents[2] / "examples"
needs_dlib = pytest.mark.skipif(
    not (find_spec("dlib") and find_spec("face_recognition_models")), reason="needs facechange[evaluate]"
)


def read_face(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An example picture, its five points, and the mean face's 68 laid on them."""
    picture = read_picture(EXAMPLES / name).rgb8()
    points = load_detector().detect(picture)[0].points
    mean = read_mean_face()[0][:, :2]
    five = np.stack([mean[36:42].mean(0), mean[42:48].mean(0), mean[30], mean[48], mean[54]])
    return picture, points, transform_points(mean, estimate_similarity(five, points))


@needs_dlib
def test_a_face_turned_and_shrunk_is_still_the_same_and_another_is_not() -> None:
    evaluator = DlibEvaluator()
    picture, points, landmarks = read_face("source.jpg")
    turn = cv2.getRotationMatrix2D((picture.shape[1] / 2, picture.shape[0] / 2), 25, 0.7)
    turned = cv2.warpAffine(picture, turn, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    chips = [
        evaluator.crop(picture, points, landmarks),
        evaluator.crop(turned, transform_points(points, turn), transform_points(landmarks, turn)),
        evaluator.crop(*read_face("target.jpg")),
    ]
    assert chips[0].shape == (CHIP_PX, CHIP_PX, 3)
    vectors = evaluator.recognise(np.stack(chips))
    assert vectors.shape == (3, 128)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > 0.97 > 0.93 > cosines[0, 2]


@needs_dlib
def test_the_chip_is_laid_as_dlib_lays_it() -> None:
    import dlib

    picture, points, landmarks = read_face("source.jpg")
    five = [dlib.point(*map(round, place)) for place in landmarks[FIVE_OF_68].tolist()]
    wanted = dlib.get_face_chip(picture, dlib.full_object_detection(dlib.rectangle(0, 0, 1, 1), five), CHIP_PX, 0.25)
    chip = DlibEvaluator().crop(picture, points, landmarks)
    luma = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float32) for each in (chip, wanted)]
    shift = cv2.phaseCorrelate(*luma, cv2.createHanningWindow((CHIP_PX, CHIP_PX), cv2.CV_32F))[0]
    assert np.hypot(*shift) < 0.6  # dlib takes whole pixels for points
    assert np.abs(luma[0] - luma[1]).mean() < 3.5  # and samples where this averages


def test_missing_packages_are_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(DependencyError, match="dlib-bin") as raised:
        DlibEvaluator()
    assert "facechange[evaluate]" in raised.value.remedy
