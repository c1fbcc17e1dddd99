"""An invisible watermark in each changed face: a number that finds the content credentials again when metadata is gone.

It lies in the aligned crop of the face (`ffhq_crop_matrix`), not in the picture's own grid. So a copy that was resized,
cropped or turned still has it as long as the face is there, pixels far from the face stay as they were, and a reader
knows where to look: where the detector finds the face again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from facechange.core import Face
from facechange.faces.align import warp_crop
from facechange.faces.geometry import crop_rectangle, cut_off, ffhq_crop_matrix, match_scale, scale_of
from facechange.faces.paste_back import soft_edge
from facechange.provenance.watermark_code import CHIP_PX, IDENTIFIER_BITS, draw_pattern, encode_chips
from facechange.provenance.watermark_sync import read_face

__all__ = ["IDENTIFIER_BITS", "embed_watermark", "find_watermark"]

LEAST_LEVELS, TEXTURE_SHARE = 1.0, 0.9  # strength: rms in levels of 255, and its share of the texture's
MOST_LEVELS = 2.5  # one face costs no picture more than 40 dB of PSNR
# a face whose crop is smaller than this has fewer pixels to say it in, so it says it louder
LARGE_PX, MOST_BOOST = 512, 1.7
BAND_ROWS = 128  # worked on at a time: memory stays flat however large the face


def embed_watermark(pixels: np.ndarray, faces: Iterable[Face], identifier: int) -> np.ndarray:
    """A copy of `pixels` [H, W, 3] (uint8 or uint16 RGB) with `identifier` in each of `faces`; `pixels` itself without
    a face.

    Only brightness changes, and only inside the faces' crops. Raises `ValueError` where `identifier` has more than 40
    bits.
    """
    faces = list(faces)
    marked = pixels.copy() if faces else pixels
    pattern = draw_pattern(encode_chips(identifier))
    for face in faces:
        matrix = ffhq_crop_matrix(face.points, len(pattern))
        boost = np.clip(np.sqrt(LARGE_PX / len(pattern) * scale_of(matrix)), 1, MOST_BOOST)
        _add_pattern(marked, pattern, matrix, float(boost))
    return marked


def find_watermark(pixels: np.ndarray, faces: Sequence[Face]) -> int | None:
    """The identifier in one of `faces` of `pixels` [H, W, 3] uint8 RGB; None where none has one.

    `faces` are what the detector finds in this very picture. A mirrored copy is read too.
    """
    for face in faces:
        identifier = read_face(pixels, face)
        if identifier is not None:
            return identifier
    return None


def _add_pattern(pixels: np.ndarray, pattern: np.ndarray, matrix: np.ndarray, boost: float) -> None:
    """Add `pattern` [P, P] (rms 1) to `pixels` in place, as strongly as they hide it; `matrix` maps the picture to the
    pattern."""
    left, top, right, bottom = crop_rectangle(matrix, len(pattern), pixels.shape)
    if left >= right or top >= bottom:
        return  # the crop lies beside the picture
    part, matrix = pixels[top:bottom, left:right], cut_off(matrix, left, top)
    peak, kind = np.iinfo(pixels.dtype).max, cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U
    strength = np.minimum(boost * _strength(_small_crop(part, matrix, len(pattern))), MOST_LEVELS)
    levels, matrix = match_scale(pattern * strength * soft_edge(len(pattern)) * np.float32(peak / 255), matrix)
    for start in range(0, len(part), BAND_ROWS):
        rows = part[start : start + BAND_ROWS]
        window = cut_off(matrix, 0, start)
        added = cv2.warpAffine(levels, window, rows.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        rows[...] = cv2.add(rows, cv2.merge([added] * 3), dtype=kind)  # rounds, and stops at black and white


def _small_crop(pixels: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """What `warp_crop` gives, but for a large face faster and good to a pixel only: enough to judge texture by."""
    whole = int(1 / scale_of(matrix))  # picture pixels a crop pixel
    if whole < 2:
        return warp_crop(pixels, matrix, side)
    height, width = (max(length // whole, 1) for length in pixels.shape[:2])
    coarse = cut_off(matrix, (whole - 1) / 2, (whole - 1) / 2)  # to the centre of the first block
    coarse[:, :2] *= whole
    return warp_crop(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), coarse, side)


def _strength(crop: np.ndarray) -> np.ndarray:
    """How strong a pattern over `crop` [P, P, 3] may be, in levels of 255: float32 [P, P].

    More where texture hides it. An edge is no texture: noise beside it, on a smooth wall, would be seen; so the least
    of the neighbourhood counts.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32) * np.float32(255 / np.iinfo(crop.dtype).max)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 0.75 * CHIP_PX)
    texture = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 0.75 * CHIP_PX))
    around = cv2.erode(texture, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * CHIP_PX + 1, 4 * CHIP_PX + 1)))
    return np.maximum(TEXTURE_SHARE * cv2.GaussianBlur(around, (0, 0), CHIP_PX), LEAST_LEVELS)
