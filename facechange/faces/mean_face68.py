"""The 68 landmarks of 300-W: their mean face in 3-D, and which of them are rigid or each other's mirror images."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from facechange.core.stored import parse_toml

RIGID_POINTS = [*range(27, 36), 36, 39, 42, 45]  # nose and eye corners: expression hardly moves them
# Where a picture is mirrored, point i is found where point MIRRORED[i] was.
_OUTLINE_AND_BROWS = [*range(16, -1, -1), *range(26, 16, -1)]
_NOSE_AND_EYES = [*range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
_MOUTH = [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
MIRRORED = [*_OUTLINE_AND_BROWS, *_NOSE_AND_EYES, *_MOUTH]


@cache
def read_mean_face() -> tuple[np.ndarray, np.ndarray]:
    """The mean face [68, 3] (see `evaluation.factor_faces`) and the standard deviations [4] of `measure_openings` among
    faces."""
    stored = parse_toml((files("facechange") / "faces" / "mean_face68.toml").read_text(encoding="utf-8"))
    return np.array(stored["points"]), np.array(stored["opening_deviations"])
