"""Put a changed crop back into its photograph: soft at the edge, no softer than the photograph, only inside its
rectangle."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from facechange.faces.geometry import crop_rectangle, cut_off, match_scale, rescale, scale_of

Keep = Literal["mask", "crop"]

# rows worked on at a time: what is in between stays in the caches, and memory flat however large the face
_BAND_ROWS = 64
_MOST_ENLARGED, _LARGEST_ENLARGED_PX = 4, 1024  # how far, and to what side, maps are enlarged before they are sampled
_SMOOTH_PX = 256  # side of the grid for maps that are blurred over a 64th of it
_GRID_VARIANCE = 1 / 12  # px²: what averaging onto the grid blurs already
_EDGE_SHARE = 0.08  # of the crop's side over which its border fades
# A change this small (of the full range) counts as the target drawn again. On 60 changes of held-out faces at 512² to
# 1024²
# by a 128² model, against laying down the crop: as near to the source, 1.6 dB better outside the face, 2.9 times the
# texture.
_SAME_CHANGE = 0.06
# From where to where of the mask the photograph stays. On 24 held-out changes at 512² by a model whose mask is about
# 0.53 inside
# faces and 0.65 outside, against laying down all of its change: 1.1 dB better outside the face, for 0.002 of the cosine
# to the source. With 0.7 instead of 0.8 it was 1.7 dB for 0.007.
_KEPT_MASK = 0.5, 0.8


def paste_back(
    photograph: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    matrix: np.ndarray,
    keep: Keep = "mask",
    mask: np.ndarray | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """`photograph` [H, W, 3] (uint8 or uint16) with one crop changed from `before` to `after`.

    `before` and `after` are [R, R, 3] float32 in [0, 1]; `matrix` [2, 3] maps the photograph to the crop. `keep="crop"`
    lays down the whole crop. `keep="mask"` keeps the photograph's own pixels where `mask` [h, w] (a fine control mask,
    1 = target) says so and the network drew the target again, and elsewhere lends the photograph's fine texture, which
    a small crop cannot hold, to the places that changed little. Pixels outside the crop are bit-identical. The result
    is a copy of the photograph, or `out` where one is given: of its shape and type, and the photograph itself to change
    it in place; only the crop's rectangle of it is written.
    """
    assert before.shape == after.shape and before.shape[0] == before.shape[1], (before.shape, after.shape)
    changed = photograph.copy() if out is None else out
    assert changed.shape == photograph.shape and changed.dtype == photograph.dtype, (changed.shape, photograph.shape)
    left, top, right, bottom = crop_rectangle(matrix, before.shape[0], photograph.shape)
    if left == right or top == bottom:
        return changed  # the crop lies beside the photograph
    peak = float(np.iinfo(photograph.dtype).max)
    maps, matrix = match_scale(_blend_maps(before, after, keep, mask), matrix)  # [r, r, 4]
    maps[..., :3] *= peak
    _clear_border(maps, 2)  # a cubic reaches two pixels: nothing leaks past the border
    maps, matrix, interpolation = _enlarge(maps, matrix)
    depth = cv2.CV_8U if photograph.dtype == np.uint8 else cv2.CV_16U
    for start in range(top, bottom, _BAND_ROWS):
        band = slice(start, min(start + _BAND_ROWS, bottom)), slice(left, right)
        own = photograph[band]
        warped = _warp_window(maps, matrix, (left, start, own.shape[1], own.shape[0]), interpolation)
        replaced = _in_three(cv2.extractChannel(warped, 3))
        difference = cv2.subtract(
            cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), cv2.multiply(replaced, own, dtype=cv2.CV_32F)
        )
        changed[band] = cv2.add(own, difference, dtype=depth)  # rounds, and clips to the type's range
    return changed


def _blend_maps(before: np.ndarray, after: np.ndarray, keep: Keep, mask: np.ndarray | None) -> np.ndarray:
    """Maps [R, R, 4], `added` in RGB and `replaced`, such that the result is (1 - replaced) * photograph + added.

    A pixel of the photograph is P = before + texture. Laying down the crop gives `after`; lending texture gives
    P + (after - before). `replaced` is how much of the first, weighted by how much may change there at all.
    """
    size = before.shape[0]
    weight = soft_edge(size)
    if keep == "crop":
        return cv2.merge([*cv2.split(after * _in_three(weight)), weight])
    change = after - before
    same, kept = (_fit(values, size) for values in _find_kept(change, mask))
    weight = weight * (1 - kept)
    replaced = weight * (1 - same)
    added = _in_three(weight) * change + _in_three(replaced) * before
    return cv2.merge([*cv2.split(added), replaced])


def _find_kept(change: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """For a `change` [R, R, 3]: where the network drew the target again, and where the photograph stays; [r, r] in [0,
    1].

    Both are blurred over a 64th of the crop, so a grid of `_SMOOTH_PX` holds them, whatever the crop's size.
    """
    size = change.shape[0]
    coarse = _fit(change, min(size, _SMOOTH_PX))
    blur = max(coarse.shape[0] / 64, 0.5)
    if coarse is not change:
        blur = (blur**2 - _GRID_VARIANCE) ** 0.5
    shift = cv2.GaussianBlur(coarse, (0, 0), blur)  # signed: what a network redraws a little differently averages out
    amount = cv2.GaussianBlur(np.abs(shift).max(2), (0, 0), blur)
    same = np.exp(-((amount / _SAME_CHANGE) ** 2))  # 1 where the network drew the target again
    if mask is None:
        return same, np.zeros_like(same)
    fitted = _fit(mask.astype(np.float32), coarse.shape[0])
    return same, _smooth_step(cv2.GaussianBlur(fitted, (0, 0), blur), *_KEPT_MASK) * same


def _fit(values: np.ndarray, size: int) -> np.ndarray:
    """`values` [r, r, ...] at [size, size, ...]: averaged where that is smaller, between neighbours where it is
    larger."""
    if values.shape[0] == size:
        return values
    return cv2.resize(
        values, (size, size), interpolation=cv2.INTER_AREA if size < values.shape[0] else cv2.INTER_LINEAR
    )


def _in_three(values: np.ndarray) -> np.ndarray:
    """[H, W] three times, [H, W, 3]: OpenCV multiplies such arrays many times faster than NumPy broadcasts."""
    return cv2.cvtColor(values, cv2.COLOR_GRAY2RGB)


def soft_edge(size: int) -> np.ndarray:
    """Weight of a crop's pixels: float32 [size, size], 0 on the border, rising smoothly to 1 inside."""
    from_border = (np.minimum(np.arange(size), np.arange(size)[::-1]) / (size * _EDGE_SHARE)).astype(np.float32)
    ramp = _smooth_step(from_border, 0.0, 1.0)
    return ramp[:, None] * ramp[None, :]


def _smooth_step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, a cubic with flat ends between."""
    share = np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
    return share * share * (3 - 2 * share)


def _enlarge(maps: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Maps, matrix and OpenCV's interpolation to sample the maps with, a cubic all in all.

    Maps much coarser than the photograph are enlarged by a cubic first and then sampled linearly: a warp by a cubic is
    far slower.
    """
    factor = min(int(1 / scale_of(matrix)), _MOST_ENLARGED, _LARGEST_ENLARGED_PX // maps.shape[0])
    if factor < 2:
        return maps, matrix, cv2.INTER_CUBIC
    side = maps.shape[0] * factor
    enlarged = cv2.resize(maps, (side, side), interpolation=cv2.INTER_CUBIC)
    _clear_border(enlarged, factor)
    return enlarged, rescale(matrix, factor), cv2.INTER_LINEAR


def _clear_border(maps: np.ndarray, width: int) -> None:
    maps[:width] = maps[-width:] = maps[:, :width] = maps[:, -width:] = 0


def _warp_window(
    maps: np.ndarray, matrix: np.ndarray, window: tuple[int, int, int, int], interpolation: int
) -> np.ndarray:
    """Sample `maps` for the `window` (left, top, width, height) of the photograph: [height, width, 4]; 0 outside the
    crop."""
    left, top, width, height = window
    there = cut_off(matrix, left, top)
    return cv2.warpAffine(
        maps, there, (width, height), flags=interpolation | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT
    )
