"""Find a watermark's place: the detector's points are off by a few per cent, so turn, scale and shift until the known
chips fit.

All shifts are tried at once, by correlation in the frequency domain, for each of some 400 turns and scales; the best
places are then made exact by small steps.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import cv2
import numpy as np

from facechange.core import Face
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix
from facechange.provenance.watermark_code import CHIPS, decode_scores, draw_pattern, known_chips, symbol_scores

LOOK_PX = 2 * CHIPS  # side of the crop that is read
SEARCH_PX = 128  # side of the crop in which turns and scales are tried: coarser misses faint marks, finer takes longer
# How far the detector's points are off on copies of marked pictures, some cut through the face: scale -7 to 15 %, turn -5
# to 6 degrees.
SCALES = np.arange(-9, 16, 1.2) / 100
TURNS_DEGREES = np.arange(-6.3, 6.4, 0.7)
# of the fit over all shifts; 100 unmarked faces came to 5.8 at most, marked copies mostly to 7 and more
SURE_DEVIATIONS = 7.0
TRIES = 6  # of the best fits below that


def read_face(pixels: np.ndarray, face: Face) -> int | None:
    """The identifier of the watermark in one face of `pixels` [H, W, 3] uint8, upright or mirrored; None without
    one."""
    look = whitened_look(pixels, face)
    for seen in (look, np.ascontiguousarray(look[:, ::-1])):
        for place in likely_places(seen):
            samples = sample_chips(seen, refine_place(seen, place))
            identifier = decode_scores(symbol_scores(samples))
            if identifier is not None:
                return identifier
    return None


def whitened_look(pixels: np.ndarray, face: Face) -> np.ndarray:
    """The face's fine brightness, evened out so that no part of it drowns the rest: float32 [192, 192]."""
    crop = warp_crop(pixels, ffhq_crop_matrix(face.points, LOOK_PX), LOOK_PX)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.3)
    rms = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 3)) + 1
    return np.clip(fine / rms, -2, 2)


def likely_places(look: np.ndarray) -> Iterator[np.ndarray]:
    """Matrices [2, 3] from chips to pixels of `look` [192, 192] where the known chips may lie, the likeliest first."""
    spectrum, unsure = _known_spectrum(), []
    to_look = _zoom(SEARCH_PX, LOOK_PX)
    for turn in _turns():
        turned = cv2.warpAffine(
            look, turn @ to_look, (SEARCH_PX, SEARCH_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        fit = cv2.idft(cv2.mulSpectrums(cv2.dft(turned), spectrum, 0, conjB=True))
        _, best, _, shift = cv2.minMaxLoc(fit)
        x, y = (((value + SEARCH_PX // 2) % SEARCH_PX - SEARCH_PX // 2) * CHIPS / SEARCH_PX for value in shift)
        place = _shifted(turn @ _zoom(CHIPS, LOOK_PX), x, y)
        deviations = best / float(fit.std() + 1e-9)
        if deviations > SURE_DEVIATIONS:
            yield place
        else:
            unsure.append((deviations, place))
    unsure.sort(key=lambda entry: -entry[0])
    yield from (place for _, place in unsure[:TRIES])


def refine_place(look: np.ndarray, place: np.ndarray) -> np.ndarray:
    """`place` [2, 3] moved by small steps to where the known chips fit `look` best."""
    known, best = known_chips(), -np.inf
    for step in (0.5, 0.25):
        for x, y, scale, turn in np.vstack([np.zeros((1, 4)), np.eye(4), -np.eye(4)]) * step:
            moved = _shifted(_turned(place, 1 + scale * 0.012, turn * 0.7, (CHIPS - 1) / 2), x, y)
            fit = float((sample_chips(look, moved) * known).sum())
            if fit > best:
                best, place = fit, moved
    return place


def sample_chips(look: np.ndarray, place: np.ndarray) -> np.ndarray:
    """What `look` says at each chip: float32 [96, 96]; `place` maps chips to pixels of the look."""
    return cv2.warpAffine(look, place, (CHIPS, CHIPS), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _turned(matrix: np.ndarray, scale: float, degrees: float, middle: float) -> np.ndarray:
    """`matrix` after a turn and a scaling about (`middle`, `middle`)."""
    return matrix @ np.vstack([cv2.getRotationMatrix2D((middle, middle), degrees, scale), [0, 0, 1]])


def _shifted(matrix: np.ndarray, x: float, y: float) -> np.ndarray:
    """`matrix` after a shift by (`x`, `y`)."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (x, y)
    return moved


def _zoom(side: int, other_side: int) -> np.ndarray:
    """[3, 3] from the pixels of a square of `side` to those of one of `other_side`."""
    ratio = other_side / side
    return np.array([[ratio, 0, (ratio - 1) / 2], [0, ratio, (ratio - 1) / 2], [0, 0, 1]])


@functools.cache
def _turns() -> list[np.ndarray]:
    """The turns and scales to try, [2, 3] each, within a look: the smallest first."""
    pairs = [(scale, degrees) for scale in SCALES for degrees in TURNS_DEGREES]
    pairs.sort(key=lambda pair: (pair[0] / 0.04) ** 2 + (pair[1] / 2) ** 2)
    return [_turned(np.eye(2, 3), 1 + scale, degrees, (LOOK_PX - 1) / 2) for scale, degrees in pairs]


@functools.cache
def _known_spectrum() -> np.ndarray:
    """The known chips as drawn, in the frequency domain (OpenCV's packed form): float32 [128, 128]."""
    return cv2.dft(cv2.resize(draw_pattern(known_chips()), (SEARCH_PX, SEARCH_PX), interpolation=cv2.INTER_AREA))
