from pathlib import Path

import numpy as np
import pytest

from facechange.core import ContestedFaceError, Face, FaceError
from facechange.faces.select import Chosen, FaceSelector, choose_faces, left_to_right, parse_selectors

ANN, BEN = Path("ann.jpg"), Path("ben.jpg")


def face_at(x: float, side: float) -> Face:
    return Face((x, 40.0, side, side), np.zeros((5, 2), np.float32), 0.9)


FACES = left_to_right([face_at(300, 80), face_at(10, 50), face_at(150, 60)])  # the largest first, as a scout gives them


def choose(selection: FaceSelector, cosines: dict[Path, list[float]] | None = None) -> Chosen:
    return choose_faces(
        FACES, selection, (400, 200), {path: np.array(each) for path, each in (cosines or {}).items()}, 0.5
    )


def places(chosen: Chosen) -> list[tuple[float, int]]:
    return [(face.box[0], rule) for face, rule in zip(chosen.faces, chosen.rules, strict=True)]


def rules(*texts: str) -> FaceSelector:
    return FaceSelector(tuple(map(parse_selectors, texts)))


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
        ("3, 1", [10, 300]),
        (" Left ", [10]),
    ],
)
def test_selector_names_faces_left_to_right(selector: str, expected: list[int]) -> None:
    assert [face.box[0] for face in choose(FaceSelector.parse(selector)).faces] == expected


@pytest.mark.parametrize("selector", ["0", "4", "-1", "1,", "1,0", "biggest", "", "like:"])
def test_unknown_selector_says_what_is_possible(selector: str) -> None:
    with pytest.raises(FaceError) as error:
        choose(FaceSelector.parse(selector))
    assert error.value.remedy


def test_no_face_at_all() -> None:
    with pytest.raises(FaceError, match="No face"):
        choose_faces([], FaceSelector(), (400, 200), {}, 0.5)


def test_each_rule_names_its_own_face_and_all_names_the_rest() -> None:
    assert places(choose(rules("right", "left"))) == [(10, 1), (300, 0)]
    assert places(choose(rules("all", "2"))) == [(10, 0), (150, 1), (300, 0)]


def test_the_likest_pair_goes_together_and_a_face_for_whom_nobody_is_left_is_told() -> None:
    chosen = choose(rules("like:ann.jpg", "like:ben.jpg"), {ANN: [0.7, 0.6, 0.1], BEN: [0.9, 0.2, 0.1]})
    assert places(chosen) == [(10, 1), (150, 0)]
    chosen = choose(rules("like:ann.jpg", "like:ben.jpg"), {ANN: [0.7, 0.4, 0.1], BEN: [0.9, 0.2, 0.1]})
    assert places(chosen) == [(10, 1)]
    assert [error.message for error in chosen.unmet.values()] == ["No face is like the one in ann.jpg."]
    with pytest.raises(FaceError, match=r"ann\.jpg"):
        choose(rules("like:ann.jpg"), {ANN: [0.4, 0.4, 0.1]})


def test_one_face_for_two_rules_is_refused() -> None:
    with pytest.raises(ContestedFaceError, match=r"Face 3 of 3 from the left .* right and largest"):
        choose(rules("right", "largest"))
    with pytest.raises(FaceError, match="Two rules name the same face: left"):
        rules("left", "Left")
    assert places(choose(FaceSelector.parse("right", "largest"))) == [(300, 0)]  # one rule may say it twice


def test_all_but_leaves_those_whom_it_names_and_nobody_else() -> None:
    but_ann = FaceSelector.parse("like:ann.jpg", "3", all_but=True)
    assert places(choose(but_ann, {ANN: [0.6, 0.8, 0.2]})) == [(10, 0)]
    absent = choose(but_ann, {ANN: [0.4, 0.3, 0.2]})
    assert places(absent) == [(10, 0), (150, 0)] and len(absent.unmet) == 1
    with pytest.raises(FaceError, match="to stay"):
        choose(FaceSelector.parse("all", all_but=True))
