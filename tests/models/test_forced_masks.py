"""Forced masks: the rewritten graph computes what the networks would with such masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facechange.core import ModelCard, ModelError, hash_file
from facechange.models.export import export_swapper
from facechange.models.face_change import FaceChangeNetwork, MaskedInjection
from facechange.models.forced_masks import force_masks
from facechange.runtime import load_graph


def save(model: FaceChangeNetwork, path: Path) -> Path:
    export_swapper(model, path)
    texts = dict.fromkeys(("summary", "licence", "normalisation", "template", "data", "training", "limits"), "test")
    metadata = {"size_px": model.size_px, "parameters": 0, "inputs": {}, "outputs": {}, "metrics": {"old": {}}}
    ModelCard("test", "change", "0", sha256=hash_file(path), **metadata, **texts).save(path.with_suffix(".json"))
    return path


@pytest.mark.parametrize("value", [0, 1])
def test_the_result_is_that_of_masks_at_their_limit(value: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = FaceChangeNetwork("tiny", 64)
    path = save(model, tmp_path / "free.onnx")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, MaskedInjection):
                module.bias.fill_(200 * value - 100)  # the sigmoid is then 0 or 1 in float32
    target = np.random.default_rng(0).uniform(-1, 1, (2, 3, 64, 64)).astype(np.float32)
    inputs = {"target": target, "identity": np.eye(2, 512, dtype=np.float32)}
    forced = load_graph(force_masks(path, value, tmp_path), 1, "cpu").run(inputs)
    wanted = model.eval()(torch.from_numpy(inputs["target"]), torch.from_numpy(inputs["identity"])).detach().numpy()
    assert np.abs(forced["changed"] - wanted).max() < 1e-4
    assert all((forced[name] == value).all() for name in forced if name.startswith("mask_"))
    free = load_graph(path, 1, "cpu").run(inputs, ["changed"])["changed"]
    assert np.abs(forced["changed"] - free).max() > 1e-3


def test_masks_that_steer_nothing_are_said(change_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not compute its result from its mask outputs"):
        force_masks(change_path, 0, tmp_path)
