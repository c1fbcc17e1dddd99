"""The few values that travel between packages."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Face:
    """A face found in a picture, in pixels of that picture.

    `points` are left eye, right eye, nose tip, left and right mouth corner as the viewer sees them once it stands upright.
    Where it is `doubtful` there is a face, but looks at it contradict each other about the points: too little to change it by.
    """

    box: tuple[float, float, float, float]  # x, y, width, height
    points: np.ndarray  # [5, 2] float32
    score: float  # 0..1
    doubtful: bool = False

    @property
    def size_px(self) -> float:
        """The longer side of the box."""
        return max(self.box[2], self.box[3])


@dataclass(frozen=True)
class Changed:
    """The result of a change: a picture of the target's size, the faces changed, their control masks."""

    image: np.ndarray  # [H, W, 3] uint8 (uint16 where the target was), RGB
    faces: list[Face]
    masks: list[list[np.ndarray]] = field(default_factory=list)  # a list of [h, w] float32 in [0, 1] a face, coarse to fine
