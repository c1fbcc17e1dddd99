"""A sheet to look at: source, target and result side by side, as in Fig. 7."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facechange.core.errors import OutputError

HEADING_PX = 28
GAP_PX = 8
CELL_PX = 256


def draw_comparison_grid(
    cases: Sequence[Sequence[np.ndarray]],
    across: int = 2,
    captions: Sequence[str] = (),
    words: Sequence[str] = ("source", "target", "result"),
) -> np.ndarray:
    """Crops of what `words` say, uint8 [R, R, 3], as one uint8 [H, W, 3] sheet, `across` cases a row.

    `captions`, where given, are written below, one a case.
    """
    assert cases and len(captions) in (0, len(cases))
    across = min(across, len(cases))
    rows = -(-len(cases) // across)
    case_px = len(words) * CELL_PX + GAP_PX
    row_px = CELL_PX + (HEADING_PX if captions else GAP_PX)
    sheet = np.full((HEADING_PX + rows * row_px - (0 if captions else GAP_PX), across * case_px - GAP_PX, 3), 255, np.uint8)
    for number, crops in enumerate(cases):
        row, column = divmod(number, across)
        top, left = HEADING_PX + row * row_px, column * case_px
        shown = [cv2.resize(crop, (CELL_PX, CELL_PX), interpolation=_interpolation(crop)) for crop in crops]
        sheet[top : top + CELL_PX, left : left + len(words) * CELL_PX] = np.hstack(shown)
        if captions:
            _write(sheet, captions[number], left, top + row_px)
    for column in range(across):
        for cell, word in enumerate(words):
            _write(sheet, word, column * case_px + cell * CELL_PX, HEADING_PX)
    return sheet


def write_sheet(sheet: np.ndarray, path: Path) -> None:
    """Write an RGB sheet, as JPEG where `path` ends in .jpg and as PNG otherwise; raises `OutputError`."""
    kind, settings = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90]) if path.suffix.lower() in (".jpg", ".jpeg") else (".png", [])
    encoded = cv2.imencode(kind, np.ascontiguousarray(sheet[..., ::-1]), settings)[1]
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise OutputError(f"{path} could not be written ({error.strerror}).", "Choose a folder that exists and is writable.") from None


def _write(sheet: np.ndarray, words: str, left: int, bottom: int) -> None:
    cv2.putText(sheet, words, (left + GAP_PX, bottom - GAP_PX), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40, 40, 40), 1, cv2.LINE_AA)


def _interpolation(crop: np.ndarray) -> int:
    return cv2.INTER_AREA if crop.shape[0] > CELL_PX else cv2.INTER_CUBIC
