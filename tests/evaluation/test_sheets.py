"""Sheets to look at: every crop in its place, and the right pairs chosen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.evaluation import AlignedFaces, Case, LabelledFaces, MadeFaces, ShownCases, draw_comparison_grid, write_sheet
from facechange.evaluation.aligned_faces import AlignedFace


@pytest.mark.parametrize(("triples", "size"), [(1, 64), (3, 256), (4, 300)])
def test_grid_shows_each_crop_in_its_place(triples: int, size: int) -> None:
    colours = [[(40 * number, 10 + 80 * cell, 200) for cell in range(3)] for number in range(triples)]
    crops = [tuple(np.full((size, size, 3), colour, np.uint8) for colour in row) for row in colours]
    sheet = draw_comparison_grid(crops)
    for number, row in enumerate(colours):
        for cell, colour in enumerate(row):
            y = 28 + (number // 2) * 264 + 128
            x = (number % 2) * (3 * 256 + 8) + cell * 256 + 128
            assert tuple(sheet[y, x]) == colour
    assert cv2.countNonZero((sheet[:28] < 100).astype(np.uint8)[..., 0]) > 50  # headings are written


def test_the_best_and_the_worst_are_shown(face68: np.ndarray) -> None:
    def case(number: int, cosine: float) -> Case:
        crop = np.full((64, 64, 3), 25 * number, np.uint8)
        face = AlignedFace(crop, crop, face68[:5], face68 * (64 / 96), np.zeros(512))
        return Case(number, cosine, face, face, crop)

    shown = ShownCases(first=2, extreme=2)
    for number, cosine in enumerate((0.5, 0.1, 0.9, 0.7, -0.2)):
        shown(case(number, cosine))
    assert [[kept.number for kept in cases] for cases in (shown.first, shown.best, shown.worst)] == [[0, 1], [2, 3], [4, 1]]
    sheet = shown.draw_extremes()
    assert sheet.shape == (28 + 2 * 284, 2 * 776 - 8, 3)
    middles = [[sheet[28 + row * 284 + 128, column * 776 + 128, 0] for column in range(2)] for row in range(2)]
    assert middles == [[50, 100], [75, 25]]
    assert (sheet[28 + 256 : 28 + 284] < 100).any()  # the captions
    beside = shown.draw_beside_paste()
    assert beside.shape == (28 + 256, 2 * (4 * 256 + 8) - 8, 3)
    middles = [beside[28 + 128, 1032 + cell * 256 + 128, 0] for cell in range(4)]
    assert middles == [25, 25, 25, 25]  # the second pair: a face of one colour, pasted onto itself


def test_the_model_s_own_faces_keep_their_targets_landmarks(faces_folder: Path) -> None:
    faces = AlignedFaces(LabelledFaces(faces_folder), lambda crop: np.eye(512)[0], 64)
    made = MadeFaces(faces, lambda source, target: source.crop, 5, seed=3)
    again = AlignedFaces(made, lambda crop: np.eye(512)[0], 64)
    for index in range(5):
        assert np.abs(again[index].crop.astype(int) - made.read(index)).max() <= 1
        assert again[index].landmarks68 == pytest.approx(made.faces[index].landmarks68, abs=1e-6)


@pytest.mark.parametrize(("name", "start"), [("sheet.png", b"\x89PNG"), ("sheet.jpg", b"\xff\xd8"), ("sheet", b"\x89PNG")])
def test_a_sheet_is_of_the_kind_its_name_says(name: str, start: bytes, tmp_path: Path) -> None:
    sheet = np.full((40, 60, 3), (250, 120, 10), np.uint8)
    write_sheet(sheet, tmp_path / name)
    encoded = (tmp_path / name).read_bytes()
    assert encoded.startswith(start)
    read = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(read.astype(int) - sheet).max() <= 3
