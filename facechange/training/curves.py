"""Training curves as one picture, drawn with OpenCV, so that a machine that only trains needs no plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

PANEL_PX = (320, 200)  # width, height
MARGIN_PX = 24
COLUMNS = 4
POINTS_A_CURVE = 120
INK, LINE, FRAME = (40, 40, 40), (160, 90, 20), (200, 200, 200)  # BGR


def draw_curves(rows: Sequence[dict[str, float]], path: Path) -> None:
    """Write every value of `rows` against their `pictures` as a PNG: a panel each, means of neighbouring rows."""
    every = {name for row in rows for name in row if not name.startswith("pictures_per_second")}
    names = sorted(every - {"pictures"})
    panels = [
        _draw_panel(name, np.array([(row["pictures"], row[name]) for row in rows if name in row])) for name in names
    ]
    blank = np.full((PANEL_PX[1], PANEL_PX[0], 3), 255, np.uint8)
    panels += [blank] * (-len(panels) % COLUMNS)
    sheet = np.vstack([np.hstack(panels[start : start + COLUMNS]) for start in range(0, len(panels), COLUMNS)])
    path.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())


def _draw_panel(name: str, points: np.ndarray) -> np.ndarray:
    """One value over time; points [P, 2] are pictures seen and value."""
    panel = np.full((PANEL_PX[1], PANEL_PX[0], 3), 255, np.uint8)
    count = min(POINTS_A_CURVE, len(points))
    curve = np.array([part.mean(0) for part in np.array_split(points, count)])
    low, high = curve.min(0), curve.max(0)
    corner, opposite = np.array([MARGIN_PX, PANEL_PX[1] - MARGIN_PX]), np.array([PANEL_PX[0] - 8, MARGIN_PX])
    places = corner + (curve - low) / np.maximum(high - low, 1e-12) * (opposite - corner)
    cv2.rectangle(panel, corner.tolist(), opposite.tolist(), FRAME)
    cv2.polylines(panel, [np.rint(places).astype(np.int32)], False, LINE, 1, cv2.LINE_AA)

    def write(text: str, x: int, y: int) -> None:
        cv2.putText(panel, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)

    write(f"{name}: {curve[-1, 1]:.4g}", MARGIN_PX, 15)
    write(f"{high[1]:.3g}", MARGIN_PX + 3, MARGIN_PX + 12)
    write(f"{low[1]:.3g}", MARGIN_PX + 3, PANEL_PX[1] - MARGIN_PX - 4)
    write(f"{high[0]:,.0f} pictures", PANEL_PX[0] - 130, PANEL_PX[1] - 8)
    return panel
