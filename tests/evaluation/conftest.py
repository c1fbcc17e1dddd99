"""A folder of labelled faces as small as one can be: painted ovals in a tar shard."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facechange.evaluation import Landmarker, OnnxEvaluator
from facechange.faces.mean_face68 import read_mean_face

SIZE_PX = 96
POINTS = np.array([[34.0, 40.0], [62.0, 40.0], [48.0, 54.0], [38.0, 66.0], [58.0, 66.0]])


def paint_face(colour: tuple[int, int, int]) -> np.ndarray:
    """uint8 [96, 96, 3] RGB: an oval of one colour on grey, with dots at `POINTS`."""
    picture = np.full((SIZE_PX, SIZE_PX, 3), 120, np.uint8)
    cv2.ellipse(picture, (48, 50), (26, 34), 0, 0, 360, colour, -1)
    for x, y in POINTS:
        cv2.circle(picture, (int(x), int(y)), 2, (20, 20, 20), -1)
    return picture


def write_faces(folder: Path, count: int, split: str = "val") -> list[np.ndarray]:
    """Write `count` faces as `split.jsonl` and one shard of PNG; returns the pictures."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    outline = np.stack([48 + 26 * np.cos(angles), 50 + 34 * np.sin(angles)], axis=1)
    pictures = [
        paint_face((40 + 30 * number % 200, 200 - 25 * number % 180, 60 + 45 * number % 190)) for number in range(count)
    ]
    lines = []
    with tarfile.open(folder / f"{split}-96-00.tar", "w") as archive:
        for number, picture in enumerate(pictures):
            encoded = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
            member = tarfile.TarInfo(f"{split}-{number}.png")
            member.size = len(encoded)
            archive.addfile(member, io.BytesIO(encoded))
            labels = {"landmarks5": POINTS.tolist(), "landmarks68": outline.tolist()}
            lines.append(json.dumps({"image": member.name, "shard": f"{split}-96-00.tar", "size": SIZE_PX} | labels))
    (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return pictures


@pytest.fixture(name="paint_face")
def paint_face_fixture() -> Callable[..., np.ndarray]:
    return paint_face


@pytest.fixture
def evaluator(tmp_path: Path) -> OnnxEvaluator:
    """Recognises people by the colours of a 4 x 4 mosaic: an average pool of the crop."""
    pool = helper.make_node("AveragePool", ["crop"], ["pooled"], kernel_shape=[28, 28], strides=[28, 28])
    flat = helper.make_node("Reshape", ["pooled", "shape"], ["vector"])
    shape = numpy_helper.from_array(np.array([-1, 48], np.int64), "shape")
    crop = helper.make_tensor_value_info("crop", TensorProto.FLOAT, ["n", 3, 112, 112])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 48])
    graph = helper.make_graph([pool, flat], "mosaic", [crop], [vector], [shape])
    path = tmp_path / "mosaic.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return OnnxEvaluator(path, "symmetric")


@pytest.fixture
def faces_folder(tmp_path: Path) -> Path:
    write_faces(tmp_path, 6)
    return tmp_path


@pytest.fixture
def landmarks_path(tmp_path: Path) -> Path:
    """A network that sees the mean face in the middle of every crop, its mouth the wider open the brighter the crop."""
    shares = read_mean_face()[0][:, :2] * 0.25 + (0.5, 0.35)
    lower_lip = np.zeros((68, 2))
    lower_lip[[65, 66, 67], 1] = 0.1
    nodes = [
        helper.make_node("ReduceMean", ["faces"], ["brightness"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["brightness", "axes"], ["column"]),
        helper.make_node("MatMul", ["column", "lower_lip"], ["opening"]),
        helper.make_node("Add", ["opening", "shares"], ["landmarks"]),
    ]
    constants = {
        "shares": shares.reshape(1, 136).astype(np.float32),
        "lower_lip": lower_lip.reshape(1, 136).astype(np.float32),
    }
    values = [numpy_helper.from_array(value, name) for name, value in (constants | {"axes": np.array([1])}).items()]
    faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 3, 112, 112])
    landmarks = helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["n", 136])
    graph = helper.make_graph(nodes, "toy", [faces], [landmarks], values)
    path = tmp_path / "toy.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture
def landmarker(landmarks_path: Path) -> Landmarker:
    return Landmarker(landmarks_path)
