"""dlib's 68 landmarks: skipped where its packages are not installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from facechange.evaluation import DlibLandmarker
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix, transform_points
from facechange.images import read_picture
from facechange.swap import load_detector

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.skipif(
    not (find_spec("dlib") and find_spec("face_recognition_models")), reason="needs facechange[evaluate]"
)
def test_landmarks_lie_where_the_scout_sees_eyes_nose_and_mouth() -> None:
    picture = read_picture(EXAMPLES / "source.jpg").rgb8()
    points = load_detector().detect(picture)[0].points
    evaluator = DlibLandmarker()
    for size in (128, 512):
        matrix = ffhq_crop_matrix(points, size)
        found = evaluator.find(warp_crop(picture, matrix, size)[None])
        assert found.shape == (1, 68, 2)
        five = np.stack([found[0, 36:42].mean(0), found[0, 42:48].mean(0), found[0, 30], found[0, 48], found[0, 54]])
        assert np.linalg.norm(five - transform_points(points, matrix), axis=1).max() < 0.05 * size
