"""Natural evenness: do brows and eye sockets go with the cheeks as they do in faces that nobody changed?

A change may leave pale brows, or a grey-green ghost around the eyes, which no mean over the whole skin shows. How much lighter,
redder and yellower each region is than the cheek on its side is compared with the same in all unchanged faces of the set, and so is how
these go together: a brow may be dark, but seldom one brow alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facechange.faces.geometry import hull_mask

LEAST_SPREAD = 1.0  # CIELAB units; no face is told apart by less
ODD_SHARE, ROUNDS = 0.1, 3  # of the unchanged faces, in light from one side say, the oddest do not tell what is natural
REACH = 0.14  # eye distances that a socket goes below the eye's lower lid
# The viewer's left side and right side among the 68: brow, eye, and outline and mouth corner beside the cheek.
SIDES = ((slice(17, 22), slice(36, 42), 2, 48), (slice(22, 27), slice(42, 48), 14, 54))


@dataclass(frozen=True)
class NaturalSpread:
    """Median [12] and covariance [12, 12] of `measure_regions` among unchanged faces."""

    median: np.ndarray
    covariance: np.ndarray

    def measure(self, regions: np.ndarray) -> np.ndarray:
        """How far `regions` [..., 4, 3] are from the median, in spreads: the root mean square of their whitened parts, [...]."""
        departures = regions.reshape(*regions.shape[:-2], -1) - self.median
        whitened = np.linalg.solve(np.linalg.cholesky(self.covariance), departures[..., None])[..., 0]
        return np.sqrt((whitened**2).mean(-1))


def measure_regions(crop: np.ndarray, landmarks68: np.ndarray) -> np.ndarray:
    """CIELAB of brow and eye socket on the viewer's left, then right, less that of the cheek on that side: [4, 3].

    `crop` is uint8 [R, R, 3], `landmarks68` [68, 2] in its pixels. Medians, so that hairs and lights do not count.
    """
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    sides = face_regions(landmarks68, crop.shape[0])
    return np.array([_median(lab, region) - _median(lab, cheek) for brow, socket, cheek in sides for region in (brow, socket)])


def face_regions(landmarks68: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Brow, eye socket without the eye, and cheek, of the viewer's left side and then of the right: uint8 [size, size] masks."""
    eyes_px = float(np.linalg.norm(landmarks68[36:42].mean(0) - landmarks68[42:48].mean(0)))
    down = landmarks68[48:60].mean(0) - landmarks68[36:48].mean(0)
    down /= max(float(np.linalg.norm(down)), 1e-9)
    regions = []
    for brow_rows, eye_rows, outline, mouth in SIDES:
        brow, eye = landmarks68[brow_rows], landmarks68[eye_rows]
        brow_mask = _thicken(_line_mask(brow, size), eyes_px * 0.05)
        socket = hull_mask(np.concatenate([brow, eye, eye + down * eyes_px * REACH]), size)
        socket[(_thicken(hull_mask(eye, size), eyes_px * 0.04) | brow_mask) > 0] = 0
        middle = 0.5 * eye.mean(0) + 0.35 * landmarks68[mouth] + 0.15 * landmarks68[outline]
        cheek = cv2.circle(np.zeros((size, size), np.uint8), tuple(map(int, np.rint(middle))), max(1, round(eyes_px * 0.14)), 1, -1)
        regions.append((brow_mask, socket, cheek))
    return regions


def natural_spread(regions: np.ndarray) -> NaturalSpread:
    """What is natural, by `measure_regions` of F >= 2 unchanged faces [F, 4, 3], the oddest left out."""
    rows = regions.reshape(len(regions), -1)
    kept = np.ones(len(rows), bool)
    for _ in range(ROUNDS):
        median = np.median(rows[kept], axis=0)
        departures = rows[kept] - median
        natural = NaturalSpread(median, departures.T @ departures / kept.sum() + LEAST_SPREAD**2 * np.eye(rows.shape[1]))
        distances = natural.measure(regions)
        kept = distances <= np.quantile(distances, 1 - ODD_SHARE)
    return natural


def natural_evenness68(changed: np.ndarray, landmarks68: np.ndarray, natural: NaturalSpread) -> float:
    """How far brows and eye sockets are from natural, in spreads: about 1 in unchanged faces.

    `changed` is uint8 [R, R, 3], with the target's `landmarks68` [68, 2].
    """
    return float(natural.measure(measure_regions(changed, landmarks68)))


def _median(lab: np.ndarray, mask: np.ndarray) -> np.ndarray:
    inside = lab[mask > 0]
    return np.median(inside, axis=0) if len(inside) else np.zeros(3)


def _line_mask(points: np.ndarray, size: int) -> np.ndarray:
    return cv2.polylines(np.zeros((size, size), np.uint8), [np.rint(points).astype(np.int32)], False, 1)


def _thicken(mask: np.ndarray, reach_px: float) -> np.ndarray:
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(reach_px)) + 1,) * 2))
