from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from facechange.core import ModelError
from facechange.runtime import Graph, load_graph, to_tensor, to_unit_range


def inputs(side: int = 64) -> dict[str, np.ndarray]:
    return {"target": np.zeros((1, 3, side, side), np.float32), "identity": np.eye(1, 512, dtype=np.float32)}


def test_runs_all_or_named_outputs(change_graph: Graph) -> None:
    assert list(change_graph.run(inputs())) == change_graph.output_names
    only = change_graph.run(inputs(), ["changed"])
    assert list(only) == ["changed"]
    assert only["changed"].shape == (1, 3, 64, 64)
    assert change_graph.card.name == "toy-change"


def test_identity_comes_out_normalised(identity_path: Path) -> None:
    crops = np.random.default_rng(1).uniform(-1, 1, (3, 3, 112, 112)).astype(np.float32)
    identity = load_graph(identity_path).run({"crop": crops})["identity"]
    np.testing.assert_allclose(np.linalg.norm(identity, axis=1), 1, rtol=1e-5)


def test_wrong_shape_and_wrong_output_are_model_errors(change_graph: Graph) -> None:
    with pytest.raises(ModelError, match="did not run"):
        change_graph.run(inputs(32))
    with pytest.raises(ModelError, match="no output"):
        change_graph.run(inputs(), ["landmarks"])


def test_missing_replaced_and_broken_graphs(change_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        load_graph(tmp_path / "none.onnx")
    graph = Path(copy(change_path, tmp_path))
    with pytest.raises(ModelError, match="missing"):
        load_graph(graph)
    card = Path(copy(change_path.with_suffix(".json"), tmp_path))
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ModelError, match="not the file"):
        load_graph(graph)
    graph.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    text = card.read_text()
    card.write_text(text.replace(text.split('"sha256": "')[1][:64], empty))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_graph(graph)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tensor_and_back(dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7, 3), dtype, endpoint=True)
    tensor = to_tensor(image)
    assert tensor.shape == (1, 3, 5, 7)
    assert tensor.dtype == np.float32
    assert tensor.min() >= -1
    assert tensor.max() <= 1
    np.testing.assert_array_equal(np.rint(to_unit_range(tensor) * np.iinfo(dtype).max), image)
    np.testing.assert_allclose(tensor[0, :, 2, 3], image[2, 3] / np.iinfo(dtype).max * 2 - 1, atol=1e-6)
