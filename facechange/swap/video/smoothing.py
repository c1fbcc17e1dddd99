"""Where each face is changed in each frame, and how much: steady, bridged over short gaps, faded out where a face goes.

Places are made steady without lag. A recording can be looked at ahead, so no filter has to trail behind the movement,
as a causal one must: a local quadratic goes through what came before and what comes after. Where a face departs further
from it than a detector errs, that is a real movement and is believed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from facechange.core.stored import build
from facechange.faces.turn import BEYOND, Beyond, share_followed, turn_of
from facechange.images.picture import to_uint8
from facechange.swap.assignment import TrackAssignment
from facechange.swap.face_choice import FaceChoice
from facechange.swap.swapper import MINIMUM_FACE_PX
from facechange.swap.tracking import FaceTracker, Sighting, TrackerState
from facechange.swap.video.fill_gaps import FILLED_FRAMES, Trails, cut_patch, find_patch
from facechange.swap.video.frames import SourceFrame

REACH_FRAMES = 4  # how far before and after a frame is looked for a steady place
CONFIRMING_SIGHTINGS = 3  # within reach, before a face is believed
FADE_FRAMES = 4  # over which the change goes before a face does
# of the size: departures up to the first are the detector's, from the second on the face's
_ERROR, _MOVEMENT = 0.015, 0.04


@dataclass(frozen=True, eq=False)
class Placement:
    """One face to change in one frame."""

    number: int
    points: np.ndarray  # [5, 2] px
    opacity: float  # 0..1
    identity: np.ndarray  # [512], the new one
    original: np.ndarray | None = None  # [512], who it is, where that matters
    doubtful: bool = False  # where the points are, or too small or too far turned to be changed
    covered: bool = False  # in this frame, instead of changed


@dataclass(frozen=True, eq=False)
class PlacedFrame:
    """A frame and what is to be changed in it."""

    frame: SourceFrame
    cut: bool
    placements: list[Placement]
    state: dict[str, Any] | None  # to go on after this frame; only where a segment ends


@dataclass(frozen=True, eq=False)
class _Observed:
    index: int
    time_s: float
    cut: bool
    sightings: list[Sighting]  # of the faces that are meant


class Placer:
    """Places the faces of frames that come in order; frames are held back for as long as their place depends on later
    ones.

    Where `segment_frames` divides the number of frames done, the state after a frame is kept with it. Where the
    assignment hides who people are, a face is changed wherever it was seen, and wholly; otherwise `beyond` says what
    becomes of one that is turned too far.
    """

    def __init__(
        self,
        tracker: FaceTracker,
        choice: FaceChoice,
        assignment: TrackAssignment,
        time_base: Fraction,
        segment_frames: int,
        beyond: Beyond = "faded",
    ) -> None:
        self._tracker = tracker
        self._choice = choice
        self._assignment = assignment
        self._time_base = time_base
        self._segment_frames = segment_frames
        self._beyond = beyond
        self._trails = Trails()
        self._held_frames = FILLED_FRAMES if assignment.hides else REACH_FRAMES
        self._seen: deque[_Observed] = deque(maxlen=REACH_FRAMES + self._held_frames + 1)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the `state` of a frame."""
        self._tracker.restore(build(TrackerState, state["tracker"]))
        self._choice.restore(state["choice"])
        self._assignment.restore(state["assignment"])
        self._trails.restore(state["trails"])
        self._seen.extend(_from_json(observed) for observed in state["seen"])

    def place(self, frames: Iterator[SourceFrame]) -> Generator[PlacedFrame, None, None]:
        """`frames` with the faces to change."""
        held: deque[tuple[SourceFrame, _Observed, dict[str, Any] | None]] = deque()
        for frame in frames:
            observed = self._observe(frame)
            if self._assignment.hides:
                before = self._seen[-1] if self._seen else None
                _fill_back(frame, observed, before, [(earlier, seen) for earlier, seen, _ in held])
            self._seen.append(observed)
            held.append((frame, observed, self._state() if (frame.index + 1) % self._segment_frames == 0 else None))
            if len(held) > self._held_frames:
                yield self._place(*held.popleft(), ends=False)
        while held:
            yield self._place(*held.popleft(), ends=True)

    def _observe(self, frame: SourceFrame) -> _Observed:
        cut, sightings = self._tracker.step(to_uint8(frame.rgb))
        meant = self._choice.choose(sightings, self._tracker, (frame.rgb.shape[1], frame.rgb.shape[0]))
        for number, rule in meant.items():
            self._assignment.note(number, rule)
        time_s = float(frame.pts * self._time_base)
        found = [sighting for sighting in sightings if sighting.number in meant]
        if self._assignment.hides:
            found = self._trails.step(to_uint8(frame.rgb), cut, found)
        return _Observed(frame.index, time_s, cut, found)

    def _state(self) -> dict[str, Any]:
        parts = {"choice": self._choice.state(), "assignment": self._assignment.state(), "trails": self._trails.state()}
        return {"tracker": asdict(self._tracker.state()), **parts}

    def _place(self, frame: SourceFrame, here: _Observed, state: dict[str, Any] | None, ends: bool) -> PlacedFrame:
        near = [seen for seen in self._seen if abs(seen.index - here.index) <= REACH_FRAMES]
        begins = max((seen.index for seen in near if seen.cut and seen.index <= here.index), default=0)
        stops = min((seen.index for seen in near if seen.cut and seen.index > here.index), default=None)
        shot = [seen for seen in near if seen.index >= begins and (stops is None or seen.index < stops)]
        placements = []
        for number in sorted({sighting.number for seen in shot for sighting in seen.sightings}):
            placed = _place_face(
                number, here, shot, self._assignment.hides, self._beyond, shot_goes_on=stops is None and not ends
            )
            if placed is not None:
                size_px = max(
                    sighting.size_px for seen in shot for sighting in seen.sightings if sighting.number == number
                )
                doubtful = any(
                    sighting.doubtful for seen in shot for sighting in seen.sightings if sighting.number == number
                )
                turned = turn_of(placed[0]) >= BEYOND
                hopeless = doubtful or size_px < MINIMUM_FACE_PX or turned
                # who is hidden, the watch covers
                covered = turned and self._beyond == "covered" and not self._assignment.hides
                identity, original = self._assignment.identity_of(number), self._assignment.original_of(number)
                placements.append(Placement(number, *placed, identity, original, hopeless, covered))
        if state is not None:  # only now: later frames may have told where a face was in these
            state = {
                **state,
                "seen": [_to_json(seen) for seen in self._seen if here.index - REACH_FRAMES < seen.index <= here.index],
            }
        return PlacedFrame(frame, here.cut, placements, state)


def _fill_back(
    frame: SourceFrame, here: _Observed, before: _Observed | None, held: list[tuple[SourceFrame, _Observed]]
) -> None:
    """Add to frames that are still `held` the faces that were found in `frame` and were there before, unfound."""
    known = set() if before is None else {sighting.number for sighting in before.sightings}
    for first in [sighting for sighting in here.sightings if sighting.number not in known and not here.cut]:
        last, image = first, to_uint8(frame.rgb)
        for earlier, seen in reversed(held):
            if any(sighting.number == first.number for sighting in seen.sightings):
                break
            found = find_patch(to_uint8(earlier.rgb), cut_patch(image, last), last)
            if found is None:
                break
            seen.sightings.append(found)
            if seen.cut:
                break
            last, image = found, to_uint8(earlier.rgb)


def _place_face(
    number: int, here: _Observed, shot: list[_Observed], hides: bool, beyond: Beyond, shot_goes_on: bool
) -> tuple[np.ndarray, float] | None:
    """Points [5, 2] and opacity of the face `number` in the frame `here`, of which `shot` are the neighbours.

    None where it is not, or not for sure; where a change `hides` the face, one sighting is enough and nothing fades.
    """
    found = [(seen, sighting) for seen in shot for sighting in seen.sightings if sighting.number == number]
    seen_at = [seen.index for seen, _ in found]
    confirming = 1 if hides else min(CONFIRMING_SIGHTINGS, len(shot))
    if len(found) < confirming or not min(seen_at) <= here.index <= max(seen_at):
        return None
    times = np.array([seen.time_s for seen, _ in found])
    values = np.stack([sighting.points.ravel() for _, sighting in found]).astype(np.float64)  # [N, 10]
    size = float(np.mean([sighting.size_px for _, sighting in found]))
    reach = 1.25 * max((abs(seen.time_s - here.time_s) for seen in shot), default=0.0)
    points = smooth_at(times, values, here.time_s, reach, size).reshape(5, 2)
    if hides:
        return points, 1.0
    opacity = share_followed(points) if beyond == "faded" else float(beyond == "covered" or turn_of(points) < BEYOND)
    last = max(seen_at)
    if shot_goes_on or last < shot[-1].index:
        left = last - here.index + 1  # frames, this one among them; as many as can be seen ahead mean that it stays
        opacity *= min(left / (FADE_FRAMES + 1), 1.0)
    return (points, float(opacity)) if opacity > 0 else None


def smooth_at(times: np.ndarray, values: np.ndarray, at: float, reach: float, size: float) -> np.ndarray:
    """The value [D] at time `at` (s) of `values` [N, D] seen at `times` [N], which need not have one at `at`.

    `reach` (s) is how far away a value still counts, `size` the length that departures are measured by.
    """
    away = (times - at) / max(reach, 1e-9)
    weights = np.clip(1 - np.abs(away) ** 3, 1e-3, None) ** 3
    degree = 2 if (away < 0).sum() >= 2 and (away > 0).sum() >= 2 else min(1, len(times) - 1)
    powers = away[:, None] ** np.arange(degree + 1)  # [N, degree + 1]
    root = np.sqrt(weights)[:, None]
    curve = np.linalg.lstsq(powers * root, values * root, rcond=None)[0][0]
    here = np.flatnonzero(times == at)
    if not here.size:
        return curve
    departure = values[here[0]] - curve
    share = np.clip((np.sqrt(np.mean(departure**2)) / max(size, 1e-9) - _ERROR) / (_MOVEMENT - _ERROR), 0, 1)
    return curve + share * departure


def _to_json(observed: _Observed) -> dict[str, Any]:
    sightings = [
        [sighting.number, sighting.points.tolist(), sighting.size_px, sighting.doubtful]
        for sighting in observed.sightings
    ]
    return {"index": observed.index, "time_s": observed.time_s, "cut": observed.cut, "sightings": sightings}


def _from_json(stored: dict[str, Any]) -> _Observed:
    sightings = [Sighting(number, np.array(points), *rest) for number, points, *rest in stored["sightings"]]
    return _Observed(stored["index"], stored["time_s"], stored["cut"], sightings)
