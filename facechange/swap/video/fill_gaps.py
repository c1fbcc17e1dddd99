"""Where a face is in frames in which it was not found: before its first sighting, after its last one and in between.

A face is there before a look finds it. From a frame in which it was found its picture is looked for in the next one,
and so on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from facechange.swap.tracking import Sighting

FILLED_FRAMES = 10  # how far from a sighting a face is followed by its picture
_FACE_PX = 32  # side of the face in the patch that is looked for
_REACH = 1.1  # of the face's size: how far from its place it is looked for
_ALIKE = 0.6  # normalised correlation from which the patch is found
_LEAST_CONTRAST = 0.3  # of the patch's own: nothing is found in what is plain

Patch = np.ndarray  # uint8 [_FACE_PX, _FACE_PX]


def cut_patch(image: np.ndarray, sighting: Sighting) -> Patch:
    """The face in `image` [H, W, 3] uint8, small and grey."""
    return _cut(image, sighting.points.mean(0), sighting.size_px, 0.5)


def find_patch(image: np.ndarray, patch: Patch, last: Sighting) -> Sighting | None:
    """Where the face of `patch`, `last` seen in a frame beside it, is in `image` [H, W, 3] uint8; None where it is
    not."""
    centre = last.points.mean(0)
    search = _cut(image, centre, last.size_px, 0.5 + _REACH)
    scores = cv2.matchTemplate(search, patch, cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(int(np.argmax(scores)), scores.shape)
    found = search[row : row + len(patch), column : column + len(patch)]
    if scores[row, column] < _ALIKE or found.std() < _LEAST_CONTRAST * patch.std():
        return None
    shift = (np.array([column, row]) - (len(search) - len(patch)) / 2) * last.size_px / _FACE_PX
    inside = (centre + shift >= 0).all() and (centre + shift < image.shape[1::-1]).all()
    return Sighting(last.number, last.points + shift, last.size_px) if inside else None


def _cut(image: np.ndarray, centre: np.ndarray, size_px: float, half: float) -> np.ndarray:
    """`half` the face's size around `centre`, at `_FACE_PX` for the whole face: uint8 [side, side]."""
    side = round(2 * half * _FACE_PX)
    scale = _FACE_PX / max(size_px, 1e-6)
    shrink = max(int(1 / scale), 1)
    matrix = np.array([[scale * shrink, 0, 0], [0, scale * shrink, 0]])
    matrix[:, 2] = (side * shrink - 1) / 2 - scale * shrink * centre
    window = cv2.warpAffine(
        image, matrix, (side * shrink, side * shrink), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.cvtColor(cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


class Trails:
    """Follows faces that were lost a while longer. Its `state` can be stored, and `restore`d to go on from there."""

    def __init__(self) -> None:
        # by number: where, what it looked like, frames since it was found
        self._trails: dict[int, tuple[Sighting, Patch, int]] = {}

    def step(self, image: np.ndarray, cut: bool, sightings: Iterable[Sighting]) -> list[Sighting]:
        """`sightings` in `image`, the next frame, and with them the faces that were lost and are still to be seen."""
        found = {sighting.number: sighting for sighting in sightings}
        trails = {number: (sighting, cut_patch(image, sighting), 0) for number, sighting in found.items()}
        for number, (last, patch, since) in self._trails.items():
            if number in found or cut or since >= FILLED_FRAMES:
                continue
            here = find_patch(image, patch, last)
            if here is not None:
                found[number], trails[number] = here, (here, cut_patch(image, here), since + 1)
        self._trails = trails
        return list(found.values())

    def state(self) -> list[Any]:
        """What the next step depends on, as JSON can hold it."""
        return [
            [s.number, s.points.tolist(), s.size_px, patch.tolist(), since] for s, patch, since in self._trails.values()
        ]

    def restore(self, state: list[Any]) -> None:
        """Go on from a `state`."""
        self._trails = {
            number: (Sighting(number, np.array(points), size_px), np.array(patch, np.uint8), since)
            for number, points, size_px, patch, since in state
        }
