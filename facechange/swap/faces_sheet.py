"""Draw which faces are found in a picture, which of them are meant, and why the others are not. Nothing in it is
changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facechange.core import Face
from facechange.faces.select import FaceSelector, left_to_right
from facechange.images import Picture
from facechange.swap.swapper import MINIMUM_FACE_PX, Swapper

_MEANT, _SKIPPED, _PLATE = (0, 160, 60), (200, 40, 30), (255, 255, 255)


@dataclass(frozen=True)
class FoundFace:
    """A face of a picture; `number` is what `--face` calls it, 0 where it cannot be called, `skipped` why it would not
    be changed."""

    face: Face
    number: int
    skipped: str = ""

    def describe(self) -> str:
        """Where it is, how sure it is, and what would become of it, in a line."""
        x, y, width, height = self.face.box
        place = f"{width:.0f} x {height:.0f} px at {x:.0f}, {y:.0f}"
        name = f"face {self.number}" if self.number else "a face"
        return f"{name}: {place}, score {self.face.score:.2f}, {f'skipped: {self.skipped}' if self.skipped else 'selected'}"


def explain_faces(swapper: Swapper, picture: Picture, selector: FaceSelector) -> list[FoundFace]:
    """Every face of `picture`, left to right. Raises `FaceError` where there is no face at all."""
    found = swapper.find_all(picture)
    usable = [face for face in left_to_right(found) if not _reason(face)]
    meant = swapper.choose_among(picture, found, selector).faces if usable or not found else []
    explained, numbers = [], {id(face): number for number, face in enumerate(usable, 1)}
    for face in left_to_right(found):
        chosen = any(face is other for other in meant)
        explained.append(FoundFace(face, numbers.get(id(face), 0), _reason(face) or ("" if chosen else "not selected")))
    return explained


def _reason(face: Face) -> str:
    if face.size_px < MINIMUM_FACE_PX:
        return f"too small, {face.size_px:.0f} of {MINIMUM_FACE_PX} px"
    return "doubtful points" if face.doubtful else ""


def draw_faces_sheet(image: np.ndarray, found: list[FoundFace]) -> np.ndarray:
    """`image` [H, W, 3] uint8 with the box, the points, the number, the score and the reason of each of the faces
    `found`."""
    sheet = Image.fromarray(image)
    draw = ImageDraw.Draw(sheet)
    line = max(1, round(max(image.shape[:2]) / 600))
    size_px = max(11, 10 * line)
    font = ImageFont.load_default(size_px)
    for one in found:
        colour = _SKIPPED if one.skipped else _MEANT
        x, y, width, height = one.face.box
        draw.rectangle((x, y, x + width, y + height), outline=colour, width=line)
        for number, (left, top) in enumerate(one.face.points):
            radius = line + (number == 0)  # the first is the viewer's left eye
            draw.ellipse((left - radius, top - radius, left + radius, top + radius), fill=colour)
        words = " ".join(
            [str(one.number)] * bool(one.number) + [f"{one.face.score:.2f}"] + [one.skipped] * bool(one.skipped)
        )
        place = max(x, 0), max(y - 1.4 * size_px, 0)
        draw.rectangle(draw.textbbox(place, words, font=font), fill=_PLATE)
        draw.text(place, words, fill=colour, font=font)
    return np.array(sheet)
