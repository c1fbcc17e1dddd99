"""Looks at the changed faces of a video as they are made, so that what is said of them is true; decides what is
covered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from facechange.core import Deed, Face, Outcome
from facechange.faces.cover import Cover
from facechange.swap.anonymize import ATTEMPTS, DOUBTFUL, STILL_ALIKE, Fallback
from facechange.swap.assignment import IdentityAssignment
from facechange.swap.swapper import STRENGTH_RANGE, Swapper, blend_identities
from facechange.swap.tracking import face_at

LOOK_EVERY = 24  # frames, at somebody who is to become somebody, not to be hidden


@dataclass
class _Watched:
    """What is known of a face that is followed."""

    number: int
    first_frame: int
    last_frame: int
    box: list[float]
    done: Deed = "changed"
    why: str = ""
    settled: bool = False  # frames of it are finished, so that it keeps its persona
    tried: list[list[float]] = field(default_factory=list)  # biometric
    cosines: list[float] = field(default_factory=list)  # the most alike so far, to the original
    to_source: float | None = None  # at the last look
    looks: int = 0
    recognisable: int = 0  # looks at which it was nearer to the source
    next_look: int = 0


@dataclass(frozen=True)
class Look:
    """A face in a finished frame, and the same frame before."""

    number: int
    index: int  # of the frame
    face: Face
    identity: np.ndarray  # [512], the one it was to get
    before: np.ndarray  # uint8 [H, W, 3]
    after: np.ndarray


class Watch:
    """Knows what became of each face that is followed; where `assignment` hides people, also what is to become of it.

    A face that is still like the original at its first look gets another persona and then a stronger change; one that
    is so later, or still, is covered from the frames of that look on for as long as it is followed.
    """

    def __init__(self, swapper: Swapper, assignment: IdentityAssignment, fallback: Fallback = "blur") -> None:
        self._swapper, self._assignment, self._fallback = swapper, assignment, fallback
        self._faces: dict[int, _Watched] = {}

    @property
    def hides(self) -> bool:
        """Whether people are to be hidden."""
        return self._assignment.hides

    def state(self) -> list[dict[str, Any]]:
        """What the next decisions depend on, as JSON can hold it; biometric."""
        return [asdict(face) for face in self._faces.values()]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a `state`."""
        self._faces = {face["number"]: _Watched(**face) for face in state}

    def note(self, number: int, index: int, face: Face, doubtful: bool) -> None:
        """A face is about to be changed in the frame `index`."""
        watched = self._faces.setdefault(number, _Watched(number, index, index, list(map(float, face.box))))
        watched.last_frame = max(index, watched.last_frame)
        if doubtful and self.hides and not watched.why:
            watched.done, watched.why = self._last_resort(), DOUBTFUL

    def identity(self, number: int, given: np.ndarray) -> np.ndarray:
        """The identity [512] that a face gets instead of the one `given`, or that one."""
        tried = self._faces[number].tried if number in self._faces else ()
        return np.array(tried[-1], np.float32) if tried else given

    def cover(self, number: int) -> Cover | None:
        """How a face is covered; None where it is changed or left."""
        done = self._faces[number].done if number in self._faces else "changed"
        return done if done in ("blur", "mosaic", "box") else None

    def wants(self, number: int, index: int) -> bool:
        """Whether a look at a face in the frame `index` is due."""
        return self.hides or index >= self._faces[number].next_look

    def look(self, looks: Sequence[Look], originals: Mapping[int, np.ndarray]) -> bool:
        """Compare finished faces with what they were; whether something has to be made again, otherwise.

        `originals` are the identities [512] of the people, by number.
        """
        again = set()
        for each in looks:
            watched = self._faces[each.number]
            if each.number in again or watched.done in ("box", "left"):
                continue
            before, after = (self._swapper.comparer.read(image, [each.face]) for image in (each.before, each.after))
            (cosines,) = self._swapper.comparer.cosines(before, after)
            if self.hides and self._swapper.comparer.are_alike(cosines):
                self._escalate(watched, each.identity, originals[each.number])
                again.add(each.number)
            else:
                self._remember(watched, each, cosines, before, after)
        return bool(again)

    def settle(self, numbers: Sequence[int]) -> None:
        """Frames of these faces are finished."""
        for number in numbers:
            self._faces[number].settled = True

    def table(self) -> list[dict[str, Any]]:
        """What became of each face: where and when it was first seen, and an `Outcome`'s parts; as JSON can hold it."""
        rows = []
        for face in self._faces.values():
            row = asdict(face)
            for name in ("tried", "settled", "next_look", "looks"):
                row.pop(name)
            rows.append(row | {"recognisable": 2 * face.recognisable >= face.looks})
        return rows

    def _escalate(self, watched: _Watched, identity: np.ndarray, original: np.ndarray) -> None:
        if watched.done in ("blur", "mosaic"):
            watched.done = "box"
        elif watched.settled or watched.done == ATTEMPTS[-1]:
            watched.done, watched.why, watched.cosines = self._last_resort(), STILL_ALIKE, []
        else:
            watched.tried = watched.tried or [identity.tolist()]
            tried = [np.array(each, np.float32) for each in watched.tried]
            watched.done = ATTEMPTS[ATTEMPTS.index(watched.done) + 1]
            stronger = watched.done == ATTEMPTS[-1]
            new = (
                blend_identities(original, tried[-1], STRENGTH_RANGE[1])
                if stronger
                else self._assignment.another_for(original, tried)
            )
            watched.tried.append(new.tolist())

    def _last_resort(self) -> Deed:
        return "left" if self._fallback == "none" else self._fallback

    def _remember(
        self,
        watched: _Watched,
        look: Look,
        cosines: tuple[float, ...],
        before: list[np.ndarray],
        after: list[np.ndarray],
    ) -> None:
        watched.cosines = [max(pair) for pair in zip(watched.cosines or cosines, cosines, strict=True)]
        source = self._assignment.recognised
        wanted, place = (look.identity, 0) if source is None else (source, -1)
        watched.to_source = float(after[place][0] @ wanted)
        watched.looks += 1
        watched.recognisable += watched.to_source > float(after[place][0] @ before[place][0])
        watched.next_look = look.index + LOOK_EVERY


def to_outcome(row: Mapping[str, Any]) -> Outcome:
    """A row of `Watch.table` as an outcome; its face has a box and no points."""
    face = Face(tuple(row["box"]), face_at(np.zeros((5, 2))).points, 1.0, row["why"] == DOUBTFUL)
    like = row["done"] == "left"
    return Outcome(face, row["done"], row["why"], tuple(row["cosines"]), row["to_source"], like, row["recognisable"])
