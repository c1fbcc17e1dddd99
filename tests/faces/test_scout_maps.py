"""From the scout's maps to detections: decoding, and what goes in."""

from __future__ import annotations

import numpy as np

from facechange.faces.scout_maps import STRIDES, decode_maps, to_input


def test_decoding_by_hand() -> None:
    maps = {f"stride_{s}": np.zeros((1, 15, 64 // s, 96 // s), np.float32) for s in STRIDES}
    for cells in maps.values():
        cells[:, 0] = -10
    maps["stride_16"][0, :, 1, 2] = [0.0, 0.25, -0.5, np.log(0.5), 0.0, *np.arange(10) / 10]
    scores, boxes, points = decode_maps(maps, 0.5)
    centre = np.array([2.5 * 16 - 0.5, 1.5 * 16 - 0.5])
    np.testing.assert_allclose(scores, [0.5])
    np.testing.assert_allclose(boxes, [[centre[0] + 4 - 15, centre[1] - 8 - 30, 30, 60]], rtol=1e-6)
    np.testing.assert_allclose(points[0], centre + 60 * np.arange(10).reshape(5, 2) / 10, rtol=1e-6)


def test_input_is_padded_with_grey_to_multiples_of_32() -> None:
    tensor = to_input(np.full((30, 40, 3), 255, np.uint8), margin=3)
    assert tensor.shape == (1, 3, 64, 64)
    np.testing.assert_allclose(tensor[0, :, 3:33, 3:43], 1)
    assert np.abs(tensor[0, :, 33:]).max() < 0.01 and np.abs(tensor[0, :, :3]).max() < 0.01
