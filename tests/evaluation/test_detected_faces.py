"""Pictures without labels: faces and landmarks are found, and where is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.core import Face, ModelError, PictureError
from facechange.evaluation import FoundFaces, Landmarker, OnnxEvaluator, evaluate_change
from facechange.faces.mean_face68 import read_mean_face

FACE_POINTS = [[34, 40], [62, 40], [48, 54], [38, 66], [58, 66]]  # of a painted face


def identify(crop: np.ndarray) -> np.ndarray:
    return np.eye(512)[0]


def test_a_landmarker_looks_where_the_face_is(landmarker: Landmarker) -> None:
    found = landmarker.find(np.zeros((2, 200, 200, 3), np.uint8))
    face = read_mean_face()[0]
    expected = (face[:, :2] * 0.25 + (0.5, 0.35) - 0.5) * 0.84 * 200 + np.array([0.5, 0.553]) * 200 - 0.5
    assert found[1] == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ModelError, match="missing"):
        Landmarker(Path("none.onnx"))


def test_pictures_of_a_plain_folder_are_found_and_grouped(
    tmp_path: Path, landmarker: Landmarker, evaluator: OnnxEvaluator, paint_face: Callable[..., np.ndarray]
) -> None:
    pictures = {"young/1.png": (200, 60, 40), "young/2.png": (220, 90, 60), "old/1.png": (180, 40, 90)}
    for name, colour in pictures.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), paint_face(colour)[..., ::-1])
    (tmp_path / "old" / "broken.png").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "old" / "empty.png"), np.full((60, 60, 3), 10, np.uint8))

    def detect(picture: np.ndarray) -> list[Face]:
        return [Face((22, 16, 52, 68), np.array(FACE_POINTS, np.float32), 0.9)] if picture.max() > 100 else []

    found = FoundFaces(tmp_path, detect, landmarker)
    assert [face.image for face in found.faces] == ["old/1.png", "young/1.png", "young/2.png"]
    assert set(found.skipped) == {"old/broken.png", "old/empty.png"}
    assert [face.group for face in found.faces] == ["old", "young", "young"]
    assert (found.read(0) == paint_face((180, 40, 90))).all()
    report = evaluate_change(lambda target, identity: target, identify, 64, found, [evaluator], 6)
    assert {name: report.groups[name].count for name in ("old", "young")} == {"old": 2, "young": 4}
    with pytest.raises(PictureError, match="holds 1 pictures with a face"):
        FoundFaces(tmp_path / "old", detect, landmarker)
