"""YuNet, a face detector of others, to see whether faces are still found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facechange.core import Face
from facechange.core.errors import ModelError

LEAST_SCORE, LARGEST_OVERLAP, MOST_CLAIMS = 0.6, 0.3, 5000  # as its authors set them


class Detector:
    """Finds faces with a YuNet graph (.onnx) through OpenCV."""

    def __init__(self, path: Path) -> None:
        """Load the graph at `path`; raises `ModelError`."""
        if not path.is_file():
            raise ModelError(f"{path} is missing.", "Give the ONNX file of YuNet.")
        self.name = path.stem
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(path), "", (64, 64), LEAST_SCORE, LARGEST_OVERLAP, MOST_CLAIMS
            )
            self.detect(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            raise ModelError(f"{path} is not a graph of YuNet ({error.err}).", "Give its ONNX file.") from None

    def detect(self, picture: np.ndarray) -> list[Face]:
        """Faces in uint8 [H, W, 3] RGB."""
        self._network.setInputSize(picture.shape[1::-1])
        # [K, 15], or None where there is no face
        rows: Any = self._network.detect(np.ascontiguousarray(picture[..., ::-1]))[1]
        faces = []
        for row in () if rows is None else rows:
            x, y, width, height = map(float, row[:4])
            faces.append(Face((x, y, width, height), row[4:14].reshape(5, 2), float(row[14])))
        return faces
