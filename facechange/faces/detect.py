"""Find faces of any size and roll in a photograph of any size.

Two networks share the work. The *detector* (YuNet) decides: it sees faces of 10 to 300 px that stand more or less
upright. The *scout*, a small network of this project's own, is quick on large pictures and sees small and turned faces
that the detector misses, and much that is no face; it only says where to look. What either sees the detector looks at
again, closer (`refine`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from facechange.core import Face, FaceError
from facechange.faces.detector_maps import decode_detections, to_detector_input
from facechange.faces.geometry import invert, roll_degrees
from facechange.faces.overlaps import suppress_overlaps
from facechange.faces.refine import carry_face, refine_detections, refine_exactly
from facechange.faces.scout_maps import decode_maps, to_input

COARSE_PX = 640  # longer side of the detector's first pass; faces from 2 % of the picture
FINE_PX = 1280  # of its second one, where the first shows no large face
TURNED_PX = 320  # of those over the turned picture, unless a large face stands upright
SCOUT_PX = 1600  # of the scout's; faces from 0.6 % of the picture
MARGIN = 0.05  # of the longer side, around the first pass, so that a face may fill the frame
DETECTION_SCORE, TURNED_DETECTION_SCORE, SCOUT_SCORE = 0.15, 0.3, 0.25  # what deserves a refinement
LARGE_DETECTION_PX = 160  # in a picture of `SCOUT_PX`: a refinement shows a face at 112 px at most
LEAST_SCORE = 0.72  # what counts as a face
# So small, much that is no face looks like one: of 10 in 794 photographs without people in which something scored
# `LEAST_SCORE`, 7 had only detections of less than 20 px that this drops. By `SMALL_SHARE` of the way to 1 more is
# asked of them.
SMALL_PX, SMALL_SHARE = 20, 0.6
LARGE_SHARE = 0.15  # of the longer side: next to so large a face the scout alone looks for small and turned ones
UPRIGHT = 45  # degrees of roll: a face that is turned further says that others may be, too
SAME_DETECTION, SAME_FACE = 0.5, 0.4  # intersection over union from which two are one


class Graph(Protocol):
    """What is needed of `runtime.Graph`."""

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Named arrays in, named arrays out."""
        ...


class FaceDetector:
    """Finds faces with the graphs of the roles `detector` and `scout`; what they take is in docs/map.md.

    `threshold` (0..1) is the lowest score of a face.
    """

    def __init__(self, detector: Graph, scout: Graph, threshold: float = LEAST_SCORE) -> None:
        self._detector = detector
        self._scout = scout
        self.threshold = threshold

    def detect(self, image: np.ndarray, threshold: float | None = None, thorough: bool = False) -> list[Face]:
        """Faces in `image` [H, W, 3] uint8 RGB, the largest first; an empty list where there are none.

        `threshold` goes before the detector's own, and is then all that is asked of small faces, too. A `thorough` search
        passes over the whole picture in all four turns at full size, whatever is found upright. Raises `FaceError`
        where `image` is not such an array.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise FaceError(
                f"Faces are looked for in uint8 RGB arrays [H, W, 3], not in {image.dtype} {list(image.shape)}."
            )
        longer = max(image.shape[:2])
        detections = self._detect(image, COARSE_PX)
        large = any(self._counts(face, threshold) and face.size_px >= LARGE_SHARE * longer for face in detections)
        if longer > COARSE_PX and (thorough or not large):
            detections += self._detect(image, FINE_PX)
        faces = self._refine(image, detections + self._scout_detections(image), threshold)
        if thorough or not any(_is_upright(face) and face.size_px >= LARGE_SHARE * longer for face in faces):
            side = FINE_PX if thorough else TURNED_PX
            turned = [detection for quarters in (1, 2, 3) for detection in self._detect(image, side, quarters)]
            # of whom no further detection is looked at
            clear = [replace(face, score=2.0) for face in faces if not face.doubtful]
            turned = [detection for detection in _keep_best(clear + turned, SAME_DETECTION) if detection.score < 2]
            faces = _keep_best(faces + self._refine(image, turned, threshold), SAME_FACE)
        return sorted(faces, key=lambda face: -face.size_px)

    def follow(self, image: np.ndarray, expected: list[Face]) -> list[Face]:
        """`expected` faces with points and score of a refinement at where they should be in `image` [H, W, 3] uint8
        RGB.

        The score is 0 where nothing is seen there.
        """
        seen = refine_exactly(image, expected, [roll_degrees(face.points) for face in expected], self._detect_in)
        return [after or replace(before, score=0.0) for before, after in zip(expected, seen, strict=True)]

    def _counts(self, face: Face, threshold: float | None) -> bool:
        """Whether the score of `face` is enough; more is asked of a small one, unless `threshold` goes before the detector's own."""
        if threshold is not None:
            return face.score >= threshold
        more = SMALL_SHARE * (1 - self.threshold) if face.size_px < SMALL_PX else 0.0
        return face.score >= self.threshold + more

    def _refine(self, image: np.ndarray, detections: list[Face], threshold: float | None) -> list[Face]:
        kept = _keep_best(detections, SAME_DETECTION)
        small = shrink(image, SCOUT_PX / max(image.shape[:2]))
        matrix = _shrink_matrix(image.shape, small.shape, 0)
        # the small picture shows enough of these
        large = [detection.size_px * matrix[0, 0] >= LARGE_DETECTION_PX for detection in kept]
        refined = refine_detections(
            image, [detection for detection, is_large in zip(kept, large, strict=True) if not is_large], self._detect_in
        )
        there = [carry_face(detection, matrix) for detection, is_large in zip(kept, large, strict=True) if is_large]
        refined += [carry_face(face, invert(matrix)) for face in refine_detections(small, there, self._detect_in)]
        return _keep_best([face for face in refined if self._counts(face, threshold)], SAME_FACE)

    def _detect_in(self, images: list[np.ndarray]) -> list[list[Face]]:
        """What the detector sees in pictures of one size."""
        tensors = to_detector_input(images)
        return decode_detections(self._detector.run({"input": tensors}), tensors.shape[3], DETECTION_SCORE)

    def _detect(self, image: np.ndarray, side_px: int, quarters: int = 0) -> list[Face]:
        """The detector's detections in `image` shrunk to a longer side of `side_px` and turned by so many `quarters`
        anticlockwise."""
        small = shrink(image, side_px / max(image.shape[:2]))
        margin = round(MARGIN * max(small.shape[:2]))
        matrix = _shrink_matrix(image.shape, small.shape, margin)
        shown = np.rot90(cv2.copyMakeBorder(small, margin, margin, margin, margin, cv2.BORDER_CONSTANT), quarters)
        height, width = (side + 2 * margin for side in small.shape[:2])
        for _ in range(quarters):
            matrix = np.array([matrix[1], (0, 0, width - 1) - matrix[0]])
            width, height = height, width
        faces = self._detect_in([np.ascontiguousarray(shown)])[0]
        least = TURNED_DETECTION_SCORE if quarters else DETECTION_SCORE
        return [carry_face(face, invert(matrix)) for face in faces if face.score >= least]

    def _scout_detections(self, image: np.ndarray) -> list[Face]:
        """Where the scout sees something, the best first; the score is 0, because that is for the detector to say."""
        small = shrink(image, SCOUT_PX / max(image.shape[:2]))
        matrix = invert(_shrink_matrix(image.shape, small.shape, 0))
        scores, boxes, points = decode_maps(self._scout.run({"picture": to_input(small, 0)}), SCOUT_SCORE)
        kept = suppress_overlaps(boxes, scores)
        return [carry_face(Face((*map(float, boxes[i]),), points[i], 0.0), matrix) for i in kept]  # type: ignore[arg-type]


def _is_upright(face: Face) -> bool:
    return not face.doubtful and abs(roll_degrees(face.points)) < UPRIGHT


def _keep_best(faces: list[Face], overlap: float) -> list[Face]:
    """`faces` without those that a better one meets with an intersection over union of more than `overlap`."""
    boxes, scores = np.array([face.box for face in faces]).reshape(-1, 4), np.array([face.score for face in faces])
    return [faces[i] for i in suppress_overlaps(boxes, scores, overlap)]


def _shrink_matrix(shape: tuple[int, ...], small: tuple[int, ...], margin: int) -> np.ndarray:
    """From a picture of `shape` to its copy of shape `small` with a `margin` px around it."""
    scale = np.array([small[1] / shape[1], small[0] / shape[0]])
    return np.hstack([np.diag(scale), (margin + (scale - 1) / 2)[:, None]])


def shrink(image: np.ndarray, scale: float) -> np.ndarray:
    """`image` [H, W, C] made smaller by `scale` (left alone from 1 upwards), averaged rather than sampled."""
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    whole = int(1 / scale)
    if whole > 1:  # five times faster than averaging by a fraction
        reduced = (max(width, image.shape[1] // whole), max(height, image.shape[0] // whole))
        image = cv2.resize(image, reduced, interpolation=cv2.INTER_AREA)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
