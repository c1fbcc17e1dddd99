"""The detector in our engines finds, to the pixel, what OpenCV's own reading of it finds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.faces.detect import shrink
from facechange.faces.detector_maps import decode_detections, to_detector_input
from facechange.faces.overlaps import suppress_overlaps
from facechange.images import read_picture
from facechange.runtime import graph_path, load_graph

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "engine", ["cpu", pytest.param("openvino", marks=pytest.mark.skipif(not find_spec("openvino"), reason="optional"))]
)
def test_it_agrees_with_opencv(engine: str) -> None:
    graph = load_graph("detector", 1, engine)
    both = [read_picture(EXAMPLES / name).rgb8() for name in ("source.jpg", "target.jpg")]
    small = [shrink(image, 150 / image.shape[0]) for image in both]
    # sides that are no multiples of 32
    pictures = [shrink(both[0], 0.37), shrink(both[1], 0.5)[:350, 3:], np.hstack(small)]
    assert any(side % 32 for picture in pictures for side in picture.shape[:2])
    for picture, count in zip(pictures, (1, 1, 2), strict=True):
        theirs = cv2.FaceDetectorYN.create(str(graph_path("detector")), "", picture.shape[1::-1], 0.6, 0.3, 5000)
        expected = theirs.detect(np.ascontiguousarray(picture[..., ::-1]))[1]
        assert len(expected) == count
        tensors = to_detector_input([picture])
        assert tensors.shape[2] % 32 == 0 and tensors.shape[3] % 32 == 0
        (found,) = decode_detections(graph.run({"input": tensors}), tensors.shape[3], 0.6)
        assert len(found) == count
        for face, row in zip(found, expected, strict=True):
            np.testing.assert_allclose(face.box, row[:4], atol=0.05)
            np.testing.assert_allclose(face.points, row[4:14].reshape(5, 2), atol=0.05)
            assert face.score == pytest.approx(row[14], abs=1e-3)


def test_pictures_of_a_batch_are_told_apart() -> None:
    graph = load_graph("detector", 1, "cpu")
    picture = shrink(read_picture(EXAMPLES / "source.jpg").rgb8(), 0.25)
    nothing = np.zeros_like(picture)
    tensors = to_detector_input([nothing, picture, nothing])
    assert [len(faces) for faces in decode_detections(graph.run({"input": tensors}), tensors.shape[3], 0.6)] == [
        0,
        1,
        0,
    ]


def test_overlapping_detections_leave_the_best() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [20, 0, 10, 10], [22, 2, 4, 4]], float)
    assert suppress_overlaps(boxes, np.array([0.6, 0.9, 0.7, 0.8])) == [1, 3, 2]
    assert suppress_overlaps(np.zeros((0, 4)), np.zeros(0)) == []
