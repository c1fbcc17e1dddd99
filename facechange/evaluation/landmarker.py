"""Landmark networks of others, to see how a changed face is turned and what it expresses."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from facechange.core.errors import ModelError
from facechange.evaluation.recognition import open_evaluator
from facechange.faces.align import warp_crop

# The square that such networks read, in the change crop: the longer side of a face detector's box, grown by a tenth.
BOX_SIDE, BOX_CENTRE = 0.84, (0.5, 0.553)  # parts of the crop's side; measured with YuNet on 3,879 faces


class PoseEvaluator(Protocol):
    """Says where the landmarks of a face lie: `Landmarker`, `DlibLandmarker`."""

    @property
    def name(self) -> str:
        """What ends the names of its metrics."""
        ...

    def find(self, crops: np.ndarray) -> np.ndarray:
        """Landmarks [N, 68, 2] in pixels of uint8 change crops [N, R, R, 3]."""
        ...


class Landmarker:
    """68 landmarks in 300-W order by an ONNX graph, float32 [N, 3, S, S] RGB in [0, 1] to [N, 136] in parts of that
    square."""

    def __init__(self, path: Path) -> None:
        """Load the graph at `path`; raises `ModelError`."""
        self._session = open_evaluator(path, "a network of 68 face landmarks")
        graph_input = self._session.get_inputs()[0]
        self._input = graph_input.name
        self._side = graph_input.shape[-1] if isinstance(graph_input.shape[-1], int) else 112
        self.name = path.stem

    def find(self, crops: np.ndarray) -> np.ndarray:
        """Landmarks [N, 68, 2] in pixels of uint8 change crops [N, R, R, 3]; raises `ModelError` where the graph does
        not fit."""
        size = crops.shape[1]
        scale = self._side / (BOX_SIDE * size)
        shift = [(self._side - 1) / 2 - scale * (part * size - 0.5) for part in BOX_CENTRE]
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        found = []
        for crop in crops:
            # [1, 3, S, S]
            square = warp_crop(crop, matrix, self._side).transpose(2, 0, 1)[None].astype(np.float32) / 255
            found.append(self._session.run(None, {self._input: square})[0].ravel())
            if found[-1].size != 136:
                raise ModelError(
                    f"{self.name} does not give 68 landmarks.", "Give a network that answers with 136 numbers a face."
                )
        return (np.reshape(found, (-1, 68, 2)).astype(np.float64) * self._side - 0.5 - matrix[:, 2]) / scale
