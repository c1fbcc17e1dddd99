"""Brows and eye sockets beside the cheeks: patches are found, light and skin of another colour are none."""

from __future__ import annotations

import numpy as np
import pytest

from facechange.metrics.fidelity import NaturalSpread, face_regions, measure_regions, natural_evenness68, natural_spread

SIZE_PX = 96


def paint_regions(face68: np.ndarray, skin: int, brows: int) -> np.ndarray:
    """A face of the grey `skin` whose brows have the grey `brows`."""
    crop = np.full((SIZE_PX, SIZE_PX, 3), skin, np.uint8)
    for brow, _, _ in face_regions(face68, SIZE_PX):
        crop[brow > 0] = brows
    return crop


@pytest.fixture
def natural(face68: np.ndarray) -> NaturalSpread:
    """Faces of many skins, whose brows are darker by 20 to 40 levels."""
    crops = [paint_regions(face68, skin, skin - 20 - number) for number, skin in enumerate(range(80, 241, 8))]
    return natural_spread(np.stack([measure_regions(crop, face68) for crop in crops]))


def test_regions_lie_apart_and_on_their_sides(face68: np.ndarray) -> None:
    sides = face_regions(face68, SIZE_PX)
    for number, side in enumerate(sides):
        assert all(20 < region.sum() < 400 for region in side)
        assert sum(side).max() == 1
        assert all((np.nonzero(region)[1].mean() > 48) == bool(number) for region in side)  # the viewer's left first
    eye = np.rint(face68[36:42].mean(0)).astype(int)
    assert all(region[eye[1], eye[0]] == 0 for region in sides[0])


def test_a_pale_brow_and_a_green_ghost_stand_out(face68: np.ndarray, natural: NaturalSpread) -> None:
    even = paint_regions(face68, 150, 120)
    pale, green, darker = even.copy(), even.copy(), paint_regions(face68, 90, 60)
    brow, socket, _ = face_regions(face68, SIZE_PX)[1]
    pale[brow > 0] = 175
    green[socket > 0] = (140, 155, 140)
    assert natural_evenness68(even, face68, natural) < 1
    assert natural_evenness68(darker, face68, natural) < 1  # another skin or light, evenly
    assert natural_evenness68(pale, face68, natural) > 1.5
    assert natural_evenness68(green, face68, natural) > 2.5


def test_regions_are_measured_against_the_cheek_in_cielab(face68: np.ndarray) -> None:
    measured = measure_regions(paint_regions(face68, 119, 0), face68)  # L* of 119 is 50, of 0 is 0
    assert measured[[0, 2], 0] == pytest.approx(-50, abs=0.5)
    assert measured[[1, 3]] == pytest.approx(0, abs=0.01)
