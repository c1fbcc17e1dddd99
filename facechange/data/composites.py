"""What the face scout learns from: faces pasted on photographs that hold none, one new composite a picture number.

Composite `index` depends on the seed and on nothing else, so a run that is continued sees the very pictures it would
have seen. The scout is measured on faces that are read and pasted by the same functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facechange.core import PictureError
from facechange.data.composite_scenes import degrade_picture, draw_background, draw_cover, draw_patch_mask
from facechange.data.labelled import LabelledFaces
from facechange.faces.geometry import transform_points, warp_box

PREFETCHED_FRAMES = 64  # pictures
STORED_PX = 384  # side that face pictures are kept at, as JPEG in memory
MOST_FACES = 8  # rows of the label array
NOTHING, FACE, IGNORED, OVERSIZE = range(4)  # the kind of a label row
LEAST_PX, LARGEST_PX = 8.0, 330.0  # faces outside this range are not asked for


@dataclass(frozen=True)
class FacePicture:
    """A square picture of one face: `encoded` JPEG of `STORED_PX`, `box` (x, y, w, h) and `points` [5, 2] in its
    pixels."""

    encoded: np.ndarray
    box: np.ndarray
    points: np.ndarray


def read_faces(folder: Path, split: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pictures [S, S, 3] uint8 RGB, boxes [4] and points [5, 2] of `split` ("train" or "val"); raises
    `PictureError`."""
    labelled = LabelledFaces(folder, split)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(labelled), PREFETCHED_FRAMES):
            numbers = range(start, min(start + PREFETCHED_FRAMES, len(labelled)))
            for number, image in zip(numbers, pool.map(labelled.read, numbers), strict=True):
                face = labelled.faces[number]
                if face.box is None:
                    raise PictureError(
                        f"{face.image} has no box.", "The scout learns from `box` and `landmarks5` of every picture."
                    )
                yield image, face.box, face.landmarks5


def store_face(image: np.ndarray, box: np.ndarray, points: np.ndarray) -> FacePicture:
    """Shrink a face picture [S, S, 3] to `STORED_PX` and keep it compressed."""
    scale = STORED_PX / image.shape[0]
    small = cv2.resize(image, (STORED_PX, STORED_PX), interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])[1]
    return FacePicture(encoded, *_rescale(box, points, scale))


def _rescale(box: np.ndarray, points: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """`box` [4] and `points` [5, 2] of a picture, in pixel centres, after it was resized by `scale`."""
    return np.concatenate([(box[:2] + 0.5) * scale - 0.5, box[2:] * scale]), (points + 0.5) * scale - 0.5


def paste_matrix(box: np.ndarray, size: float, roll: float, centre: np.ndarray, stretch: float = 1.0) -> np.ndarray:
    """Matrix that gives a face of `box` the longer side `size` px, turns it by `roll` degrees and puts it at `centre`.

    `stretch` widens it before it is turned.
    """
    scale = size / max(box[2], box[3])
    sine, cosine = np.sin(np.radians(roll)), np.cos(np.radians(roll))
    linear = scale * np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([stretch, 1 / stretch])
    return np.hstack([linear, (centre - linear @ (box[:2] + box[2:] / 2))[:, None]])


def paste_patch(canvas: np.ndarray, image: np.ndarray, mask: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Blend `image` [H, W, 3] into `canvas` in place through `matrix`; returns the warped mask [H', W'] uint8 of the
    canvas.

    `mask` [H, W] uint8 is 255 where `image` is opaque. Only the rectangle that the patch reaches is touched.
    """
    height, width = image.shape[:2]
    corners = transform_points(np.array([[0, 0], [width, 0], [0, height], [width, height]]), matrix)
    low = np.clip(np.floor(corners.min(0)).astype(int), 0, canvas.shape[1::-1])
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, canvas.shape[1::-1])
    covered = np.zeros(canvas.shape[:2], np.uint8)
    if (high <= low).any():
        return covered
    local, size = matrix - np.hstack([np.zeros((2, 2)), low[:, None]]), (int(high[0] - low[0]), int(high[1] - low[1]))
    patch = cv2.warpAffine(image, local, size, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(mask, local, size)
    place = np.s_[low[1] : high[1], low[0] : high[0]]
    weight = alpha[..., None].astype(np.float32) / 255
    canvas[place] = np.rint(canvas[place] + (patch.astype(np.float32) - canvas[place]) * weight).astype(np.uint8)
    covered[place] = alpha
    return covered


class CompositeDataset:
    """Composites by number: `dataset[index]` => picture [S, S, 3] uint8 RGB and labels [8, 15] float32.

    A label row is kind, box (x, y, w, h), five points (x, y), in pixels; kinds are `NOTHING`, `FACE`, `IGNORED` (too
    small or too hidden to ask for) and `OVERSIZE` (only a part of a very large face is in the picture).
    """

    def __init__(self, faces: list[FacePicture], backgrounds: list[np.ndarray], size_px: int, seed: int) -> None:
        self.faces, self.backgrounds, self.size_px, self.seed = faces, backgrounds, size_px, seed

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng((self.seed, index))
        canvas = draw_background(random, self.backgrounds, self.size_px)
        labels: list[np.ndarray] = []  # rows: box, points
        hidden: list[float] = []
        for size, is_decoy in self._draw_sizes(random):
            box, points, covered = self._paste_one(random, canvas, size, is_decoy)
            hidden = [min(1.0, h + _covered_part(covered, row[:4])) for h, row in zip(hidden, labels, strict=True)]
            if not is_decoy:
                labels.append(np.concatenate([box, points.ravel()]))
                hidden.append(0.0)
        rows = np.zeros((MOST_FACES, 15), np.float32)
        for slot, (row, part) in enumerate(zip(labels, hidden, strict=True)):
            rows[slot] = (self._kind(row[:4], part), *row)
        return degrade_picture(random, canvas), rows

    def _draw_sizes(self, random: np.random.Generator) -> list[tuple[float, bool]]:
        """Longer sides in px of what to paste, in order, and whether it is a decoy, which looks pasted but shows no
        face."""
        decoys = (
            [(_log_uniform(random, 12, 250), True) for _ in range(random.integers(1, 4))]
            if random.random() < 0.5
            else []
        )
        chance = random.random()
        if chance < 0.25:
            return decoys
        if chance < 0.29:
            return [(random.uniform(360, 1400), False)]
        first = _log_uniform(random, LEAST_PX - 1, LARGEST_PX * self.size_px / 320)
        others = [_log_uniform(random, LEAST_PX - 1, 110) for _ in range(random.integers(0, 5))]
        return decoys[:1] + [(first, False)] + [(size, False) for size in others]

    def _paste_one(
        self, random: np.random.Generator, canvas: np.ndarray, size: float, is_decoy: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Paste one face or decoy; returns its box, points and the part of the canvas it covers (uint8 mask)."""
        face = self.faces[random.integers(len(self.faces))]
        shrinking = next(f for f in (8, 4, 2, 1) if f == 1 or size * f <= max(face.box[2:]))
        flag = {
            8: cv2.IMREAD_REDUCED_COLOR_8,
            4: cv2.IMREAD_REDUCED_COLOR_4,
            2: cv2.IMREAD_REDUCED_COLOR_2,
            1: cv2.IMREAD_COLOR,
        }[shrinking]
        image = np.asarray(cv2.imdecode(face.encoded, flag))[..., ::-1]
        box, points = _rescale(face.box, face.points, 1 / shrinking)
        if random.random() < 0.5:
            last = image.shape[1] - 1
            image = image[:, ::-1]
            box = np.array([last - box[0] - box[2], *box[1:]])
            points = (np.array([last, 0]) + points * (-1, 1))[[1, 0, 2, 4, 3]]
        image = np.ascontiguousarray(image)
        if is_decoy or random.random() < 0.35:
            draw_cover(random, image, box, points, self.backgrounds, whole=is_decoy)
        roll = _draw_roll(random)
        centre = random.uniform(0, self.size_px, 2)
        if size > self.size_px / 3:  # keep most of a large face in the picture
            centre += (self.size_px / 2 - centre) * min(1.0, random.uniform(0.4, 1.0) * size / self.size_px)
        matrix = paste_matrix(box, size, roll, centre, stretch=float(np.exp(random.normal(0, 0.06))))
        covered = paste_patch(canvas, image, draw_patch_mask(random, image.shape[0], box, roll), matrix)
        return warp_box(box, matrix), transform_points(points, matrix), covered

    def _kind(self, box: np.ndarray, hidden: float) -> int:
        """What to ask for a face of which other patches hide a part of 0..1 and the canvas's edge perhaps another."""
        size = max(box[2], box[3])
        if size > LARGEST_PX * 1.05:
            return OVERSIZE
        inside = (
            np.clip(np.minimum(box[:2] + box[2:], self.size_px) - np.maximum(box[:2], 0), 0, None).prod()
            / box[2:].prod()
        )
        visible = inside * (1 - hidden)
        if visible < 0.1:
            return NOTHING
        return FACE if visible >= 0.55 and size >= LEAST_PX else IGNORED


def _covered_part(covered: np.ndarray, box: np.ndarray) -> float:
    """Mean of the mask `covered` (0..255) over the middle of `box`, as a part of 1."""
    low, high = box[:2] + box[2:] * 0.1, box[:2] + box[2:] * 0.9
    x, y = np.clip(np.stack([low, high + 1]).astype(int), 0, covered.shape[1]).T
    region = covered[y[0] : y[1], x[0] : x[1]]
    return float(region.mean()) / 255 if region.size else 0.0


def _draw_roll(random: np.random.Generator) -> float:
    """Degrees: half of the faces nearly upright, most others up to lying, a few upside down."""
    chance = random.random()
    if chance < 0.5:
        return float(random.normal(0, 12))
    return float(random.uniform(-95, 95) if chance < 0.92 else random.uniform(-180, 180))


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))
