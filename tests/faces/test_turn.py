import numpy as np
import pytest

from facechange.core import Face, FaceError
from facechange.faces.mean_face68 import read_mean_face
from facechange.faces.turn import BEYOND, FOLLOWED, check_followed, is_beyond, share_followed, turn_of

MEAN = read_mean_face()[0]
FIVE = np.stack([MEAN[36:42].mean(0), MEAN[42:48].mean(0), MEAN[30], MEAN[48], MEAN[54]])


def view(yaw: float, pitch: float = 0.0, lean: float = 0.0) -> np.ndarray:
    """The five points [5, 2] px of the mean face, turned by degrees about the axes down, across and away."""
    points = FIVE
    for degrees, (one, other) in ((yaw, (0, 2)), (pitch, (1, 2)), (lean, (0, 1))):
        angle = np.radians(degrees)
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = np.sin(angle), -np.sin(angle)
        points = points @ turn.T
    return (80 * points[:, :2] + (300, 200)).astype(np.float32)


def face(points: np.ndarray) -> Face:
    return Face((0, 0, 100, 100), points, 0.9)


@pytest.mark.parametrize("yaw", [0, 20, 35, -35, 60, 85])
@pytest.mark.parametrize("lean", [0, 90, 200])
def test_the_turn_is_told_however_the_head_leans(yaw: float, lean: float) -> None:
    assert turn_of(view(yaw, 0, lean)) == pytest.approx(abs(yaw), abs=0.1)


def test_up_and_down_count_as_much_as_sideways() -> None:
    assert turn_of(view(0, 45)) == pytest.approx(45, abs=0.1)
    assert turn_of(view(0, -45)) == pytest.approx(45, abs=0.1)


def test_what_is_too_far_is_known_and_the_change_goes_smoothly_before_that() -> None:
    shares = [share_followed(view(yaw)) for yaw in np.arange(FOLLOWED, BEYOND + 0.01, 0.5)]
    assert shares[0] == pytest.approx(1, abs=1e-4) and shares[-1] == pytest.approx(0, abs=1e-4)
    assert max(-np.diff(shares)) < 0.1 and min(-np.diff(shares)) >= 0
    near, far, mirrored = face(view(10)), face(view(60)), face(view(0)[[1, 0, 2, 4, 3]])
    assert [is_beyond(each) for each in (near, far, mirrored)] == [False, True, True]
    check_followed([near, far])
    check_followed([])
    with pytest.raises(FaceError, match="by 60 degrees"):
        check_followed([far])
