"""An anonymised face is compared with the original, and what no change makes unlike is covered and said."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facechange.core import Changed, Face
from facechange.images import as_picture
from facechange.runtime import load_graph
from facechange.runtime.crops import ChangedCrops
from facechange.swap import Swapper
from facechange.swap.anonymize import DOUBTFUL, STILL_ALIKE, TOO_SMALL, anonymize_faces
from facechange.swap.swapper import blend_identities

ORANGE, YELLOW, BLUSH = (230, 110, 60), (235, 190, 40), (230, 60, 140)
Draw = Callable[..., np.ndarray]


class Assigned:
    """Hands out `first`, or the original itself, and then `others`."""

    hides, everyone, recognised, sources = True, None, None, ()

    def __init__(self, first: np.ndarray | None = None, others: Sequence[np.ndarray] = ()) -> None:
        self.first, self.others = first, list(others)

    def identity_for(self, original: np.ndarray) -> np.ndarray:
        return original if self.first is None else self.first

    def another_for(self, original: np.ndarray, tried: Sequence[np.ndarray]) -> np.ndarray:
        return self.others[len(tried) - 1] if self.others else original


@pytest.fixture
def swapper(toy_swapper: Swapper, identity_path: Path, change_path: Path, monkeypatch: pytest.MonkeyPatch) -> Swapper:
    """With two networks that compare; colours are all rather alike."""
    monkeypatch.setattr("facechange.swap.likeness.RECOGNIZER_ALIKE", 0.9)
    return Swapper(
        toy_swapper._detector, *(load_graph(path, 1) for path in (identity_path, change_path, identity_path))
    )


@pytest.fixture
def idle(swapper: Swapper, monkeypatch: pytest.MonkeyPatch) -> Swapper:
    """A model that changes nothing."""

    def change(crops: np.ndarray, identity: np.ndarray, with_masks: bool = False) -> ChangedCrops:
        same = crops.astype(np.float32) / 255
        return ChangedCrops(same, same, [[] for _ in crops])

    monkeypatch.setattr(swapper, "change_crops", change)
    return swapper


def identity_of(swapper: Swapper, draw: Draw, colour: tuple[int, int, int]) -> np.ndarray:
    return swapper.identify(draw({(200, 150): colour}, height=160))


def anonymize(swapper: Swapper, picture: np.ndarray, assignment: Assigned, **options: str) -> Changed:
    return anonymize_faces(swapper, as_picture(picture), swapper.find_all(picture), assignment, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("fallback", ["blur", "mosaic", "box"])
def test_a_change_that_does_nothing_is_noticed_and_the_face_is_covered(
    idle: Swapper, faces_picture: Draw, fallback: str
) -> None:
    picture = faces_picture({(200, 150): ORANGE}, height=160)
    changed = anonymize(idle, picture, Assigned(), fallback=fallback)
    (outcome,) = changed.outcomes
    assert outcome.is_covered and outcome.why == STILL_ALIKE and not outcome.like_original
    assert outcome.done in (fallback, "box")
    face = outcome.face
    x, y, width, height = map(int, face.box)
    middle = slice(y + height // 4, y + 3 * height // 4), slice(x + width // 4, x + 3 * width // 4)
    assert (changed.image[middle] != picture[middle]).any(2).mean() > 0.95
    assert not idle.comparer.are_alike(
        idle.comparer.cosines(idle.comparer.read(picture, [face]), idle.comparer.read(changed.image, [face]))[0]
    ) or (outcome.done == "box" or not idle.detect(changed.image))


def test_another_persona_is_tried_before_anything_is_covered(swapper: Swapper, faces_picture: Draw) -> None:
    picture = faces_picture({(200, 150): ORANGE}, height=160)
    other = identity_of(swapper, faces_picture, BLUSH)
    changed = anonymize(swapper, picture, Assigned(others=[other]))
    (outcome,) = changed.outcomes
    assert (outcome.done, outcome.why, outcome.like_original) == ("another persona", "", False)
    assert len(outcome.cosines_to_original) == 2 and max(outcome.cosines_to_original) < 0.9
    np.testing.assert_array_equal(changed.image, swapper.change(picture, other).image)


def test_the_last_attempt_is_a_stronger_one(
    idle: Swapper, faces_picture: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = faces_picture({(200, 150): ORANGE}, height=160)
    second, third = identity_of(idle, faces_picture, YELLOW), identity_of(idle, faces_picture, BLUSH)
    asked: list[np.ndarray] = []
    change = idle.change
    monkeypatch.setattr(
        idle,
        "change",
        lambda picture, identities, *rest, **named: (
            asked.append(identities[0]) or change(picture, identities, *rest, **named)
        ),
    )
    anonymize(idle, picture, Assigned(second, [third]))
    original = identity_of(idle, faces_picture, ORANGE)
    expected = [second, third, blend_identities(original, third, 1.3)]
    np.testing.assert_allclose(np.stack(asked), np.stack(expected), atol=2e-3)


def test_without_a_fallback_the_face_is_left_and_that_is_said(idle: Swapper, faces_picture: Draw) -> None:
    picture = faces_picture({(200, 150): ORANGE}, height=160)
    changed = anonymize(idle, picture, Assigned(), fallback="none")
    (outcome,) = changed.outcomes
    assert (outcome.done, outcome.why, outcome.like_original) == ("left", STILL_ALIKE, True)
    np.testing.assert_array_equal(changed.image, picture)


def test_doubtful_and_tiny_faces_are_covered_at_once(
    swapper: Swapper, faces_picture: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = faces_picture({(200, 150): ORANGE}, height=120)
    picture[20:30, 20:28] = ORANGE
    found = swapper.find_all(picture)
    faces = [replace(face, doubtful=face.size_px > 50) for face in found]
    monkeypatch.setattr(swapper, "change", None)
    changed = anonymize_faces(swapper, as_picture(picture), faces, Assigned())
    assert [outcome.why for outcome in changed.outcomes] == [DOUBTFUL, TOO_SMALL]
    assert all(outcome.is_covered for outcome in changed.outcomes)
    assert np.abs(changed.image[20:30, 20:28].astype(int) - ORANGE).mean() > 10


def test_a_neighbour_that_was_changed_stays_so_when_the_other_is_covered(swapper: Swapper, faces_picture: Draw) -> None:
    picture = faces_picture({(150, 150): ORANGE, (230, 150): YELLOW})
    other = identity_of(swapper, faces_picture, BLUSH)

    class Partly(Assigned):
        def identity_for(self, original: np.ndarray) -> np.ndarray:
            return original if original @ orange > 0.999 else other

    faces = sorted(swapper.detect(picture), key=lambda face: face.box[0])
    orange = swapper.identify(picture, face=faces[0])
    changed = anonymize_faces(swapper, as_picture(picture), faces, Partly())
    assert changed.outcomes[0].is_covered and changed.outcomes[1].done == "changed"
    assert not changed.outcomes[1].like_original


def test_a_change_says_whether_it_is_recognisable(swapper: Swapper, idle: Swapper, faces_picture: Draw) -> None:
    picture = faces_picture({(200, 150): ORANGE}, height=160)
    (outcome,) = idle.change(picture, identity_of(idle, faces_picture, BLUSH)).outcomes
    assert outcome.like_original and not outcome.recognisable


def test_a_recognisable_change_is_nearer_to_the_source_by_the_second_network(
    swapper: Swapper, faces_picture: Draw
) -> None:
    picture = faces_picture({(200, 150): ORANGE}, height=160)
    identity, source = swapper.read(faces_picture({(200, 150): BLUSH}, height=160))
    (outcome,) = swapper.change(picture, identity, source=source).outcomes
    assert outcome.recognisable and outcome.cosine_to_source is not None
    assert outcome.cosine_to_source > outcome.cosines_to_original[-1]
    assert isinstance(outcome.face, Face)
