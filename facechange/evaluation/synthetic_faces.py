"""Faces that the model itself made, to show results on pages whose readers may not be given the pictures it was
measured on."""

from __future__ import annotations

import numpy as np

from facechange.data.labelled import LabelledFace
from facechange.evaluation.aligned_faces import AlignedFaces
from facechange.evaluation.baselines import Baseline
from facechange.evaluation.pairs import draw_pairs


class SyntheticFaces:
    """`count` crops in which the model gave one of `faces` the identity of another; they keep the target's
    landmarks."""

    def __init__(self, faces: AlignedFaces, baseline: Baseline, count: int, seed: int) -> None:
        """Draw `count` pairs of different faces from `seed`; a crop is made when it is read."""
        self._faces, self._baseline, self._pairs = faces, baseline, draw_pairs(len(faces), count, seed)
        targets = [faces[target] for _, target in self._pairs]
        self.faces = [
            LabelledFace(f"made-{number}", "", face.landmarks5, face.landmarks68, None)
            for number, face in enumerate(targets)
        ]

    def read(self, index: int) -> np.ndarray:
        """Crop `index`: uint8 [R, R, 3] RGB."""
        source, target = self._pairs[index]
        return self._baseline(self._faces[source], self._faces[target])
