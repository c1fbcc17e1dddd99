"""The classical baseline: landmarks arrive where they should, and nothing but the face is touched."""

from __future__ import annotations

import numpy as np

from facechange.evaluation.aligned_faces import AlignedFace
from facechange.evaluation.paste_source import paste_source, warp_landmarks
from facechange.faces.geometry import hull_mask

SIZE_PX = 96


def dots(landmarks: np.ndarray) -> np.ndarray:
    """A smooth light spot on black at each landmark: uint8 [96, 96, 3]."""
    rows, columns = np.indices((SIZE_PX, SIZE_PX))
    light = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8) for x, y in landmarks)
    return np.repeat(np.clip(255 * light, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_the_warp_carries_landmarks(face68: np.ndarray) -> None:
    corners = face68[[0, 8, 16, 30, 36, 45, 48, 54]]
    wanted = corners * 0.9 + (6, 2) + np.array([[0, 0], [0, 4], [0, 0], [3, 0], [0, 0], [-3, 0], [0, 0], [0, -2]])
    warped = warp_landmarks(dots(corners), corners, wanted)
    for x, y in np.round(wanted).astype(int):
        assert warped[y, x, 0] > 180
    assert np.abs(warp_landmarks(dots(corners), corners, corners).astype(int) - dots(corners)).max() <= 2


def test_only_the_hull_changes(face68: np.ndarray) -> None:
    random = np.random.default_rng(0)
    crops = [random.integers(80, 170, (SIZE_PX, SIZE_PX, 3)).astype(np.uint8) for _ in range(2)]
    source, target = (AlignedFace(crop, crop, face68[:5], face68, np.zeros(512)) for crop in crops)
    pasted = paste_source(source, target)
    hull = hull_mask(face68, SIZE_PX).astype(bool)
    assert (pasted[~hull] == target.crop[~hull]).all()
    assert np.corrcoef(pasted[hull].ravel(), target.crop[hull].ravel())[0, 1] < 0.3
    # the source's texture, in the target's tone
    assert np.corrcoef(pasted[hull].ravel(), source.crop[hull].ravel())[0, 1] > 0.7
    outside = AlignedFace(crops[1], crops[1], face68[:5], face68 + 500, np.zeros(512))
    assert (paste_source(source, outside) == outside.crop).all()  # a face that is not in the crop
