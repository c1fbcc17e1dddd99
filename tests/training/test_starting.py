"""Going on from what ships: a run that starts from an exported graph has its weights and its history."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from facechange.core import FacechangeError, TrainingError, load_card
from facechange.models.face_change import FaceChangeNetwork
from facechange.runtime import CHANGE_NAMES, graph_path, load_graph
from facechange.training.checkpoint import read_checkpoint, save_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.export import export_face
from facechange.training.face import train_face
from facechange.training.starting import describe_stages, load_face_change_network


@pytest.mark.parametrize("name", CHANGE_NAMES)
def test_a_model_that_ships_is_read_back_from_its_graph(name: str) -> None:
    graph = load_graph(name, 1)
    size = graph.card.size_px
    target, identity = torch.rand(1, 3, size, size) * 2 - 1, functional.normalize(torch.randn(1, 512), dim=1)
    shipped = graph.run({"target": target.numpy(), "identity": identity.numpy()}, ["changed"])["changed"]
    with torch.no_grad():
        ours = load_face_change_network(graph_path(name))(target, identity)
    assert abs(ours.numpy() - shipped).max() < 1e-3
    assert describe_stages(graph_path(name))[0].startswith("whole pictures (")


def test_a_run_goes_on_from_a_graph(shards: Path, identity_run: Path, recognizer_path: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    swapper = FaceChangeNetwork("tiny", 64)  # new: many of its weights are equal, and each has to come back
    past = {"pictures": 4, "preset": "tiny", "size": 64, "learning_rate": 0.005}
    save_checkpoint(tmp_path / "face.safetensors", {"ema": swapper}, {}, past)
    graph = tmp_path / "face.onnx"
    export_face(tmp_path / "face.safetensors", graph)
    more = FaceConfig(
        train=shards,
        run=tmp_path / "more",
        identity=identity_run,
        recognizer=recognizer_path,
        preset="tiny",
        size=64,
        batch=4,
        device="cpu",
        start_from=graph,
        pictures=4,
    )
    more = replace(more, learning_rate=1e-9)
    tensors, progress = read_checkpoint(train_face(more).checkpoint)
    for name, value in load_face_change_network(graph).state_dict().items():
        assert torch.allclose(tensors[f"swapper|{name}"], value, atol=1e-6), name
    assert progress["earlier"] == ["4 pictures at 64, learning rate 0.005"]
    export_face(more.run / "face.safetensors", tmp_path / "again.onnx")
    assert load_card(tmp_path / "again.json").training.endswith(
        "two recognizers; 4 pictures at 64, learning rate 0.005; then 4 pictures at 64, learning rate 1e-09."
    )
    with pytest.raises(TrainingError, match="preset tiny"):
        train_face(replace(more, run=tmp_path / "wrong", preset="small"))

    larger = FaceChangeNetwork("tiny", 128)  # its finest resolution goes on over the model of 64
    save_checkpoint(tmp_path / "larger.safetensors", {"ema": larger}, {}, past | {"size": 128})
    export_face(tmp_path / "larger.safetensors", tmp_path / "larger.onnx")
    onward = replace(more, run=tmp_path / "onward", size=128, window=64, finest_from=tmp_path / "larger.onnx")
    for run in (replace(onward, run=tmp_path / "whole", window=None), onward):
        found = load_face_change_network(train_face(run).checkpoint).state_dict()
        for side, of in (("128", tmp_path / "larger.onnx"), ("64", graph)):
            name = f"generator.blocks.{side}.first.weight"
            assert torch.allclose(found[name], load_face_change_network(of).state_dict()[name], atol=1e-6), name
    told = export_face(more.run / "face.safetensors", tmp_path / "joined.onnx", finest_from=[tmp_path / "larger.onnx"])
    assert told.size_px == 128 and told.training.endswith("of facechange-tiny-128 0.1.0 at 128, as it was.")
    joined = load_face_change_network(tmp_path / "joined.onnx").state_dict()
    assert all(torch.allclose(joined[name], value, atol=2e-3) for name, value in found.items())
    with pytest.raises(TrainingError, match="twice the size"):
        export_face(more.run / "face.safetensors", tmp_path / "none.onnx", finest_from=[graph])
    with pytest.raises(TrainingError, match="no run of the preset tiny on windows of 64 at 128 pixels"):
        train_face(replace(onward, run=tmp_path / "none", finest_from=graph))


def test_graphs_of_other_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FacechangeError):
        load_face_change_network(graph_path("identity"))
    with pytest.raises(FacechangeError):
        load_face_change_network(tmp_path / "none.onnx")
