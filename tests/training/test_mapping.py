"""The mapping before a frozen face-change model: it alone learns, a run goes on where it stopped, and the graph has it
inside."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facechange.core import TrainingError
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.growing import grow_swapper, shrink_swapper
from facechange.models.identity import IdentityNetwork, MappedIdentity
from facechange.models.layers import double_size, halve_size
from facechange.runtime import load_graph
from facechange.training.checkpoint import read_checkpoint, save_checkpoint
from facechange.training.export import export_identity
from facechange.training.mapping import MappingConfig, train_mapping
from facechange.training.starting import load_identity_network


@pytest.fixture(scope="module")
def config(
    shards: Path, identity_run: Path, recognizer_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> MappingConfig:
    folder = tmp_path_factory.mktemp("mapping")
    torch.manual_seed(0)
    swapper = FaceChangeNetwork("tiny", 64)
    progress = {"preset": "tiny", "size": 64, "pictures": 0, "seconds": 0.0, "weights": {}}
    save_checkpoint(folder / "face.safetensors", {"ema": swapper}, {}, progress)
    return MappingConfig(
        train=shards,
        run=folder / "run",
        change=folder / "face.safetensors",
        identity=identity_run,
        recognizer=recognizer_path,
        pictures=8,
        batch=4,
    )


def test_it_learns_through_the_model_goes_on_alike_and_is_exported(config: MappingConfig, tmp_path: Path) -> None:
    rows: list[dict[str, float]] = []
    whole = train_mapping(config, rows.append)
    assert [row["pictures"] for row in rows] == [8] and np.isfinite(rows[0]["total"])
    part = replace(config, run=tmp_path / "part")
    train_mapping(replace(part, minutes=0.0))  # one step
    assert read_checkpoint(part.run / whole.name)[1]["pictures"] == 4
    again = read_checkpoint(train_mapping(part))[0]
    assert all(torch.equal(value, again[name]) for name, value in read_checkpoint(whole)[0].items())

    mapped = load_identity_network(whole)
    assert isinstance(mapped, MappedIdentity)
    own = load_identity_network(config.identity)
    assert isinstance(own, IdentityNetwork)
    for name, value in own.state_dict().items():
        assert torch.equal(value, mapped.network.state_dict()[name])  # frozen
    crop = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    moved = (mapped.eval()(crop) * own.eval()(crop)).sum(1)
    assert (moved < 1 - 1e-6).all() and (moved > 0.9).all()

    card = export_identity(whole, tmp_path / "identity.onnx")
    assert "mapping of both, trained on 8 pictures" in card.training and "MS-Celeb-1M" in card.data
    graph = load_graph(tmp_path / "identity.onnx", engine="cpu").run({"crop": crop.numpy()})["identity"]
    read_back = load_identity_network(tmp_path / "identity.onnx")
    assert isinstance(read_back, MappedIdentity)
    with torch.no_grad():
        np.testing.assert_allclose(graph, read_back.eval()(crop).numpy(), atol=1e-4)

    on = train_mapping(
        replace(config, run=tmp_path / "on", identity=tmp_path / "identity.onnx", learning_rate=0.0, pictures=4)
    )
    gone_on = load_identity_network(on)
    assert isinstance(gone_on, MappedIdentity)
    for name, value in read_back.mapping.state_dict().items():
        assert torch.equal(value, gone_on.mapping.state_dict()[name])  # began as the graph's
    card = export_identity(on, tmp_path / "on.onnx")
    assert card.training.count("Its own network") == 1 and card.training.endswith(
        "Then on 4 pictures through a face-change model, frozen."
    )


def test_only_the_two_networks_that_it_joins_are_taken(config: MappingConfig, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="joins the identity network and MobileFaceNet"):
        train_mapping(replace(config, run=tmp_path, recognizer=config.identity))


def test_a_grown_model_without_its_finest_level_draws_the_same_picture() -> None:
    torch.manual_seed(0)
    small = FaceChangeNetwork("tiny", 64).eval()
    target, identity = torch.rand(4, 3, 128, 128) * 2 - 1, torch.nn.functional.normalize(torch.randn(4, 512), dim=1)
    target = double_size(halve_size(target))
    with torch.no_grad():
        shrunk = shrink_swapper(grow_swapper(small, 128).eval(), target, identity)
        expected, found = (swapper(halve_size(target), identity) for swapper in (small, shrunk))
    assert torch.equal(small.attributes.encoder["32"].weight, shrunk.attributes.encoder["32"].weight)
    torch.testing.assert_close(small.attributes.from_rgb["64"].weight, shrunk.attributes.from_rgb["64"].weight)
    assert (expected - found).abs().mean() < 0.2 * expected.std()
