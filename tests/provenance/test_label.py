"""The visible label: where it is, that it can be read on anything, and that it touches nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from facechange.core import SettingsError
from facechange.provenance.label import draw_label


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_only_its_corner_changes(corner: str, dtype: type) -> None:
    pixels = np.full((600, 800, 3), np.iinfo(dtype).max // 2, dtype)
    labelled = draw_label(pixels, "AI", corner)
    rows, columns = np.nonzero((labelled != pixels).any(2))
    assert labelled.dtype == dtype and (pixels == np.iinfo(dtype).max // 2).all()
    assert (rows.max() < 100) if corner.startswith("top") else (rows.min() >= 500)
    assert (columns.max() < 200) if corner.endswith("left") else (columns.min() >= 600)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_letters_stand_out_on_any_background(level: int) -> None:
    pixels = np.full((1000, 1000, 3), level, np.uint8)
    labelled = draw_label(pixels, "AI")
    plate = labelled[-80:, -120:]
    assert plate.max() == 255, "white letters"
    dark = plate.reshape(-1, 3).min(1) < 70  # the plate: even on white a contrast of more than 7 to 1
    assert dark.sum() > 300


def test_it_grows_with_the_picture() -> None:
    heights = []
    for side in (400, 4000):
        pixels = np.full((side, side, 3), 100, np.uint8)
        rows, _ = np.nonzero((draw_label(pixels, "AI") != pixels).any(2))
        heights.append(np.ptp(rows) + 1)
    assert heights[1] == pytest.approx(10 * heights[0], rel=0.1)


def test_a_long_text_gets_smaller_and_a_too_long_one_is_refused() -> None:
    pixels = np.full((400, 400, 3), 100, np.uint8)
    _, columns = np.nonzero((draw_label(pixels, "Composed with generative AI, with consent") != pixels).any(2))
    assert columns.min() >= 0 and np.ptp(columns) < 400
    with pytest.raises(SettingsError, match="does not fit"):
        draw_label(pixels, "word " * 40)
    with pytest.raises(SettingsError, match="does not fit"):
        draw_label(pixels[:8, :8], "AI")


@pytest.mark.parametrize("text", ["", " \n "])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="no text"):
        draw_label(np.zeros((100, 100, 3), np.uint8), text)


def test_letters_that_no_font_has_are_refused() -> None:
    with pytest.raises(SettingsError, match="every letter"):
        draw_label(np.zeros((400, 400, 3), np.uint8), "AI \U0010fffd")
