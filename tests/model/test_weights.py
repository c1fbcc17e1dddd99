"""Weights come back as they were, or a sentence says why not."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from facechange.core import ModelError
from facechange.model.face_changer import FaceChanger
from facechange.model.weights import load_changer, read_description, save_changer


def test_weights_come_back_with_their_description(tmp_path: Path) -> None:
    model = FaceChanger("tiny", 64)
    model.to(memory_format=torch.channels_last)
    path = tmp_path / "weights.safetensors"
    save_changer(model, path, {"pictures": "12"})
    loaded = load_changer(path)
    assert (loaded.preset, loaded.size_px) == ("tiny", 64)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())
    assert read_description(path)["pictures"] == "12"
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"]


def test_missing_broken_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights"):
        load_changer(tmp_path / "nothing.safetensors")
    broken = tmp_path / "broken.safetensors"
    save_changer(FaceChanger("tiny", 64), broken)
    broken.write_bytes(broken.read_bytes()[:5000])
    with pytest.raises(ModelError, match="not a readable"):
        load_changer(broken)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    with pytest.raises(ModelError, match="does not hold"):
        load_changer(foreign)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    model = FaceChanger("tiny", 64)
    model.size_px = 128
    save_changer(model, tmp_path / "wrong.safetensors")
    with pytest.raises(ModelError, match="does not fit"):
        load_changer(tmp_path / "wrong.safetensors")
