"""Is an anonymised face still a face to those who look for faces?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facechange.core import Face


def found_crop(claims: Sequence[Face], landmarks68: np.ndarray) -> bool:
    """Whether one of the faces claimed in a crop has its middle among the target's `landmarks68` [68, 2] (in their upright box)."""
    low, high = landmarks68.min(0), landmarks68.max(0)
    middles = [np.array(face.box[:2]) + np.array(face.box[2:]) / 2 for face in claims]
    return any(bool((low <= middle).all() and (middle <= high).all()) for middle in middles)
