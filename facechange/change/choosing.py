"""Which of the faces that are followed the user means, held as long as they are followed."""

from __future__ import annotations

from typing import Any

import numpy as np

from facechange.change.tracking import FaceTracker, Sighting
from facechange.core import Face, FaceError
from facechange.faces.select import select_faces


class FaceChoice:
    """Turns a selector into track numbers, frame by frame.

    A word or a number is resolved on the first frame of a shot that has such a face, and that face is meant for as long as
    it is followed. With a `reference` identity [512] the face most like it is meant, if its cosine is `least` or more.
    """

    def __init__(self, selector: str, reference: np.ndarray | None, least: float) -> None:
        self._selector = selector
        self._reference = reference
        self._least = least
        self._held: int | None = None
        if reference is None:
            select_faces([Face((0, 0, 1, 1), np.zeros((5, 2)), 1.0)] * 999, selector, (1, 1))  # refuses an unknown word now

    def state(self) -> dict[str, Any]:
        """What the next choice depends on, as JSON can hold it."""
        return {"held": self._held}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._held = state["held"]

    def choose(self, sightings: list[Sighting], tracker: FaceTracker, frame_size: tuple[int, int]) -> frozenset[int]:
        """The numbers of the faces to change in a frame of `frame_size` (width, height)."""
        if self._reference is not None:
            likeness = {sighting.number: float(tracker.identity_of(sighting.number) @ self._reference) for sighting in sightings}
            best = max(likeness, key=lambda number: likeness[number], default=None)
            return frozenset() if best is None or likeness[best] < self._least else frozenset({best})
        if self._selector.strip().lower() == "all":
            return frozenset(sighting.number for sighting in sightings)
        if self._held not in tracker.known():
            self._held = self._resolve(sightings, frame_size)
        return frozenset() if self._held is None else frozenset({self._held})

    def _resolve(self, sightings: list[Sighting], frame_size: tuple[int, int]) -> int | None:
        faces = [_as_face(sighting) for sighting in sightings]
        try:
            chosen = select_faces(faces, self._selector, frame_size)[0]
        except FaceError:  # not here yet
            return None
        return sightings[next(index for index, face in enumerate(faces) if face is chosen)].number


def _as_face(sighting: Sighting) -> Face:
    left, top = sighting.points.mean(0) - sighting.size_px / 2
    return Face((float(left), float(top), sighting.size_px, sighting.size_px), sighting.points, 1.0)
