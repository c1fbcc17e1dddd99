import numpy as np
import pytest

from facechange.core import Face, FaceError
from facechange.faces.select import select_faces


def face_at(x: float, side: float) -> Face:
    return Face((x, 40.0, side, side), np.zeros((5, 2), np.float32), 0.9)


FACES = [face_at(300, 80), face_at(10, 50), face_at(150, 60)]  # the largest first, as a locator gives them


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("all", [10, 150, 300]),
        ("largest", [300]),
        ("left", [10]),
        ("right", [300]),
        ("centre", [150]),
        ("1", [10]),
        ("3", [300]),
        (" Left ", [10]),
    ],
)
def test_selector_names_faces_left_to_right(selector: str, expected: list[int]) -> None:
    assert [face.box[0] for face in select_faces(FACES, selector, (400, 200))] == expected


@pytest.mark.parametrize("selector", ["0", "4", "-1", "biggest", ""])
def test_unknown_selector_says_what_is_possible(selector: str) -> None:
    with pytest.raises(FaceError) as error:
        select_faces(FACES, selector, (400, 200))
    assert error.value.remedy


def test_no_face_at_all() -> None:
    with pytest.raises(FaceError, match="No face"):
        select_faces([], "all", (400, 200))
