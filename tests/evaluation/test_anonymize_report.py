"""Anonymising measured with stand-ins whose marks are known before, and the detector of others on a graph built like
YuNet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facechange.core import Face, ModelError, PictureError
from facechange.evaluation import AlignedFaces, Detector, LabelledFaces, Landmarker, OnnxEvaluator, evaluate_anonymize
from facechange.metrics.detection import detected
from facechange.metrics.identity import (
    cosine_to_original_all_faces,
    cosine_to_others_all_faces,
    reidentified_top1_all_faces,
)

SIZE_PX = 64
FACE = Face((12.0, 6.0, 40.0, 52.0), np.zeros((5, 2), np.float32), 0.9)
ELSEWHERE = Face((0.0, 0.0, 6.0, 6.0), np.zeros((5, 2), np.float32), 0.9)
LANDMARKS = np.array([[16.0, 20.0], [48.0, 20.0], [32.0, 56.0]])


def colour_of(crop: np.ndarray) -> np.ndarray:
    """The colour in the middle of an identity crop as an identity [512]."""
    vector = np.zeros(512)
    vector[:3] = crop[40:60, 50:62].mean((0, 1)) - 128
    return vector / np.linalg.norm(vector)


def test_own_and_others_cosines_by_hand() -> None:
    originals = np.eye(3)
    changed = np.array([[0.8, 0.6, 0.0], [0.6, 0.0, 0.8], [0.0, 0.0, 1.0]])
    assert cosine_to_original_all_faces(changed, originals) == pytest.approx([0.8, 0.0, 1.0])
    assert cosine_to_others_all_faces(changed, originals) == pytest.approx([0.3, 0.7, 0.0])
    assert reidentified_top1_all_faces(changed, originals).tolist() == [100, 0, 100]


def test_a_face_is_found_where_it_is_and_nowhere_else() -> None:
    assert detected([ELSEWHERE, FACE], LANDMARKS)
    assert not detected([ELSEWHERE], LANDMARKS)
    assert not detected([], LANDMARKS)


def test_a_model_that_changes_nothing_hides_nobody(
    faces_folder: Path, evaluator: OnnxEvaluator, landmarker: Landmarker
) -> None:
    faces, seen = LabelledFaces(faces_folder), []
    report = evaluate_anonymize(
        lambda target, identity: target,
        colour_of,
        lambda identity: -identity,
        SIZE_PX,
        faces,
        [evaluator],
        {"sighted": lambda crop: [FACE], "blind": lambda crop: []},
        progress=lambda done, total: seen.append((done, total)),
        landmarkers=[landmarker],
    )
    assert report.references == {"faces unchanged": report.metrics}
    means = {name: value.mean for name, value in report.metrics.items()}
    assert means["reidentified_top1_all_faces_mosaic"] == means["detected_sighted"] == 100
    assert means["detected_blind"] == means["skin_brightness_difference68"] == means["skin_colour_difference68"] == 0
    assert means["pose_error_pnp68_toy"] == pytest.approx(0, abs=1e-9)
    assert means["sharpness_ratio_hull68"] == 1
    assert means["cosine_to_original_all_faces_mosaic"] > max(0.95, means["cosine_to_others_all_faces_mosaic"])
    assert report.protocol["faces"] == report.protocol["personas"] == 6
    assert seen[-1] == (18, 18)


def test_everybody_as_the_next_is_nobody_as_himself(faces_folder: Path, evaluator: OnnxEvaluator) -> None:
    lines = [json.loads(line) for line in (faces_folder / "val.jsonl").read_text().splitlines()]
    grouped = [json.dumps(line | ({"group": "first"} if number < 2 else {})) for number, line in enumerate(lines)]
    (faces_folder / "val.jsonl").write_text("\n".join(grouped))
    faces = LabelledFaces(faces_folder)
    aligned = [AlignedFaces(faces, colour_of, SIZE_PX)[index] for index in range(6)]
    crops, identities = [face.crop for face in aligned], np.stack([face.identity for face in aligned])

    def whose(identity: np.ndarray) -> int:
        return int(np.argmax(identities @ identity))

    report = evaluate_anonymize(
        lambda target, identity: crops[whose(identity)],  # all faces share one shape
        colour_of,
        lambda identity: identities[(whose(identity) // 2 * 2 + 2) % 6],  # two people share a persona
        SIZE_PX,
        faces,
        [evaluator],
        {},
    )
    assert report.metrics["reidentified_top1_all_faces_mosaic"].mean == 0
    assert report.references["faces unchanged"]["reidentified_top1_all_faces_mosaic"].mean == 100
    assert report.metrics["reidentified_top1_all_faces_mosaic"].high > 10  # six faces say little
    assert report.metrics["cosine_to_original_all_faces_mosaic"].mean < 0.95
    assert report.protocol["personas"] == 3
    assert not any(name.startswith("pose_error_pnp68") for name in report.metrics)
    assert next(iter(report.groups)) == "first"
    assert (
        report.groups["first"].metrics["reidentified_top1_all_faces_mosaic"].high
        > report.metrics["reidentified_top1_all_faces_mosaic"].high
    )


def test_one_face_is_too_few(
    faces_folder: Path, evaluator: OnnxEvaluator, paint_face: Callable[..., np.ndarray]
) -> None:
    labels = faces_folder / "val.jsonl"
    labels.write_text(labels.read_text().splitlines()[0])
    with pytest.raises(PictureError, match="One face"):
        evaluate_anonymize(
            lambda target, identity: target,
            colour_of,
            lambda identity: identity,
            64,
            LabelledFaces(faces_folder),
            [evaluator],
            {},
        )


@pytest.fixture
def yunet_path(tmp_path: Path) -> Path:
    """A graph with YuNet's outputs for 64 px that claims the face of one cell, the surer the redder the picture."""
    nodes = [
        helper.make_node("Slice", ["input", "start", "end", "channel"], ["red"]),
        helper.make_node("ReduceMean", ["red"], ["brightness"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["brightness", "per_level"], ["score"]),
    ]
    constants = {
        "start": np.array([2]),
        "end": np.array([3]),
        "channel": np.array([1]),
        "per_level": np.float32([1 / 255]),
    }
    outputs = {}
    for stride in (8, 16, 32):
        cells = (64 // stride) ** 2
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            values = np.zeros((1, cells, width), np.float32)
            if stride == 16 and width == 1:
                values[0, 6] = 1  # row 1, column 2
            constants[f"{name}_{stride}_full"] = values
            outputs[f"{name}_{stride}"] = [1, cells, width]
            nodes.append(helper.make_node("Mul", [f"{name}_{stride}_full", "score"], [f"{name}_{stride}"]))
    described = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 64, 64])
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "yunet", [picture], described, values)
    path = tmp_path / "toy.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_the_detector_sees_rgb_and_answers_in_pixels(yunet_path: Path) -> None:
    detector = Detector(yunet_path)
    red, blue = np.zeros((2, 64, 64, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    assert detector.detect(blue) == []
    (face,) = detector.detect(red)
    assert face.score == pytest.approx(1, abs=1e-3)
    assert face.box == pytest.approx((24, 8, 16, 16))  # a cell's corner is the middle of its box
    assert face.points == pytest.approx(np.tile([32.0, 16.0], (5, 1)))
    assert detector.name == "toy"


def test_a_graph_that_is_no_detector_is_said(tmp_path: Path, landmarks_path: Path) -> None:
    with pytest.raises(ModelError, match="missing"):
        Detector(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a graph")
    for path in (tmp_path / "text.onnx", landmarks_path):
        with pytest.raises(ModelError, match="not a graph of YuNet"):
            Detector(path)
