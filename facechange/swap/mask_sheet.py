"""Draw one change and its control masks on a sheet, as in the patent's Fig. 6."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_TILE_PX = 128
_GAP_PX = 16
_LABEL_PX = 24
_BACKGROUND, _INK = (255, 255, 255), (32, 32, 32)


def draw_mask_sheet(source: np.ndarray, target: np.ndarray, result: np.ndarray, masks: list[np.ndarray]) -> np.ndarray:
    """A sheet uint8 [H, W, 3]: three square crops uint8 [S, S, 3] above, `masks` [h, w] in [0, 1] below.

    A column is a resolution, coarse to fine; its rows are the layers of the block. White keeps the target's pixel.
    """
    columns: dict[int, list[np.ndarray]] = {}
    for mask in masks:
        columns.setdefault(mask.shape[0], []).append(mask)
    crop_px = source.shape[0]
    rows = max(map(len, columns.values()), default=0)
    crops_width, masks_width = _widths(crop_px, len(columns))
    width = max(crops_width, masks_width)
    masks_top = _GAP_PX + _LABEL_PX + crop_px + _GAP_PX
    height = masks_top + 2 * _LABEL_PX + rows * (_TILE_PX + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)

    def place(image: np.ndarray, left: int, top: int, side: int) -> None:
        sheet.paste(Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST), (left, top))

    def write(text: str, left: int, top: int, size: int) -> None:
        draw.text((left, top), text, fill=_INK, font=ImageFont.load_default(size))

    left = (width - crops_width) // 2 + _GAP_PX
    for label, crop in (("source", source), ("target", target), ("result", result)):
        write(label, left, _GAP_PX, 16)
        place(crop, left, _GAP_PX + _LABEL_PX, crop_px)
        left += crop_px + _GAP_PX
    left = (width - masks_width) // 2 + _GAP_PX
    write("control masks, coarse to fine: white keeps the target's pixel", left, masks_top, 16)
    for resolution, layers in columns.items():
        write(f"{resolution} x {resolution}", left, masks_top + _LABEL_PX, 14)
        for row, mask in enumerate(layers):
            top = masks_top + 2 * _LABEL_PX + row * (_TILE_PX + _GAP_PX)
            place(np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8), left, top, _TILE_PX)
            draw.rectangle((left - 1, top - 1, left + _TILE_PX, top + _TILE_PX), outline=_INK)
        left += _TILE_PX + _GAP_PX
    return np.asarray(sheet)


def places_of_crops(crop_px: int, masks: list[np.ndarray]) -> list[tuple[int, int]]:
    """Left and top of source, target and result, of side `crop_px`, on the sheet that `draw_mask_sheet` makes with
    `masks`."""
    crops_width, masks_width = _widths(crop_px, len({mask.shape[0] for mask in masks}))
    left = (max(crops_width, masks_width) - crops_width) // 2 + _GAP_PX
    return [(left + number * (crop_px + _GAP_PX), _GAP_PX + _LABEL_PX) for number in range(3)]


def _widths(crop_px: int, resolutions: int) -> tuple[int, int]:
    """How wide the row of three crops is, and the rows of masks, with the gaps around them."""
    return 3 * crop_px + 4 * _GAP_PX, resolutions * (_TILE_PX + _GAP_PX) + _GAP_PX
