"""Who each face that is followed becomes, decided when it is first meant and held as long as it is followed."""

from __future__ import annotations

from typing import Any

import numpy as np

from facechange.change.casting import Casting
from facechange.change.tracking import FaceTracker


class TrackCasting:
    """The identity of each track, from a `Casting`. A face of another track that is the same person's gets the same one."""

    def __init__(self, casting: Casting, tracker: FaceTracker) -> None:
        self._casting = casting
        self._tracker = tracker
        self._originals: dict[int, list[float]] = {}  # by number, where it matters whose face it is

    def note(self, number: int) -> None:
        """Remember who the face `number` is while it is in sight."""
        if self._casting.everyone is None and number not in self._originals:
            self._originals[number] = self._tracker.identity_of(number).tolist()

    def identity_of(self, number: int) -> np.ndarray:
        """The identity [512] that the face `number` gets."""
        if self._casting.everyone is not None:
            return self._casting.everyone
        return self._casting.identity_for(np.array(self._originals[number], np.float32))

    def state(self) -> dict[str, Any]:
        """What the next identities depend on, as JSON can hold it."""
        return {"met": self._casting.state(), "originals": {str(number): vector for number, vector in self._originals.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._casting.restore(state["met"])
        self._originals = {int(number): vector for number, vector in state["originals"].items()}
