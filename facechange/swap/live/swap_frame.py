"""Change one frame after another at once: what is not known yet cannot be waited for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from facechange.core import Face
from facechange.faces.paste_back import Keep
from facechange.faces.select import EVERY_FACE, FaceSelector
from facechange.faces.tint import TintMemory
from facechange.faces.turn import share_followed
from facechange.swap.assignment import IdentityAssignment, TrackAssignment
from facechange.swap.face_choice import FaceChoice
from facechange.swap.live.one_euro import OneEuroFilter
from facechange.swap.swapper import Place, Swapper
from facechange.swap.tracking import FaceTracker, Sighting, face_at

FADE_IN_FRAMES = 3  # a detection that comes and goes with a frame hardly shows


@dataclass
class _Seen:
    frames: int = 0
    one_euro: OneEuroFilter = field(default_factory=OneEuroFilter)


class LiveSwapper:
    """Gives the chosen faces of frames that come one by one the identities that `assignment` has for them."""

    def __init__(
        self, swapper: Swapper, assignment: IdentityAssignment, face: FaceSelector = EVERY_FACE, keep: Keep = "mask"
    ) -> None:
        self._swapper = swapper
        self._keep = keep
        self._choice = FaceChoice(swapper, face)
        by_sight = not self._choice.asks_who and assignment.everyone is not None
        self._tracker = FaceTracker(
            swapper, None if by_sight else lambda image, found: swapper.identify(image, face=found)
        )
        self._assignment = TrackAssignment(assignment, self._tracker)
        self._seen: dict[int, _Seen] = {}
        self._tints = TintMemory()
        self._baked = None if assignment.everyone is None else swapper.bake(assignment.everyone)
        first = self._baked or np.zeros(512, np.float32)
        size = swapper.size_px
        swapper.change_crops(np.zeros((1, size, size, 3), np.uint8), first)  # engines take their time for the first

    def step(self, rgb: np.ndarray, time_s: float) -> list[Face]:
        """Change the faces of `rgb` [H, W, 3] uint8, the frame of `time_s`, in place; returns them."""
        cut, sightings = self._tracker.step(rgb)
        if cut:
            self._seen.clear()
            self._tints = TintMemory()
        self._seen = {number: seen for number, seen in self._seen.items() if number in self._tracker.known()}
        meant = self._choice.choose(sightings, self._tracker, (rgb.shape[1], rgb.shape[0]))
        chosen = [sighting for sighting in sightings if sighting.number in meant]
        if not chosen:
            return []
        for number, rule in meant.items():
            self._assignment.note(number, rule)
        identities = np.stack([self._assignment.identity_of(sighting.number) for sighting in chosen])
        points = [self._steady(sighting, time_s) for sighting in chosen]

        def adjust(index: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
            number = chosen[index].number
            opacity = min(self._seen[number].frames / FADE_IN_FRAMES, 1.0) * share_followed(points[index])
            return before + np.float32(opacity) * (self._tints.keep(number, before, after) - before)

        self._swapper.swap_crops(
            [Place(rgb, each) for each in points], self._baked or identities, adjust, keep=self._keep
        )
        return [face_at(each) for each in points if share_followed(each) > 0]

    def _steady(self, sighting: Sighting, time_s: float) -> np.ndarray:
        seen = self._seen.setdefault(sighting.number, _Seen())
        seen.frames += 1
        return seen.one_euro.step(sighting.points, sighting.size_px, time_s)
