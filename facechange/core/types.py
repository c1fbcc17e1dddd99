"""The few values that travel between packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np  # the command line's help does without


@dataclass(frozen=True)
class Face:
    """A face found in a picture, in pixels of that picture.

    `points` are left eye, right eye, nose tip, left and right mouth corner as the viewer sees them once it stands
    upright. Where it is `doubtful` there is a face, but looks at it contradict each other about the points: too little
    to change it by.
    """

    box: tuple[float, float, float, float]  # x, y, width, height
    points: np.ndarray  # [5, 2] float32
    score: float  # 0..1
    doubtful: bool = False

    @property
    def size_px(self) -> float:
        """The longer side of the box."""
        return max(self.box[2], self.box[3])


Deed = Literal["changed", "another persona", "stronger", "blur", "mosaic", "box", "left"]
COVERED: tuple[Deed, ...] = ("blur", "mosaic", "box")


@dataclass(frozen=True)
class Outcome:
    """What was done to a face, and who it looks like in the finished picture to the networks that tell people apart.

    The cosines to the original are the identity network's and, where there is one, the second recognizer's; that to the
    source is the last's that knows the source.
    """

    face: Face
    done: Deed = "changed"
    why: str = ""  # why it was covered or left
    cosines_to_original: tuple[float, ...] = ()
    cosine_to_source: float | None = None
    like_original: bool = False  # one of the networks still takes it for the person it was
    recognisable: bool = True  # it looks more like the source than like the person it was

    @property
    def is_covered(self) -> bool:
        """Whether the face was made invisible instead of changed."""
        return self.done in COVERED


@dataclass(frozen=True)
class Changed:
    """The result of a change: a picture of the target's size, the faces changed, their control masks, and what became
    of each."""

    image: np.ndarray  # [H, W, 3] uint8 (uint16 where the target was), RGB
    faces: list[Face]
    # a list of [h, w] float32 in [0, 1] a face, coarse to fine
    masks: list[list[np.ndarray]] = field(default_factory=list)
    outcomes: tuple[Outcome, ...] = ()  # one a face, in the order of `faces`
