"""Anonymise the faces of a picture and look at the result: what is still like the person is changed again, and covered
in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from facechange.core import Changed, Deed, Face, Outcome
from facechange.faces.cover import LEVELS, Cover, cover_face, face_region
from facechange.faces.geometry import crop_rectangle, ffhq_crop_matrix
from facechange.faces.paste_back import Keep
from facechange.faces.turn import is_beyond
from facechange.images import Picture
from facechange.swap.assignment import IdentityAssignment
from facechange.swap.swapper import MINIMUM_FACE_PX, STRENGTH_RANGE, Swapper, blend_identities, overlap

# What it rests on where nobody says more.
BASIS = "The people shown are made unrecognisable: each face becomes that of somebody who does not exist."
Fallback = Literal["blur", "mosaic", "box", "none"]

ATTEMPTS: tuple[Deed, ...] = ("changed", "another persona", "stronger")
STILL_ALIKE = "still like the original"
DOUBTFUL = "it is not sure where its eyes, nose and mouth are"
TURNED = "turned too far from the viewer to change"
TOO_SMALL = "too small to change"


def anonymize_faces(
    swapper: Swapper,
    picture: Picture,
    faces: Sequence[Face],
    assignment: IdentityAssignment,
    fallback: Fallback = "blur",
    keep: Keep = "mask",
) -> Changed:
    """`picture` with each of `faces` as somebody else, or covered where no change that was tried makes it unlike who it
    was.

    With the `fallback` "none" such a face is left as the last attempt made it. Faces of less than `MINIMUM_FACE_PX` are
    never changed, and those whose points are doubtful, or that are turned too far for a change, only where they are not
    going to be covered.
    """
    work = _Work(swapper, picture, list(faces), assignment, keep)
    small, *hopeless = find_hopeless(faces)
    for indices, why in (small, *(hopeless if fallback != "none" else ())):
        work.give_up(indices, why)
    for done in ATTEMPTS:
        work.change(done)
    for indices, why in (*hopeless, (work.alike(), STILL_ALIKE)):
        work.give_up(indices, why)
    if fallback != "none":
        work.cover(fallback)
    return Changed(work.pixels, list(faces), outcomes=tuple(work.outcomes))


def find_hopeless(faces: Sequence[Face]) -> list[tuple[list[int], str]]:
    """Places among `faces` of those that no change can hide, and why: too small, doubtful, turned too far."""
    small = [index for index, face in enumerate(faces) if face.size_px < MINIMUM_FACE_PX]
    doubtful = [index for index, face in enumerate(faces) if face.doubtful and index not in small]
    turned = [index for index, face in enumerate(faces) if is_beyond(face) and index not in (*small, *doubtful)]
    return [(small, TOO_SMALL), (doubtful, DOUBTFUL), (turned, TURNED)]


def find_changeable(faces: Sequence[Face], fallback: Fallback = "blur") -> list[int]:
    """Places among `faces` of those that `anonymize_faces` asks the assignment for, in its order."""
    small, *hopeless = find_hopeless(faces)
    given_up = {index for indices, _ in (small, *(hopeless if fallback != "none" else ())) for index in indices}
    return [index for index in range(len(faces)) if index not in given_up]


class _Work:
    """A picture on its way: what it looks like by now, and what became of each face."""

    def __init__(
        self, swapper: Swapper, picture: Picture, faces: list[Face], assignment: IdentityAssignment, keep: Keep
    ) -> None:
        self._swapper, self._picture, self._faces, self._assignment, self._keep = (
            swapper,
            picture,
            faces,
            assignment,
            keep,
        )
        self.pixels = picture.pixels.copy()
        self.outcomes = [Outcome(face, like_original=True) for face in faces]
        self._originals = swapper.comparer.read(picture.rgb8(), faces)
        self._tried: list[list[np.ndarray]] = [[] for _ in faces]
        matrices = [ffhq_crop_matrix(face.points, swapper.size_px) for face in faces]
        self._rectangles = [crop_rectangle(matrix, swapper.size_px, self.pixels.shape) for matrix in matrices]

    def alike(self) -> list[int]:
        """The faces that are still to be changed."""
        return [index for index, outcome in enumerate(self.outcomes) if outcome.like_original and not outcome.why]

    def give_up(self, indices: Sequence[int], why: str) -> None:
        """Leave faces as they are."""
        for index in indices:
            self.outcomes[index] = replace(self.outcomes[index], done="left", why=why)

    def change(self, done: Deed) -> None:
        """One more attempt at the faces that are still like they were, from the original on; neighbours are done
        again."""
        alike = self.alike()
        if not alike:
            return
        for index in alike:
            self._tried[index].append(self._next_identity(index, done))
        together = self._with_neighbours(alike)
        for index in together:
            left, top, right, bottom = self._rectangles[index]
            self.pixels[top:bottom, left:right] = self._picture.pixels[top:bottom, left:right]
        begun = replace(self._picture, pixels=self.pixels)
        identities = np.stack([self._tried[index][-1] for index in together])
        faces, originals = (
            [self._faces[index] for index in together],
            [vectors[together] for vectors in self._originals],
        )
        changed = self._swapper.change(begun, identities, faces, keep=self._keep, before=originals)
        self.pixels = changed.image
        for index, outcome in zip(together, changed.outcomes, strict=True):
            self.outcomes[index] = replace(outcome, done=done if index in alike else self.outcomes[index].done)

    def cover(self, cover: Cover) -> None:
        """Cover the faces that were given up, until neither network nor the detector knows them; a box is the last
        resort."""
        for index, outcome in enumerate(self.outcomes):
            if outcome.why:
                self.outcomes[index] = self._cover(index, outcome, cover)

    def _cover(self, index: int, outcome: Outcome, cover: Cover) -> Outcome:
        face = self._faces[index]
        for strength in LEVELS.get(cover, ()):
            cover_face(self.pixels, face, cover, strength)
            cosines = self._compare(index)
            if not self._swapper.comparer.are_alike(cosines) or not self._is_found(face):
                return replace(outcome, done=cover, cosines_to_original=cosines, like_original=False)
        cover_face(self.pixels, face, "box")
        return replace(outcome, done="box", cosines_to_original=self._compare(index), like_original=False)

    def _next_identity(self, index: int, done: Deed) -> np.ndarray:
        original, tried = self._originals[0][index], self._tried[index]
        if done == "changed":
            return self._assignment.identity_for(original)
        if done == "another persona":
            return self._assignment.another_for(original, tried)
        return blend_identities(original, tried[-1], STRENGTH_RANGE[1])

    def _with_neighbours(self, indices: list[int]) -> list[int]:
        """`indices` and those changed before whose crops meet theirs, and so on."""
        chosen = set(indices)
        changeable = [index for index, tried in enumerate(self._tried) if tried]
        while more := {
            index
            for index in changeable
            if index not in chosen and any(overlap(self._rectangles[index], self._rectangles[i]) for i in chosen)
        }:
            chosen |= more
        return sorted(chosen)

    def _compare(self, index: int) -> tuple[float, ...]:
        image = replace(self._picture, pixels=self.pixels).rgb8()
        after = self._swapper.comparer.read(image, [self._faces[index]])
        return self._swapper.comparer.cosines([vectors[index : index + 1] for vectors in self._originals], after)[0]

    def _is_found(self, face: Face) -> bool:
        """Whether the detector still finds a face where `face` was."""
        region = face_region(face)
        start = np.maximum(np.floor(region.min(0) - face.size_px / 2), 0).astype(int)
        end = np.ceil(region.max(0) + face.size_px / 2).astype(int)
        image = replace(self._picture, pixels=self.pixels[start[1] : end[1], start[0] : end[0]]).rgb8()
        middle = np.array(face.box[:2]) + np.array(face.box[2:]) / 2 - start
        middles = [
            np.array(found.box[:2]) + np.array(found.box[2:]) / 2
            for found in self._swapper.find_all(np.ascontiguousarray(image))
        ]
        return any(np.hypot(*(each - middle)) < face.size_px / 2 for each in middles)
