"""A visible label in a corner, for those who have to say, or want to, that a picture was made with a model."""

from __future__ import annotations

import contextlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facechange.core import SettingsError

HEIGHT_SHARE = 0.05  # of the picture's shorter side
LEAST_PX = 12  # below this letters cannot be read
LONGEST_SHARE = 0.9  # of the picture's width; a longer text gets smaller
OPACITY = 0.75  # of the plate behind the letters
# Fonts that systems have, by what they can write; asked for only where Pillow's own lacks a letter.
SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "arial.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "PingFang.ttc",
    "msyh.ttc",
    "wqy-zenhei.ttc",
)


def draw_label(pixels: np.ndarray, text: str, corner: str = "bottom-right") -> np.ndarray:
    """A copy of `pixels` [H, W, 3] (uint8 or uint16 RGB) with `text` in `corner` ("top-left" ... "bottom-right").

    White letters on a dark plate, so that they can be read on any background. Raises `SettingsError` where the text is
    empty, has letters that no font here has, or does not fit legibly.
    """
    height, width = pixels.shape[:2]
    coverage = _draw_letters(
        text, round(max(HEIGHT_SHARE * min(height, width), LEAST_PX)), round(LONGEST_SHARE * width)
    )
    rows, columns = coverage.shape
    margin = rows // 2
    if rows + 2 * margin > height or columns + margin > width:
        raise SettingsError(
            f'The label "{text}" does not fit a picture of {width} x {height} pixels.', "Shorten marking.label_text."
        )
    top = margin if corner.startswith("top") else height - margin - rows
    left = min(margin, width - columns) if corner.endswith("left") else max(width - margin - columns, 0)
    labelled = pixels.copy()
    part = labelled[top : top + rows, left : left + columns]
    peak = np.iinfo(pixels.dtype).max
    plate = part.astype(np.float32) * (1 - OPACITY)
    letters = coverage[..., None].astype(np.float32) / 255
    part[...] = np.rint(plate * (1 - letters) + peak * letters).astype(pixels.dtype)
    return labelled


def _draw_letters(text: str, height_px: int, widest_px: int) -> np.ndarray:
    """How much of each pixel of the plate the letters of `text` cover: uint8 [rows, columns], at most `widest_px`
    wide."""
    text = " ".join(text.split())
    if not text:
        raise SettingsError("The label has no text.", "Set marking.label_text, or marking.label = false.")
    while True:
        font = _find_font(text, height_px * 0.7)
        padding = height_px // 3
        columns = round(font.getlength(text)) + 2 * padding
        if columns <= widest_px or height_px <= LEAST_PX:
            break
        height_px = max(int(height_px * widest_px / columns), LEAST_PX)
    plate = Image.new("L", (columns, height_px))
    ImageDraw.Draw(plate).text((padding, height_px / 2), text, fill=255, font=font, anchor="lm")
    return np.asarray(plate)


def _find_font(text: str, size_px: float) -> ImageFont.FreeTypeFont:
    """Pillow's own font, else the first of the system's that has every letter of `text`."""
    own = ImageFont.load_default(size=size_px)
    assert isinstance(own, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    if _has_letters(own, text):
        return own
    for name in SYSTEM_FONTS:
        with contextlib.suppress(OSError):  # not installed
            font = ImageFont.truetype(name, size_px)
            if _has_letters(font, text):
                return font
    raise SettingsError(f'No font here has every letter of the label "{text}".', "Install one, such as Noto Sans CJK.")


def _has_letters(font: ImageFont.FreeTypeFont, text: str) -> bool:
    missing = bytes(font.getmask("\U0010ffff"))  # the box drawn for a letter that is not there
    return all(bytes(font.getmask(letter)) != missing for letter in set(text) - {" "})
