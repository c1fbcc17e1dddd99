"""Sheets to look at: every crop in its place, and the right pairs chosen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.evaluation import (
    AlignedFaces,
    Case,
    LabelledFaces,
    ShownCases,
    SyntheticFaces,
    draw_comparison_grid,
    mark_crop,
)
from facechange.evaluation.aligned_faces import AlignedFace


@pytest.mark.parametrize(("triples", "size"), [(1, 64), (3, 256), (4, 300)])
def test_grid_shows_each_crop_in_its_place(triples: int, size: int) -> None:
    colours = [[(40 * number, 10 + 80 * cell, 200) for cell in range(3)] for number in range(triples)]
    crops = [tuple(np.full((size, size, 3), colour, np.uint8) for colour in row) for row in colours]
    sheet = draw_comparison_grid(crops).pixels
    for number, row in enumerate(colours):
        for cell, colour in enumerate(row):
            y = 28 + (number // 2) * 264 + 128
            x = (number % 2) * (3 * 256 + 8) + cell * 256 + 128
            assert tuple(sheet[y, x]) == colour
    assert cv2.countNonZero((sheet[:28] < 100).astype(np.uint8)[..., 0]) > 50  # headings are written


@pytest.mark.parametrize("made", [False, True])
def test_the_best_and_the_worst_are_shown_and_what_is_changed_is_known(face68: np.ndarray, made: bool) -> None:
    def case(number: int, cosine: float) -> Case:
        crop = np.full((64, 64, 3), 25 * number, np.uint8)
        face = AlignedFace(crop, crop, face68[:5], face68 * (64 / 96), np.zeros(512))
        return Case(number, cosine, face, face, crop)

    shown = ShownCases(first=2, extreme=2, made=made)
    for number, cosine in enumerate((0.5, 0.1, 0.9, 0.7, -0.2)):
        shown(case(number, cosine))
    assert [[kept.number for kept in cases] for cases in (shown.first, shown.best, shown.worst)] == [
        [0, 1],
        [2, 3],
        [4, 1],
    ]
    drawn = shown.draw_extremes()
    sheet = drawn.pixels
    assert sheet.shape == (28 + 2 * 284, 2 * 776 - 8, 3)
    middles = [[sheet[28 + row * 284 + 128, column * 776 + 128, 0] for column in range(2)] for row in range(2)]
    assert middles == [[50, 100], [75, 25]]
    assert (sheet[28 + 256 : 28 + 284] < 100).any()  # the captions
    # of each pair of three cells: the result, and what was made before
    columns = [face.box[0] // 256 for face in drawn.faces]
    assert columns == ([0, 1, 2, 3, 4, 5] if made else [2, 5]) * 2
    beside, marked = shown.draw_beside_paste().pixels, shown.draw_beside_paste().faces
    assert [face.box[0] // 256 for face in marked] == ([0, 1, 2, 3, 4, 5, 6, 7] if made else [2, 3, 6, 7])
    assert beside.shape == (28 + 256, 2 * (4 * 256 + 8) - 8, 3)
    middles = [beside[28 + 128, 1032 + cell * 256 + 128, 0] for cell in range(4)]
    assert middles == [25, 25, 25, 25]  # the second pair: a face of one colour, pasted onto itself


def test_the_model_s_own_faces_keep_their_targets_landmarks(faces_folder: Path) -> None:
    faces = AlignedFaces(LabelledFaces(faces_folder), lambda crop: np.eye(512)[0], 64)
    made = SyntheticFaces(faces, lambda source, target: source.crop, 5, seed=3)
    again = AlignedFaces(made, lambda crop: np.eye(512)[0], 64)
    for index in range(5):
        assert np.abs(again[index].crop.astype(int) - made.read(index)).max() <= 1
        assert again[index].landmarks68 == pytest.approx(made.faces[index].landmarks68, abs=1e-6)


def test_a_mark_lies_where_the_sheet_shows_the_face() -> None:
    """The middle of a crop stays the middle of its cell, whatever the scale."""
    face = mark_crop(np.full((5, 2), 31.5), 64, 100, 40, 256)
    assert face.box == (100, 40, 256, 256)
    assert face.points == pytest.approx(np.array([[227.5, 167.5]] * 5))
