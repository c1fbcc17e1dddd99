"""From a locator's maps to faces: decoding, the two looks, overlaps, bad input. The graph is a stand-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from facechange.faces.closer_look import look_closer

from facechange.core import Face, FaceError
from facechange.faces.locate import FINE_PX, STRIDES, UNITS_PX, FaceLocator, decode_maps, shrink, suppress_overlaps, to_input


def empty_maps(height: int, width: int) -> dict[str, np.ndarray]:
    maps = {f"stride_{s}": np.zeros((1, 15, height // s, width // s), np.float32) for s in STRIDES}
    for cells in maps.values():
        cells[:, 0] = -10
    return maps


class WhiteSquareGraph:
    """Claims the bounding box of all white pixels, by the map whose unit is closest."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        picture = inputs["picture"]
        self.shapes.append(picture.shape)
        assert picture.dtype == np.float32 and picture.min() >= -1 and picture.max() <= 1
        each = [self.claim(pixels) for pixels in picture[:, 0]]
        return {name: np.concatenate([maps[name] for maps in each]) for name in each[0]}

    def claim(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        maps = empty_maps(*pixels.shape)
        rows, columns = np.nonzero(pixels > 0.5)
        if rows.size:
            low, high = np.array([columns.min(), rows.min()]), np.array([columns.max() + 1, rows.max() + 1])
            size, middle = high - low, (low + high - 1) / 2
            stride = min(STRIDES, key=lambda s: abs(np.log(UNITS_PX[s] / size.max())))
            column, row = (middle / stride).astype(int)
            centre = (np.array([column, row]) + 0.5) * stride - 0.5
            values = np.concatenate([[5.0], (middle - centre) / stride, np.log(size / UNITS_PX[stride])])
            points = np.tile((middle - centre) / UNITS_PX[stride], 5)
            maps[f"stride_{stride}"][0, :, row, column] = np.concatenate([values, points])
        return maps


@pytest.mark.parametrize(("height", "width", "square"), [(2400, 3200, 120), (480, 640, 200), (90, 70, 40), (900, 300, 40)])
def test_a_face_comes_back_in_pixels_of_the_picture(height: int, width: int, square: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    left, top = width // 2 - square // 3, height // 3
    image[top : top + square, left : left + square] = 255
    faces = FaceLocator(WhiteSquareGraph()).locate(image)
    shown_width, shown_height = min(square, width - left), min(square, height - top)
    tolerance = 1.5 * max(1.0, max(height, width) / FINE_PX)
    assert len(faces) >= 1
    finest = min(faces, key=lambda face: abs(face.box[2] - shown_width))
    np.testing.assert_allclose(finest.box, (left - 0.5, top - 0.5, shown_width, shown_height), atol=tolerance)
    np.testing.assert_allclose(finest.points, np.tile([left + (shown_width - 1) / 2, top + (shown_height - 1) / 2], (5, 1)), atol=tolerance)
    assert finest.score == pytest.approx(1 / (1 + np.exp(-5)))  # seen again, as surely


def test_two_looks_at_a_large_picture_one_at_a_small_one() -> None:
    graph = WhiteSquareGraph()
    FaceLocator(graph).locate(np.zeros((3000, 4000, 3), np.uint8))
    assert graph.shapes == [(1, 3, 288, 352), (1, 3, 1216, 1600)]
    graph.shapes.clear()
    FaceLocator(graph).locate(np.zeros((20, 30, 3), np.uint8))
    assert graph.shapes == [(1, 3, 32, 64)]


def test_a_claim_that_no_closer_look_could_save_gets_none() -> None:
    """Of a small face that the first look gives 0.5 the mean of both looks stays under 0.77."""

    class Weak(WhiteSquareGraph):
        def claim(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
            maps = super().claim(pixels)
            for cells in maps.values():
                cells[:, 0] = np.minimum(cells[:, 0], 0)
            return maps

    image = np.zeros((600, 600, 3), np.uint8)
    image[300:340, 300:340] = 255
    for threshold, looks in ((0.77, 2), (0.7, 3)):
        graph = Weak()
        FaceLocator(graph, threshold).locate(image)
        assert len(graph.shapes) == looks


def test_decoding_by_hand() -> None:
    maps = empty_maps(64, 96)
    maps["stride_16"][0, :, 1, 2] = [0.0, 0.25, -0.5, np.log(0.5), 0.0, *np.arange(10) / 10]
    scores, boxes, points = decode_maps(maps, 0.5)
    centre = np.array([2.5 * 16 - 0.5, 1.5 * 16 - 0.5])
    np.testing.assert_allclose(scores, [0.5])
    np.testing.assert_allclose(boxes, [[centre[0] + 4 - 15, centre[1] - 8 - 30, 30, 60]], rtol=1e-6)
    np.testing.assert_allclose(points[0], centre + 60 * np.arange(10).reshape(5, 2) / 10, rtol=1e-6)


def test_overlapping_claims_leave_the_best() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 10, 10], [20, 0, 10, 10], [22, 2, 4, 4]], float)
    assert suppress_overlaps(boxes, np.array([0.6, 0.9, 0.7, 0.8])) == [1, 3, 2]
    assert suppress_overlaps(np.zeros((0, 4)), np.zeros(0)) == []


class Fixed:
    """Claims a face of 20 px near a corner and one of 60 px in the middle, whatever it is shown."""

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        maps = empty_maps(64, 64)
        maps["stride_8"][0, 0, 1, 1], maps["stride_16"][0, 0, 3, 3] = 4.0, 1.0
        return {name: cells.repeat(len(inputs["picture"]), 0) for name, cells in maps.items()}


def test_the_largest_face_comes_first_and_claims_not_seen_again_fall() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    faces = FaceLocator(Fixed(), threshold=0.5).locate(image)
    assert [face.size_px for face in faces] == pytest.approx([60, 20])
    sure = 1 / (1 + np.exp(-4))
    assert faces[1].score == pytest.approx(sure / 2)  # no closer look shows a face in its middle
    assert FaceLocator(Fixed(), threshold=0.7).locate(image) == []  # large claims may score 0.2 less


def test_a_closer_look_is_upright_and_mirrored() -> None:
    """The points come back through the turn, and the mirrored look's change sides."""
    upright = np.array([[80.0, 80], [112, 80], [96, 96], [84, 112], [108, 112]])  # in the look

    def decode(maps: Mapping[str, np.ndarray], threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mirrored, shift = maps["which"][0] == 1, np.array([2, 0])
        points = (np.array([191, 0]) + upright * (-1, 1))[[1, 0, 2, 4, 3]] + shift if mirrored else upright + shift
        return np.array([0.9 if mirrored else 0.7]), np.array([[48.0, 48, 96, 96]]), points[None]

    rolled = np.array([[100.0, 100], [100, 132], [84, 116], [68, 104], [68, 128]])  # a quarter turn clockwise
    claim = Face((60.0, 92.0, 48.0, 48.0), rolled, 0.5)
    image = np.zeros((300, 300, 3), np.uint8)
    (seen,) = look_closer(image, [claim], lambda crops: {"which": np.arange(len(crops))}, decode)
    assert seen.score == pytest.approx((0.5 + 0.8) / 2)
    expected = np.array([84, 116]) + (upright[:, ::-1] - 95.5) * (-1, 1) / 2  # the two looks' errors of 2 px cancel out
    np.testing.assert_allclose(seen.points, expected, atol=1e-3)


def test_input_is_padded_with_grey_to_multiples_of_32() -> None:
    tensor = to_input(np.full((30, 40, 3), 255, np.uint8), margin=3)
    assert tensor.shape == (1, 3, 64, 64)
    np.testing.assert_allclose(tensor[0, :, 3:33, 3:43], 1)
    assert np.abs(tensor[0, :, 33:]).max() < 0.01 and np.abs(tensor[0, :, :3]).max() < 0.01


def test_shrinking_averages_fine_texture() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    small = shrink(stripes, 0.1)
    assert small.shape == (40, 40, 3) and abs(int(small.min()) - 127) < 4 and abs(int(small.max()) - 127) < 4
    assert shrink(stripes, 1.2) is stripes


@pytest.mark.parametrize("image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8)])
def test_other_arrays_are_refused(image: np.ndarray) -> None:
    with pytest.raises(FaceError, match="uint8 RGB"):
        FaceLocator(WhiteSquareGraph()).locate(image)
