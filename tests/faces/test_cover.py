"""A covered face: nothing of it is left inside its region, and nothing changes far from it."""

import cv2
import numpy as np
import pytest

from facechange.core import Face
from facechange.faces.cover import LEVELS, Cover, cover_face, face_region

POINTS = np.array([[85, 90], [115, 90], [100, 108], [88, 122], [112, 122]], np.float32)
FACE = Face((70, 65, 60, 75), POINTS, 0.9)


def inside(region: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(region).astype(np.int32), 1)
    return mask > 0


def test_the_region_holds_points_and_box_with_a_margin_also_where_they_disagree() -> None:
    for face in (FACE, Face((70, 65, 60, 75), POINTS + 40, 0.9, doubtful=True)):
        region = face_region(face)
        x, y, width, height = face.box
        middles = [
            [x + width / 2, y - 3],
            [x + width / 2, y + height + 3],
            [x - 3, y + height / 2],
            [x + width + 3, y + height / 2],
        ]
        for point in [*face.points.tolist(), *middles]:
            assert cv2.pointPolygonTest(region.astype(np.float32), point, True) > 0, point


@pytest.mark.parametrize("cover", ["blur", "mosaic", "box"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_pixel_of_the_face_is_another_and_no_detail_is_left(cover: Cover, kind: type) -> None:
    peak = np.iinfo(kind).max
    picture = np.random.default_rng(0).choice(np.array([0.02, 0.98]), (220, 200, 3))
    picture = (picture * peak).astype(kind)
    covered = picture.copy()
    cover_face(covered, FACE, cover, LEVELS.get(cover, (0.2,))[0])
    region = inside(face_region(FACE), picture.shape)
    far = ~inside(face_region(FACE) * 1.0, picture.shape)
    far &= cv2.dilate(region.astype(np.uint8), np.ones((81, 81), np.uint8)) == 0
    assert np.array_equal(covered[far], picture[far])
    if cover == "box":
        assert not covered[region].any()
        return
    assert (covered[region] != picture[region]).all()
    window = covered[80:130, 80:120].astype(np.float64) / peak
    assert window.std() < 0.1 * (picture[80:130, 80:120] / peak).std()


def test_a_grey_picture_stays_grey_and_a_face_at_the_border_is_covered() -> None:
    grey = np.repeat(np.random.default_rng(1).integers(0, 255, (120, 110, 1), np.uint8), 3, 2)
    covered = grey.copy()
    cover_face(covered, FACE, "blur")
    assert np.ptp(covered, axis=2).max() == 0
    assert covered[60:115, 75:109].std() < 0.3 * grey.std()
    outside = Face((300, 300, 20, 20), POINTS + 200, 0.9)
    cover_face(covered, outside, "box")  # nothing to do, and no error
