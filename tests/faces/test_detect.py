"""Finding faces of any size and turn with the graphs that ship, in how many passes, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from facechange.core import FaceError
from facechange.faces.detect import COARSE_PX, SCOUT_PX, FaceDetector, shrink
from facechange.faces.geometry import transform_points
from facechange.images import read_picture
from facechange.runtime import Graph, load_graph

EXAMPLES = Path(__file__).parents[2] / "examples"


class Counted:
    """A graph that remembers the shapes of what it was shown."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        (picture,) = inputs.values()
        self.shapes.append(picture.shape)
        return self.graph.run(inputs, outputs)

    def passes(self) -> int:
        """Over whole pictures, none of which is a small square here."""
        return sum(shape[2] != shape[3] for shape in self.shapes)

    def looks(self) -> list[int]:
        """The sides of the refinements, each once."""
        return list(dict.fromkeys(shape[3] for shape in self.shapes if shape[2] == shape[3]))


class Seeing:
    """A detector that sees a face of `score` in the middle of each refinement, and one of `size_px` in that of a whole
    picture."""

    def __init__(self, size_px: float, score: float) -> None:
        self.size_px, self.score = size_px, score

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        count, _, height, width = inputs["input"].shape
        maps = {}
        for stride in (8, 16, 32):
            cells = height // stride * (width // stride)
            shapes = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
            maps |= {f"{name}_{stride}": np.zeros((count, cells, size), np.float32) for name, size in shapes.items()}
        look = width == height
        if not look and width < COARSE_PX:  # the turned passes
            return maps
        size, x, y = (width / 2, (width - 1) / 2, (width - 1) / 2) if look else (self.size_px, width / 2, height / 2)
        column, row = int(x // 8), int(y // 8)
        cell = row * (width // 8) + column
        maps["cls_8"][:, cell] = maps["obj_8"][:, cell] = self.score
        maps["bbox_8"][:, cell] = (x / 8 - column, y / 8 - row, np.log(size / 8), np.log(size / 8))
        points = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0], [-0.15, 0.2], [0.15, 0.2]]) * size + (x, y)
        maps["kps_8"][:, cell] = (points / 8 - (column, row)).reshape(-1)
        return maps


class Blind:
    """A scout that sees nothing."""

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        _, _, height, width = inputs["picture"].shape
        return {
            f"stride_{stride}": np.full((1, 15, height // stride, width // stride), -20, np.float32)
            for stride in (8, 16, 32)
        }


@pytest.fixture(scope="module")
def graphs() -> tuple[Graph, Graph]:
    return load_graph("detector", 1, "cpu"), load_graph("scout", 1, "cpu")


@pytest.fixture(scope="module")
def finder(graphs: tuple[Graph, Graph]) -> FaceDetector:
    return FaceDetector(*graphs)


@pytest.fixture(scope="module")
def example() -> np.ndarray:
    return read_picture(EXAMPLES / "target.jpg").rgb8()


def put(
    picture: np.ndarray, image: np.ndarray, scale: float, degrees: float, centre: tuple[float, float]
) -> np.ndarray:
    """Draw `image` scaled and turned clockwise on `picture` in place; returns the matrix."""
    angle, middle = np.radians(degrees), (np.array(image.shape[1::-1]) - 1) / 2
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.hstack([linear, (np.array(centre) - linear @ middle)[:, None]])
    small = shrink(image, scale)
    onto = matrix.copy()
    onto[:, :2] *= image.shape[0] / small.shape[0]
    onto[:, 2] = np.array(centre) - onto[:, :2] @ ((np.array(small.shape[1::-1]) - 1) / 2)
    cv2.warpAffine(small, onto, picture.shape[1::-1], dst=picture, borderMode=cv2.BORDER_TRANSPARENT)
    return matrix


@pytest.mark.parametrize("degrees", range(0, 360, 15))
def test_a_face_is_found_however_it_is_turned_with_its_points_in_order(
    finder: FaceDetector, example: np.ndarray, degrees: int
) -> None:
    (face,) = finder.detect(example)
    picture = np.full((256, 320, 3), (110, 120, 130), np.uint8)
    matrix = put(picture, example, 0.2, degrees, (160, 128))
    (found,) = finder.detect(picture)
    error = np.linalg.norm(found.points - transform_points(face.points, matrix), axis=1).mean()
    assert error < 0.1 * 0.2 * face.size_px, "the left eye is the viewer's once the face stands upright"
    assert not found.doubtful or degrees % 90 == 45, "only half-way between the turns may it be unclear"


@pytest.mark.parametrize(("scale", "shape"), [(0.045, (480, 640)), (1.0, (700, 640)), (0.06, (1500, 2000))])
def test_small_ones_and_those_that_fill_the_frame(
    finder: FaceDetector, example: np.ndarray, scale: float, shape: tuple[int, int]
) -> None:
    (face,) = finder.detect(example)
    picture = np.full((*shape, 3), (110, 120, 130), np.uint8)
    matrix = put(picture, example, scale, 0, (shape[1] / 2, shape[0] / 2))
    (found,) = finder.detect(picture)
    error = np.linalg.norm(found.points - transform_points(face.points, matrix), axis=1).mean()
    assert error < 0.08 * scale * face.size_px


def test_two_overlapping_faces_stay_two(finder: FaceDetector, example: np.ndarray) -> None:
    picture = np.full((600, 800, 3), 150, np.uint8)
    other = read_picture(EXAMPLES / "source.jpg").rgb8()
    for image, left in ((example, 110), (other, 330)):
        (x, y, width, height) = finder.detect(image)[0].box
        crop = image[
            max(0, round(y - 0.2 * height)) : round(y + 1.05 * height),
            round(x - 0.05 * width) : round(x + 1.05 * width),
        ]
        crop = cv2.resize(crop, (250, 460), interpolation=cv2.INTER_AREA)
        oval = np.zeros(crop.shape[:2], np.uint8)
        cv2.ellipse(oval, (125, 230), (120, 225), 0, 0, 360, 255, -1)
        picture[70:530, left : left + 250][oval > 0] = crop[oval > 0]
    faces = finder.detect(picture)
    assert len(faces) == 2
    assert not any(face.doubtful for face in faces)
    middles = sorted(face.box[0] + face.box[2] / 2 for face in faces)
    assert middles == [pytest.approx(235, abs=25), pytest.approx(455, abs=25)]


def test_nothing_is_found_where_nobody_is(finder: FaceDetector) -> None:
    random = np.random.default_rng(0)
    texture = cv2.resize(
        random.integers(0, 255, (30, 40, 3), dtype=np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC
    )
    for picture in (random.integers(0, 255, (240, 320, 3), dtype=np.uint8), texture, np.zeros((20, 30, 3), np.uint8)):
        assert finder.detect(picture) == []


def test_an_easy_picture_takes_one_pass_of_each(graphs: tuple[Graph, Graph], example: np.ndarray) -> None:
    detector, scout = (Counted(graph) for graph in graphs)
    picture = np.full((1500, 2000, 3), 110, np.uint8)
    put(picture, example, 1.0, 0, (1000, 750))
    assert len(FaceDetector(detector, scout).detect(picture)) == 1
    assert detector.passes() == 1 and len(scout.shapes) == 1
    assert max(detector.shapes[0][2:]) <= COARSE_PX * 1.15 and max(scout.shapes[0][2:]) <= SCOUT_PX
    assert detector.looks() == [96, 224, 160] and len(detector.shapes) == 1 + 4 + 1 + 4, (
        "the detections of a pass are looked at together"
    )


def test_a_picture_without_a_face_is_turned_and_a_thorough_search_always_does(
    graphs: tuple[Graph, Graph], example: np.ndarray
) -> None:
    detector, scout = (Counted(graph) for graph in graphs)
    finder = FaceDetector(detector, scout)
    finder.detect(np.full((300, 400, 3), 110, np.uint8))
    assert detector.passes() == 4 and len(scout.shapes) == 1
    detector.shapes.clear()
    picture = np.full((300, 400, 3), 110, np.uint8)
    put(picture, example, 0.25, 0, (200, 150))
    assert len(finder.detect(picture, thorough=True)) == 1
    assert detector.passes() == 4


def test_a_turned_face_is_found_next_to_an_upright_one_that_is_not_large(
    graphs: tuple[Graph, Graph], example: np.ndarray
) -> None:
    detector, scout = (Counted(graph) for graph in graphs)
    picture = np.full((900, 1200, 3), 110, np.uint8)
    put(picture, example, 0.15, 0, (300, 450))
    put(picture, example, 0.25, 180, (800, 450))
    assert len(FaceDetector(detector, scout).detect(picture)) == 2
    assert detector.passes() == 5, "two upright and three turned"


def test_more_is_asked_of_a_small_face_unless_the_caller_sets_the_threshold() -> None:
    def detect(size_px: float, score: float, threshold: float | None = None) -> int:
        finder = FaceDetector(Seeing(size_px, score), Blind(), threshold=0.7)
        return len(finder.detect(np.zeros((480, 640, 3), np.uint8), threshold))

    assert [detect(15, 0.86), detect(15, 0.9), detect(24, 0.72), detect(24, 0.65)] == [0, 1, 1, 0]
    assert [detect(15, 0.52, 0.5), detect(24, 0.52, 0.5)] == [1, 1], (
        "where people are hidden nothing is asked of small faces"
    )


def test_the_threshold_decides_what_is_a_face(
    graphs: tuple[Graph, Graph], finder: FaceDetector, example: np.ndarray
) -> None:
    (face,) = finder.detect(example)
    assert 0.8 < face.score < 0.97
    assert finder.detect(example, threshold=0.98) == []
    assert FaceDetector(*graphs, threshold=0.98).detect(example) == []
    assert len(FaceDetector(*graphs, threshold=0.98).detect(example, threshold=0.5)) == 1


def test_following_tells_where_a_face_went_and_whether_it_is_there(finder: FaceDetector, example: np.ndarray) -> None:
    (face,) = finder.detect(example)
    moved = np.roll(example, (8, -12), (0, 1))
    (seen,) = finder.follow(moved, [face])
    np.testing.assert_allclose(seen.points, face.points + np.array([-12, 8]), atol=0.03 * face.size_px)
    assert seen.score > 0.8
    (gone,) = finder.follow(np.full_like(example, 110), [face])
    assert gone.score == 0


def test_shrinking_averages_fine_texture() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    small = shrink(stripes, 0.1)
    assert small.shape == (40, 40, 3) and abs(int(small.min()) - 127) < 4 and abs(int(small.max()) - 127) < 4
    assert shrink(stripes, 1.2) is stripes


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8)]
)
def test_other_arrays_are_refused(finder: FaceDetector, image: np.ndarray) -> None:
    with pytest.raises(FaceError, match="uint8 RGB"):
        finder.detect(image)
