"""The scout's protocol: an all-knowing and a blind scout get the marks they deserve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facechange.core import Face
from facechange.evaluation import scout_recall
from facechange.evaluation.scout_recall import compose_canvases, evaluate_scout
from facechange.metrics.detection import measure_overlap

BOX = np.array([24.0, 16.0, 48.0, 64.0])
POINTS = np.array([[36.0, 40.0], [60.0, 40.0], [48.0, 52.0], [40.0, 64.0], [56.0, 64.0]])
FACES = [(np.full((96, 96, 3), 40 * number, np.uint8), BOX, POINTS) for number in range(6)]
BACKGROUNDS = [np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8) for number in range(3)]


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scout_recall, "read_faces", lambda folder, split: iter(FACES))
    monkeypatch.setattr(scout_recall, "read_backgrounds", lambda path, held_out: BACKGROUNDS if held_out else [])


def truth_of(seed: int) -> dict[bytes, list[Face]]:
    canvases = compose_canvases(np.random.default_rng(seed), BACKGROUNDS, iter(FACES))
    return {
        canvas.tobytes(): [Face(tuple(map(float, box)), points.astype(np.float32), 1.0) for box, points, _ in pasted]
        for canvas, pasted in canvases
    }


def test_the_all_knowing_scout_is_perfect() -> None:
    truth = truth_of(4)
    report = evaluate_scout(lambda image: truth.get(image.tobytes(), []), Path("faces"), Path("tar"), seed=4)
    assert report.protocol == {"faces": 6, "face_free_pictures": 12, "split": "val", "seed": 4}
    # six faces say little
    assert report.metrics["recall_iou50"].mean == 100 and report.metrics["recall_iou50"].low < 90
    assert report.metrics["face_free_pictures_detected"].mean == 0
    assert report.details["mean_iou"] == pytest.approx(1) and report.details["false_reports_per_canvas"] == 0
    assert report.details["mean_point_error"] == pytest.approx(0, abs=1e-6)


def test_the_blind_and_the_inventive_scout_are_not() -> None:
    blind = evaluate_scout(lambda image: [], Path("faces"), Path("tar"))
    assert blind.metrics["recall_iou50"].mean == 0 and blind.details["mean_point_error"] == 1
    invented = [Face((-50.0, -50.0, 9.0, 9.0), np.zeros((5, 2), np.float32), 0.9)]
    inventive = evaluate_scout(lambda image: invented, Path("faces"), Path("tar"))
    assert inventive.metrics["recall_iou50"].mean == 0 and inventive.metrics["face_free_pictures_detected"].mean == 100
    assert inventive.details["false_reports_per_canvas"] == 1


def test_every_face_is_pasted_once_within_its_canvas() -> None:
    pasted = [
        (canvas.shape, *face)
        for canvas, faces in compose_canvases(np.random.default_rng(0), BACKGROUNDS, iter(FACES))
        for face in faces
    ]
    assert len(pasted) == len(FACES)
    for shape, box, points, roll in pasted:
        assert (box[:2] >= 0).all() and (box[:2] + box[2:] <= shape[1::-1]).all()
        assert (points >= box[:2]).all() and (points <= box[:2] + box[2:]).all()
        assert 14 <= max(box[2:]) <= 0.9 * min(shape[:2]) + 1e-6 and abs(roll) <= 180


def test_overlap_by_hand() -> None:
    assert measure_overlap(np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 2, 2])) == pytest.approx(1 / 3)
    assert measure_overlap(np.array([0.0, 0, 2, 2]), np.array([5.0, 0, 2, 2])) == 0
