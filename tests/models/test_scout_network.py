"""The scout network: shapes, gradients, size, and the exported graph against PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from facechange.models.scout import ScoutNetwork, export_scout_graph


def test_maps_have_the_strides_and_every_parameter_a_gradient() -> None:
    torch.manual_seed(0)
    network = ScoutNetwork().train()
    maps = network(torch.randn(2, 3, 64, 96))
    assert [tuple(cells.shape) for cells in maps] == [(2, 15, 8, 12), (2, 15, 4, 6), (2, 15, 2, 3)]
    assert all(cells.isfinite().all() for cells in maps)
    sum(cells.square().sum() for cells in maps).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_it_is_small_and_starts_without_faces() -> None:
    network = ScoutNetwork().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 1_000_000
    assert all(cells[:, 0].sigmoid().max() < 0.05 for cells in network(torch.randn(1, 3, 64, 64)))


@pytest.mark.parametrize(("number", "height", "width"), [(1, 64, 64), (2, 96, 160)])
def test_exported_graph_equals_pytorch_at_any_size(tmp_path: Path, number: int, height: int, width: int) -> None:
    torch.manual_seed(1)
    network = ScoutNetwork().train()
    for _ in range(3):  # normalisation statistics other than the first ones
        network(torch.randn(4, 3, 64, 64))
    export_scout_graph(network, tmp_path / "scout.onnx")
    picture = torch.randn(number, 3, height, width)
    session = onnxruntime.InferenceSession(str(tmp_path / "scout.onnx"))
    assert [output.name for output in session.get_outputs()] == ["stride_8", "stride_16", "stride_32"]
    for got, wanted in zip(session.run(None, {"picture": picture.numpy()}), network.eval()(picture), strict=True):
        np.testing.assert_allclose(got, wanted.detach().numpy(), atol=1e-3)
