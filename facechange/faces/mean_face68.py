"""The mean face in 3-D behind 68 landmarks."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import numpy as np

RIGID_POINTS = [*range(27, 36), 36, 39, 42, 45]  # nose and eye corners: expression hardly moves them


@cache
def read_mean_face() -> tuple[np.ndarray, np.ndarray]:
    """The mean face [68, 3] (see `evaluation.factor_faces`) and the standard deviations [4] of `measure_openings` among faces."""
    stored = tomllib.loads((files("facechange") / "faces" / "mean_face68.toml").read_text(encoding="utf-8"))
    return np.array(stored["points"]), np.array(stored["opening_deviations"])
