"""How far a face is turned from the viewer, as its five points tell, and where that is further than a change can
follow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np

from facechange.core import Face, FaceError
from facechange.faces.mean_face68 import read_mean_face

# Degrees. Of 12 faces each of generated people, with YuNet's points and the 256² model, the changed one was nearer to
# the source than to the target by the identity network for 10 up to 5 degrees, 8 from 20 to 30, 7 from 30 to 35, 3 from
# 35 to 40 and 1 from 40 to 45. From about 40 on a second nose shows beside the face, or its outline smears into what is
# behind it.
FOLLOWED, BEYOND = 32.0, 40.0
Beyond = Literal["left", "faded", "covered"]  # what becomes of a face that is turned so far


def turn_of(points: np.ndarray) -> float:
    """Degrees between where a face looks and the viewer, of its five `points` [5, 2] px: 0 from the front, 90 in
    profile.

    It is the nearest view of the mean face in 3-D, without perspective; how far the head leans to a shoulder is no part
    of it. Points that no face can have, such as exchanged eyes, are seen from behind: more than 90.
    """
    mean = _mean_points()
    own = np.asarray(points, np.float64)
    # [2, 3]: the mean face to the picture
    view = np.linalg.lstsq(mean - mean.mean(0), own - own.mean(0), rcond=None)[0].T
    left, _, right = np.linalg.svd(view, full_matrices=False)
    across, down = left @ right  # the nearest view that only turns: the picture's axes as the face has them
    return float(np.degrees(np.arccos(np.clip(np.cross(across, down)[2], -1, 1))))


def is_beyond(face: Face) -> bool:
    """Whether a face is turned further than a change can follow: it would be smeared."""
    return turn_of(face.points) >= BEYOND


def check_followed(faces: Sequence[Face]) -> None:
    """Raise `FaceError` where a change can follow none of `faces`."""
    if faces and all(map(is_beyond, faces)):
        degrees = min(turn_of(face.points) for face in faces)
        raise FaceError(
            f"The face is turned too far from the viewer, by {degrees:.0f} degrees: from {BEYOND:.0f} on a change would smear it.",
            "Use a picture that shows more of the face, or cover it with --beyond covered.",
        )


def share_followed(points: np.ndarray) -> float:
    """How much of a change a face with the `points` [5, 2] can take: 1 up to `FOLLOWED` degrees, 0 from `BEYOND`,
    between them smoothly."""
    share = min(max((turn_of(points) - FOLLOWED) / (BEYOND - FOLLOWED), 0.0), 1.0)
    return 1 - share * share * (3 - 2 * share)


@cache
def _mean_points() -> np.ndarray:
    """The five points [5, 3] of the mean face."""
    face = read_mean_face()[0]
    return np.stack([face[36:42].mean(0), face[42:48].mean(0), face[30], face[48], face[54]])
