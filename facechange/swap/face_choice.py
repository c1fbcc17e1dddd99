"""Which of the faces that are followed the user means, held as long as they are followed."""

from __future__ import annotations

from typing import Any

import numpy as np

from facechange.core import Face, FaceError
from facechange.faces.select import ALL, EVERY_FACE, FaceSelector, Selector, match_people, rules_by_face, select_place
from facechange.swap.swapper import Swapper
from facechange.swap.tracking import FaceTracker, Sighting


class FaceChoice:
    """Turns a selection into track numbers, frame by frame.

    A word or a number is resolved on the first frame of a shot that has such a face, and that face is meant for as long
    as it is followed; where another rule names the same face it is not clear yet who is meant, and a later frame
    decides. A picture of a person means the face that is most like it now. Raises `FaceError` and what reading those
    pictures raises.
    """

    def __init__(self, swapper: Swapper, face: FaceSelector = EVERY_FACE) -> None:
        self.selection = face
        self._references = {path: swapper.identify(path) for path in self.selection.likes}
        self._least = swapper.least_cosine
        self._places = [
            selector for rule in self.selection.rules for selector in rule if selector.like is None and selector != ALL
        ]
        self._held: dict[Selector, int] = {}
        self._met: set[str] = set()

    @property
    def asks_who(self) -> bool:
        """Whether it depends on whose faces they are; the tracker then has to identify them."""
        return bool(self._references)

    @property
    def unmet(self) -> list[str]:
        """The selectors that named nobody so far, as they were written."""
        return [text for rule in self.selection.rules for selector in rule if (text := str(selector)) not in self._met]

    def state(self) -> dict[str, Any]:
        """What the next choice depends on, as JSON can hold it."""
        return {"held": {str(selector): number for selector, number in self._held.items()}, "met": sorted(self._met)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._held = {
            selector: state["held"][str(selector)] for selector in self._places if str(selector) in state["held"]
        }
        self._met = set(state["met"])

    def choose(self, sightings: list[Sighting], tracker: FaceTracker, frame_size: tuple[int, int]) -> dict[int, int]:
        """The numbers of the faces to change in a frame of `frame_size` (width, height), and the rule that names
        each."""
        rules, numbers = self.selection.rules, [sighting.number for sighting in sightings]
        known = tracker.known()
        self._held = {selector: number for selector, number in self._held.items() if number in known}
        named = self._who(numbers, tracker) | self._held
        fresh = self._where(sightings, frame_size)
        contested = rules_by_face(rules, named | fresh, [])
        self._held |= {selector: number for selector, number in fresh.items() if len(contested[number]) == 1}
        by_face = rules_by_face(rules, named | self._held, numbers)
        self._met |= {str(selector) for selector in named | self._held} | ({str(ALL)} if numbers else set())
        if self.selection.all_but:
            return {number: 0 for number in numbers if number not in by_face}
        return {number: by_face[number][0] for number in numbers if number in by_face}

    def _who(self, numbers: list[int], tracker: FaceTracker) -> dict[Selector, int]:
        """The faces of people whose pictures are given."""
        if not self._references or not numbers:
            return {}
        identities = np.stack([tracker.identity_of(number) for number in numbers])
        cosines = {path: identities @ reference for path, reference in self._references.items()}
        return {
            selector: numbers[index]
            for selector, index in match_people(self.selection.rules, cosines, self._least).items()
        }

    def _where(self, sightings: list[Sighting], frame_size: tuple[int, int]) -> dict[Selector, int]:
        """The faces that words and numbers which hold nobody name in this frame."""
        ordered = sorted(sightings, key=lambda sighting: float(sighting.points.mean(0)[0]))
        faces, found = [_as_face(sighting) for sighting in ordered], {}
        for selector in self._places if faces else []:
            try:
                if selector not in self._held:
                    found[selector] = ordered[select_place(faces, selector, frame_size)].number
            except FaceError:  # not here yet
                continue
        return found


def _as_face(sighting: Sighting) -> Face:
    left, top = sighting.points.mean(0) - sighting.size_px / 2
    return Face((float(left), float(top), sighting.size_px, sighting.size_px), sighting.points, 1.0)
