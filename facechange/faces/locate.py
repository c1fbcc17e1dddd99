"""Find faces in a photograph of any size: the way from a locator graph's maps to `Face`s, in NumPy.

The graph is fully convolutional and free of anchors: every cell of the maps at strides 8, 16 and 32 claims at most one
face. It knows faces of 8 to 320 px, so a picture is looked at twice: shrunk to find the large ones, and at (nearly) full
size to find the small ones. What is claimed then gets a closer look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import cv2
import numpy as np

from facechange.core import Face, FaceError
from facechange.faces.closer_look import look_closer

STRIDES = (8, 16, 32)
UNITS_PX = {8: 20.0, 16: 60.0, 32: 180.0}  # the face size that each map sees as 1
CHANNELS = 15  # score, centre x and y, width, height, five points x and y
COARSE_PX = 320  # longer side of the first look; faces down to 3 % of the picture
FINE_PX = 1600  # longer side of the second look; faces down to 0.6 % of the picture
MARGIN = 0.05  # of the longer side, around the first look, so that a face may fill the frame
NETWORK_VALUES = ((np.arange(256) - 127.5) / 127.5).astype(np.float32)  # of the 256 values of a sample
MAXIMUM_CLAIMS = 2000  # a look, before overlapping ones are dropped
CLAIM_SCORE = 0.35  # what the first look has to give for a closer one
LEAST_SCORE = 0.77  # what counts as a face
LARGE_SHARE, LARGE_RELIEF = 0.25, 0.2  # of the longer side; so large a claim may score less, because hardly anything else looks so


class Graph(Protocol):
    """What a locator needs of `runtime.Graph`."""

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Named arrays in, named arrays out."""
        ...


class FaceLocator:
    """Finds faces with an exported locator graph.

    `graph` maps `picture` [1, 3, H, W] float32 in [-1, 1] RGB, H and W multiples of 32, to `stride_8`, `stride_16` and
    `stride_32`, each [1, 15, H / stride, W / stride]. `threshold` (0..1) is the lowest score, the mean of two looks, of a
    face that is small in its picture.
    """

    def __init__(self, graph: Graph, threshold: float = LEAST_SCORE) -> None:
        self.graph = graph
        self.threshold = threshold

    def locate(self, image: np.ndarray) -> list[Face]:
        """Faces in `image` [H, W, 3] uint8 RGB, the largest first; an empty list where there are none.

        Raises `FaceError` where `image` is not such an array.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise FaceError(f"Faces are looked for in uint8 RGB arrays [H, W, 3], not in {image.dtype} {list(image.shape)}.")
        longer = max(image.shape[:2])
        fine = shrink(image, FINE_PX / longer)
        claims = [self._look(shrink(fine, COARSE_PX / max(fine.shape[:2])), image.shape, framed=True)]
        if longer > COARSE_PX:
            claims.append(self._look(fine, image.shape, framed=False))
        scores, boxes, points = (np.concatenate(parts) for parts in zip(*claims, strict=True))
        faces = []
        for i in suppress_overlaps(boxes, scores):
            x, y, width, height = map(float, boxes[i])
            faces.append(Face((x, y, width, height), points[i].astype(np.float32), float(scores[i])))

        def needed(face: Face) -> float:
            return self.threshold - LARGE_RELIEF * (face.size_px >= LARGE_SHARE * longer)

        hopeful = [face for face in faces if (face.score + 1) / 2 >= needed(face)]  # a closer look gives 1 at most
        closer = look_closer(image, hopeful, lambda crops: self.graph.run({"picture": crops}), decode_maps)
        return sorted((face for face in closer if face.score >= needed(face)), key=lambda face: -face.size_px)

    def follow(self, image: np.ndarray, expected: list[Face]) -> list[Face]:
        """`expected` faces with the points and the score of a closer look at where they should be in `image` [H, W, 3] uint8 RGB."""
        seen = look_closer(image, expected, lambda crops: self.graph.run({"picture": crops}), decode_maps)
        return [Face(after.box, after.points, 2 * after.score - before.score) for before, after in zip(expected, seen, strict=True)]

    def _look(self, image: np.ndarray, shape: tuple[int, ...], framed: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Claims (scores, boxes, points) in pixels of the picture of `shape` that `image` is a smaller copy of."""
        margin = round(MARGIN * max(image.shape[:2])) if framed else 0
        maps = self.graph.run({"picture": to_input(image, margin)})
        scores, boxes, points = decode_maps(maps, min(CLAIM_SCORE, self.threshold))
        scale = np.array([shape[1] / image.shape[1], shape[0] / image.shape[0]])
        points = (points - margin + 0.5) * scale - 0.5  # pixel centres
        boxes = np.concatenate([(boxes[:, :2] - margin + 0.5) * scale - 0.5, boxes[:, 2:] * scale], axis=1)
        return scores, boxes, points


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


def to_input(image: np.ndarray, margin: int) -> np.ndarray:
    """uint8 [H, W, 3] => float32 [1, 3, H', W'] in [-1, 1]: `margin` px on every side, then up to multiples of 32, in grey."""
    below, right = (-(side + 2 * margin) % STRIDES[-1] for side in image.shape[:2])
    padded = cv2.copyMakeBorder(image, margin, margin + below, margin, margin + right, cv2.BORDER_CONSTANT, value=(127, 127, 127))
    tensor = np.empty((1, 3, *padded.shape[:2]), np.float32)
    for channel, plane in zip(cv2.split(padded), tensor[0], strict=True):
        cv2.LUT(channel, NETWORK_VALUES, dst=plane)  # four times faster than blobFromImage
    return tensor


def decode_maps(maps: Mapping[str, np.ndarray], threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps of one picture => scores [K], boxes [K, 4] (x, y, width, height) and points [K, 5, 2], in pixels of the input."""
    least = np.log(threshold / (1 - threshold))
    found = []
    for stride in STRIDES:
        cells = maps[f"stride_{stride}"][0]
        rows, columns = np.nonzero(cells[0] >= least)
        values = cells[:, rows, columns].T.astype(np.float64)  # [K, 15]
        centres = (np.stack([columns, rows], 1) + 0.5) * stride - 0.5
        sizes = np.exp(np.clip(values[:, 3:5], -6, 4)) * UNITS_PX[stride]
        corners = centres + values[:, 1:3] * stride - sizes / 2
        points = centres[:, None] + values[:, 5:].reshape(-1, 5, 2) * UNITS_PX[stride]
        found.append((1 / (1 + np.exp(-values[:, 0])), np.concatenate([corners, sizes], 1), points))
    scores, boxes, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    best = np.argsort(-scores, kind="stable")[:MAXIMUM_CLAIMS]
    return scores[best], boxes[best], points[best]


def suppress_overlaps(boxes: np.ndarray, scores: np.ndarray, overlap: float = 0.4) -> list[int]:
    """Indices of `boxes` [K, 4] to keep, the best score first; one goes where a better one meets it.

    `overlap` is the intersection over union from which two boxes count as one face.
    """
    order = np.argsort(-scores, kind="stable")
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
    areas = boxes[:, 2] * boxes[:, 3]
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        sides = np.minimum(corners[best, 2:], corners[order, 2:]) - np.maximum(corners[best, :2], corners[order, :2])
        shared = np.clip(sides, 0, None).prod(1)
        order = order[shared <= overlap * (areas[best] + areas[order] - shared)]
    return kept
