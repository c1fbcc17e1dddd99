"""Choose faces by place, size or number: pure, so that a command line and an interface agree."""

from __future__ import annotations

import numpy as np

from facechange.core import Face, FaceError

SELECTOR_WORDS = ("all", "largest", "left", "right", "centre")
SELECTOR_HELP = "all, largest, left, right, centre, a number counted from the left, or like:PICTURE"


def left_to_right(faces: list[Face]) -> list[Face]:
    """The faces in the order that their numbers follow: by the middle of the box."""
    return sorted(faces, key=lambda face: face.box[0] + face.box[2] / 2)


def select_faces(faces: list[Face], selector: str, picture_size: tuple[int, int]) -> list[Face]:
    """The faces that `selector` names, left to right, out of a picture of `picture_size` (width, height).

    `selector` is a word of `SELECTOR_WORDS` or a number from 1 (leftmost). Raises `FaceError` for a picture without
    a face, an unknown word, or a number above the count.
    """
    if not faces:
        raise FaceError("No face was found.", "Use a sharper or larger picture of a face that is not covered.")
    ordered = left_to_right(faces)
    word = selector.strip().lower()
    if word.isdecimal():
        number = int(word)
        if not 1 <= number <= len(ordered):
            raise FaceError(f"There is no face {number}; {len(ordered)} found.", f"Faces are numbered 1 to {len(ordered)} from the left.")
        return [ordered[number - 1]]
    match word:
        case "all":
            return ordered
        case "largest":
            return [max(ordered, key=lambda face: face.box[2] * face.box[3])]
        case "left":
            return [ordered[0]]
        case "right":
            return [ordered[-1]]
        case "centre":
            middle = np.array(picture_size) / 2
            return [min(ordered, key=lambda face: float(np.hypot(*(_centre(face) - middle))))]
    raise FaceError(f"No face is called {selector!r}.", f"Use {SELECTOR_HELP}.")


def _centre(face: Face) -> np.ndarray:
    return np.array([face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2])
