"""A sheet to look at: source, target and result side by side, as in Fig. 7; and the way out for it, which is that of
every changed face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facechange.consent import Grant
from facechange.core import Face, ModelCard
from facechange.images import as_picture
from facechange.provenance import publish

HEADING_PX = 28
GAP_PX = 8
CELL_PX = 256


@dataclass(frozen=True)
class Sheet:
    """A sheet: uint8 [H, W, 3] RGB, and where the changed faces on it are."""

    pixels: np.ndarray
    faces: list[Face]


def draw_comparison_grid(
    cases: Sequence[Sequence[np.ndarray]],
    across: int = 2,
    captions: Sequence[str] = (),
    words: Sequence[str] = ("source", "target", "result"),
    points: Sequence[Sequence[np.ndarray | None]] = (),
) -> Sheet:
    """Crops of what `words` say, uint8 [R, R, 3], on one sheet, `across` cases a row.

    `captions`, where given, are written below, one a case. `points` are the five [5, 2] of each changed face, in pixels
    of its crop; None for a crop that shows a face as it was.
    """
    assert cases and len(captions) in (0, len(cases)) and len(points) in (0, len(cases))
    faces: list[Face] = []
    across = min(across, len(cases))
    rows = -(-len(cases) // across)
    case_px = len(words) * CELL_PX + GAP_PX
    row_px = CELL_PX + (HEADING_PX if captions else GAP_PX)
    sheet = np.full(
        (HEADING_PX + rows * row_px - (0 if captions else GAP_PX), across * case_px - GAP_PX, 3), 255, np.uint8
    )
    for number, crops in enumerate(cases):
        row, column = divmod(number, across)
        top, left = HEADING_PX + row * row_px, column * case_px
        shown = [cv2.resize(crop, (CELL_PX, CELL_PX), interpolation=_interpolation(crop)) for crop in crops]
        sheet[top : top + CELL_PX, left : left + len(words) * CELL_PX] = np.hstack(shown)
        for cell, (crop, five) in enumerate(zip(crops, points[number] if points else (), strict=False)):
            if five is not None:
                faces.append(mark_crop(five, len(crop), left + cell * CELL_PX, top, CELL_PX))
        if captions:
            _write(sheet, captions[number], left, top + row_px)
    for column in range(across):
        for cell, word in enumerate(words):
            _write(sheet, word, column * case_px + cell * CELL_PX, HEADING_PX)
    return Sheet(sheet, faces)


def mark_crop(points: np.ndarray, crop_px: int, left: int, top: int, side_px: int) -> Face:
    """The face with five `points` [5, 2] in pixels of a crop of side `crop_px`, where a sheet shows it, `side_px` wide
    at `left`, `top`."""
    scale = side_px / crop_px
    placed = (np.asarray(points) + 0.5) * scale - 0.5 + (left, top)
    return Face((float(left), float(top), float(side_px), float(side_px)), placed.astype(np.float32), 1.0)


def publish_sheet(sheet: Sheet, path: Path, grant: Grant, card: ModelCard) -> Path:
    """Publish a sheet of what the model of `card` made, marked in each changed face; raises as `provenance.publish`.
    Returns `path`."""
    return publish(as_picture(sheet.pixels), path, grant=grant, card=card, faces=sheet.faces)


def _write(sheet: np.ndarray, words: str, left: int, bottom: int) -> None:
    cv2.putText(
        sheet, words, (left + GAP_PX, bottom - GAP_PX), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40, 40, 40), 1, cv2.LINE_AA
    )


def _interpolation(crop: np.ndarray) -> int:
    return cv2.INTER_AREA if crop.shape[0] > CELL_PX else cv2.INTER_CUBIC
