"""The dense mesh and the irises: angles and distances on meshes that are known; on a face where the package is
installed."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.core import DependencyError
from facechange.evaluation import face_mesh
from facechange.evaluation.face_mesh import FaceMesh
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix
from facechange.images import read_picture
from facechange.metrics.expression import gaze_error_iris
from facechange.metrics.pose import Mesh, pose_error_mesh468
from facechange.swap import load_detector

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_angle_is_that_of_the_turn_whatever_size_and_place() -> None:
    points = np.random.default_rng(0).normal(size=(468, 3))
    for degrees in (0.0, 3.0, 40.0):
        turn = cv2.Rodrigues(np.radians(degrees) * np.array([0.6, 0.8, 0.0]))[0]
        turned = Mesh(2 * points @ turn.T + 7, np.zeros((2, 2)))
        assert pose_error_mesh468(turned, Mesh(points, np.zeros((2, 2)))) == pytest.approx(degrees, abs=1e-6)


def test_gaze_is_the_way_of_the_irises_in_percent_of_an_eye() -> None:
    straight, aside = (Mesh(np.zeros((468, 3)), np.array([[x, 0.0], [x, 0.0]])) for x in (0.0, 0.1))
    assert gaze_error_iris(aside, straight) == pytest.approx(10)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_mesh, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"mediapipe==0\.10\.14"):
        FaceMesh()


@pytest.mark.skipif(not find_spec("mediapipe"), reason="needs the package mediapipe")
def test_a_face_that_is_turned_in_the_plane_turns_its_mesh_as_far() -> None:
    picture = read_picture(EXAMPLES / "source.jpg").rgb8()
    crop = warp_crop(picture, ffhq_crop_matrix(load_detector().detect(picture)[0].points, 256), 256)
    rolled = cv2.warpAffine(
        crop, cv2.getRotationMatrix2D((127.5, 127.5), 10, 1), (256, 256), borderMode=cv2.BORDER_REPLICATE
    )
    evaluator = FaceMesh()
    straight, turned = evaluator.read(crop), evaluator.read(rolled)
    assert pose_error_mesh468(turned, straight) == pytest.approx(10, abs=2)
    assert gaze_error_iris(turned, straight) < 5
