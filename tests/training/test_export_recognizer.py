"""The second recognizer as a graph: PyTorch's numbers, its card, and what is measured of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facechange.core import ModelError
from facechange.data.labelled import LabelledFaces
from facechange.models.recognizer import load_recognizer
from facechange.runtime import load_graph
from facechange.training.export import export_recognizer


def test_the_graph_gives_vectors_of_length_one_like_pytorch(
    recognizer_path: Path, labelled_faces: Path, tmp_path: Path
) -> None:
    path = tmp_path / "recognizer.onnx"
    card = export_recognizer(recognizer_path, path, LabelledFaces(labelled_faces))
    assert (card.role, card.size_px, card.licence) == ("recognizer", 112, "Apache-2.0")
    assert -1 <= card.metrics["cosine_different_faces_p99"]["mean"] <= 1
    crops = torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    vectors = load_graph(path, 1).run({"crop": crops.numpy()})["identity"]
    assert vectors.shape == (3, 128)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    with torch.no_grad():
        whole = load_recognizer(recognizer_path)(crops).numpy()
    assert (vectors * whole).sum(1).min() > 0.999  # rounded to 16 bits


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError):
        export_recognizer(tmp_path / "x.safetensors", tmp_path / "x.onnx")
