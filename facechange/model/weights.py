"""Weights of a face changer as a safetensors file that says which network they belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from facechange.core import ModelError
from facechange.model.face_changer import FaceChanger

KIND = "facechange face changer 1"


def save_changer(model: FaceChanger, path: Path, description: Mapping[str, str] | None = None) -> None:
    """Write the weights with their preset and size, and `description` (text only), whole or not at all."""
    metadata = {**(description or {}), "kind": KIND, "preset": model.preset, "size_px": str(model.size_px)}
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        save_file(state, unfinished, metadata)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_description(path: Path) -> dict[str, str]:
    """What `save_changer` noted: "kind", "preset", "size_px" and the description; raises `ModelError`."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
    except FileNotFoundError:
        raise ModelError(f"There are no weights at {path}.", "Check the path.") from None
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is not a readable safetensors file ({error}).", "Copy or train it again.") from None
    if metadata.get("kind") != KIND:
        raise ModelError(f"{path} does not hold the weights of a face changer.", "Give a file that training wrote.")
    return metadata


def load_changer(path: Path) -> FaceChanger:
    """The face changer of a file, on the CPU; raises `ModelError` where the file is missing, broken or of another network."""
    metadata = read_description(path)
    try:
        model = FaceChanger(metadata["preset"], int(metadata["size_px"]))
        model.load_state_dict(load_file(path))
    except (KeyError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path} does not fit this version's networks ({reason}).", "Train it again or use its version.") from None
    return model
