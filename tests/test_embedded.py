"""The networks that ship, on the pictures that ship: they are what their cards say, and they change a face."""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

import facechange
from facechange.core import FaceError, hash_file, load_card
from facechange.faces.geometry import ffhq_crop_matrix, invert, transform_points
from facechange.images import read_picture
from facechange.runtime import CHANGE_NAMES
from facechange.swap import Swapper

EXAMPLES = Path(__file__).parent.parent / "examples"
WEIGHTS = Path(str(files("facechange") / "weights"))
LARGEST_BYTES = 40 * 2**20


@pytest.fixture(scope="module", params=CHANGE_NAMES)
def swapper(request: pytest.FixtureRequest) -> Swapper:
    return facechange.load(request.param, threads=1)


@pytest.fixture(scope="module")
def source() -> np.ndarray:
    return read_picture(EXAMPLES / "source.jpg").pixels


@pytest.fixture(scope="module")
def target() -> np.ndarray:
    return read_picture(EXAMPLES / "target.jpg").pixels


def test_every_graph_has_its_card_and_all_fit_the_budget() -> None:
    graphs = sorted(WEIGHTS.glob("*.onnx"))
    roles = {"detector", "scout", "identity", "recognizer", "change", "personas"}
    assert {load_card(path.with_suffix(".json")).role for path in graphs} == roles
    for path in graphs:
        card = load_card(path.with_suffix(".json"))
        assert card.sha256 == hash_file(path)
        assert card.metrics and card.data and card.limits and card.licence
    assert sum(path.stat().st_size for path in graphs) <= LARGEST_BYTES


def test_one_face_is_found_where_it_is_whatever_its_size_roll_and_colour(swapper: Swapper, target: np.ndarray) -> None:
    (face,) = swapper.detect(target)
    side = target.shape[0]
    for scale, degrees in ((0.12, 0), (0.3, 80), (0.5, -45)):
        angle = np.radians(degrees)
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.hstack([linear, (np.array([300, 260]) - linear @ [side / 2, side / 2])[:, None]])
        picture = cv2.warpAffine(target, matrix, (640, 480), flags=cv2.INTER_AREA, borderValue=(90, 110, 130))
        grey = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
        for shown in (picture, grey):
            (found,) = swapper.detect(shown)
            error = np.linalg.norm(found.points - transform_points(face.points, matrix), axis=1).mean()
            assert error < 0.08 * found.size_px, (scale, degrees)


def test_no_face_is_claimed_in_noise(swapper: Swapper) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    assert swapper.detect(noise) == []
    with pytest.raises(FaceError):
        swapper.identify(noise)


def test_identity_moves_and_the_rest_stays(swapper: Swapper, source: np.ndarray, target: np.ndarray) -> None:
    identity, before = swapper.identify(source), swapper.identify(target)
    changed = swapper.change(target, identity, with_masks=True)
    after = swapper.identify(changed.image)
    assert after @ identity > after @ before, "the changed face is nearer to the target than to the source"
    whole = swapper.identify(swapper.change(target, identity, keep="crop").image)
    assert after @ identity > whole @ identity - 0.05, "what is kept of the photograph takes the identity back"
    (face,) = changed.faces
    size = swapper.size_px
    corners = transform_points(
        np.array([[0, 0], [size, 0], [size, size], [0, size]]), invert(ffhq_crop_matrix(face.points, size))
    )
    inside = np.zeros(target.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(corners).astype(np.int32), 1)
    outside = cv2.dilate(inside, np.ones((5, 5), np.uint8)) == 0
    assert np.array_equal(changed.image[outside], target[outside])
    assert all(mask.min() >= 0 and mask.max() <= 1 for mask in changed.masks[0])
    (found,) = swapper.detect(changed.image)
    assert np.linalg.norm(found.points - face.points, axis=1).mean() < 0.06 * face.size_px, "the pose went"


def test_strength_goes_from_the_target_to_the_source(swapper: Swapper, source: np.ndarray, target: np.ndarray) -> None:
    identity = swapper.identify(source)
    cosines = [
        float(swapper.identify(swapper.change(target, identity, strength=strength).image) @ identity)
        for strength in (0, 0.5, 1)
    ]
    assert cosines == sorted(cosines) and cosines[2] - cosines[0] > 0.1
