"""Monochrome pictures stay so: grey, sepia and other tints, whatever colours a network draws into them.

All colours of a monochrome picture lie on one curve from luma to colour; of a grey one, on the neutral axis. A crop is
found to be monochrome by how far its colours stray from their own curve, compared with how far they are from grey:
compression strays a little, and a face in colour, however pale, strays as lips do from skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_LEVELS = 32  # of luma, at which the curve's colour is measured
_STEPS = 1024  # of luma, for which it is written down
_FITTED_PX = 256  # side at which the curve is laid through the colours
_COMPARED_PX = 64  # side at which what strays from it is looked at: averages, into which compression's noise vanishes
_MEMORY = 0.9  # of the last frames in what is thought of the next
_ROUNDING = 0.6 / 255  # chroma that is none: what rounding to eight bits makes of grey
# Of `Tint.stray`: up to the first a crop is monochrome, from the second on in colour. Of 60 photographs of officials in
# colour none was below 0.20, and as sepia in JPEG of quality 60 none above 0.11; at a fifth of the size up to 0.19, and
# in a tint of two colours 0.24.
MONOCHROME, COLOURED = 0.13, 0.2


@dataclass(frozen=True, eq=False)
class Tint:
    """The curve on which a crop's colours lie, or near which."""

    offsets: np.ndarray  # [_STEPS, 3] float32: colour less luma, for lumas from 0 to 1; all 0 for a grey crop
    stray: float  # how far from the curve the colours are, over how far they are from grey; 0 for a grey crop

    @property
    def share(self) -> float:
        """1 for a monochrome crop, 0 for one in colour, between them smoothly."""
        between = min(max((self.stray - MONOCHROME) / (COLOURED - MONOCHROME), 0.0), 1.0)
        return 1 - between * between * (3 - 2 * between)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """`image` [H, W, 3] float32 in [0, 1] in the curve's colours, its luma kept."""
        luma = image @ _LUMA
        return np.clip(luma[..., None] + _look_up(self.offsets, luma), 0, 1)


def find_tint(crop: np.ndarray) -> Tint:
    """The curve of a crop [R, R, 3] float32 in [0, 1]."""
    size = min(len(crop), _FITTED_PX)
    colours = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    luma = colours @ _LUMA
    chroma = colours - luma[:, None]
    from_grey = _spread(chroma)
    if from_grey <= _ROUNDING:
        return Tint(np.zeros((_STEPS, 3), np.float32), 0.0)
    level = np.clip((luma * _LEVELS).astype(int), 0, _LEVELS - 1)
    counts = np.bincount(level, minlength=_LEVELS)
    filled = counts > 0
    at, *means = (np.bincount(level, values, _LEVELS)[filled] / counts[filled] for values in (luma, *chroma.T))
    offsets = np.stack([np.interp(np.linspace(0, 1, _STEPS), at, mean) for mean in means], axis=1).astype(np.float32)
    stray = (chroma - _look_up(offsets, luma)).reshape(size, size, 3)
    side = min(size, _COMPARED_PX)
    compared = _spread(cv2.resize(stray, (side, side), interpolation=cv2.INTER_AREA))
    return Tint(offsets, max(compared - _ROUNDING, 0.0) / from_grey)


def keep_tint(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """A changed crop `after` [R, R, 3] float32 in [0, 1] in the tint of `before` where that is monochrome, else as it
    is."""
    tint = find_tint(before)
    return _blend(tint, after, tint.share)


class TintMemory:
    """`keep_tint` for the faces of a video, by number: whether one is monochrome is what its last frames said, so that
    nothing flickers."""

    def __init__(self, shares: dict[int, float] | None = None) -> None:
        self.shares = shares or {}  # by number, what `keep` needs of the frames before

    def keep(self, number: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """`keep_tint` for the next crop of the face `number`."""
        tint = find_tint(before)
        usual = self.shares.get(number, tint.share)
        self.shares[number] = _MEMORY * usual + (1 - _MEMORY) * tint.share
        return _blend(tint, after, self.shares[number])


def _blend(tint: Tint, after: np.ndarray, share: float) -> np.ndarray:
    """`after` with `share` 0..1 of the `tint`; a thousandth is neither seen nor worth its time."""
    if share < 1e-3:
        return after
    return tint.apply(after) if share > 1 - 1e-3 else after + np.float32(share) * (tint.apply(after) - after)


def _look_up(offsets: np.ndarray, luma: np.ndarray) -> np.ndarray:
    """The offsets [..., 3] at `luma` [...]."""
    return offsets[np.clip(np.rint(luma * (_STEPS - 1)), 0, _STEPS - 1).astype(np.intp)]


def _spread(chroma: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(chroma))))
