"""Evaluators of identity: face recognizers of others, here any ONNX graph from an aligned 112² crop to one vector."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facechange.core.errors import ModelError
from facechange.faces.align import warp_crop
from facechange.faces.geometry import identity_crop_matrix

# Mean and standard deviation of RGB in 0..255 that an evaluator was trained with.
NORMALISATIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "symmetric": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),  # ArcFace's own networks
}


class Evaluator(Protocol):
    """Says whom a face shows: `Recognizer`, `DlibEvaluator`."""

    @property
    def name(self) -> str:
        """What ends the names of its metrics."""
        ...

    def crop(self, picture: np.ndarray, landmarks5: np.ndarray, landmarks68: np.ndarray) -> np.ndarray:
        """What it reads, uint8 [S, S, 3], of the face with these landmarks in a uint8 [H, W, 3] picture."""
        ...

    def recognise(self, crops: np.ndarray) -> np.ndarray:
        """L2-normalised vectors [N, D] of such crops [N, S, S, 3]."""
        ...


class OnnxEvaluator:
    """An evaluator that took no part in training the model that it measures, or the recognizer that a network was
    distilled from."""

    def __init__(self, path: Path, normalisation: str = "imagenet") -> None:
        """Load the graph at `path`, which takes float32 [N, 3, 112, 112] and gives [N, D] first; raises
        `ModelError`."""
        if normalisation not in NORMALISATIONS:
            raise ModelError(
                f"No normalisation is called {normalisation!r}.", f"Choose one of {', '.join(NORMALISATIONS)}."
            )
        self._mean, self._deviation = (np.array(values, np.float32) for values in NORMALISATIONS[normalisation])
        self._session = open_evaluator(path, "a face recognizer")
        self._input = self._session.get_inputs()[0].name
        self.name = path.stem

    def crop(self, picture: np.ndarray, landmarks5: np.ndarray, landmarks68: np.ndarray) -> np.ndarray:
        """The face in ArcFace's alignment by its `landmarks5` [5, 2]: uint8 [112, 112, 3]."""
        return warp_crop(picture, identity_crop_matrix(landmarks5), 112)

    def recognise(self, crops: np.ndarray) -> np.ndarray:
        """L2-normalised vectors [N, D] of uint8 [N, 112, 112, 3] crops (`identity_crop_matrix`)."""
        normalised = (crops.astype(np.float32) - self._mean) / self._deviation
        # One by one: on a processor a batch is no quicker, and graphs exported for one crop serve as well.
        vectors = [
            self._session.run(None, {self._input: crop.transpose(2, 0, 1)[None].copy()})[0] for crop in normalised
        ]
        stacked = np.concatenate(vectors).reshape(len(crops), -1).astype(np.float64)
        return stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)


def open_evaluator(path: Path, what: str) -> Any:
    """An ONNX Runtime session of a graph without a card, which is `what` in messages; raises `ModelError`.

    Open evaluators before any other graph: published landmark networks hold denormal weights, which make them twenty
    times slower, and ONNX Runtime lets only the first session of a process say that the calling thread shall take them
    for 0.
    """
    import onnxruntime

    if not path.is_file():
        raise ModelError(f"{path} is missing.", f"Give the ONNX file of {what}.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; they come back as exceptions
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other networks run in between
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own types derive from Exception only
        raise ModelError(f"{path} is not a graph that ONNX Runtime can load ({error}).", "Give an ONNX file.") from None
