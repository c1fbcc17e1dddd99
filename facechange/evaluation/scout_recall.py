"""How many of YuNet's faces the scout finds again when they lie elsewhere, and what it reports where there is none.

Protocol: every face picture of the split is pasted once, one to three a canvas, on backgrounds that no training saw
(longer side 320 to 1280 px). The face's longer side is log-uniform from 20 px to nine tenths of the canvas's shorter
side, its roll uniform over the whole turn, its place uniform where its box fits without meeting another's. It counts as
found where a detected box meets YuNet's, carried along, with an intersection over union of at least 0.5. Face-free
pictures are the held-out backgrounds in all four quarter turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from facechange.core import Face
from facechange.data.backgrounds import read_backgrounds
from facechange.data.composites import paste_matrix, paste_patch, read_faces
from facechange.evaluation.report import Report, summarise
from facechange.faces.geometry import transform_points, warp_box
from facechange.metrics.detection import face_free_pictures_detected, measure_overlap, recall_iou50

Detect = Callable[[np.ndarray], list[Face]]
LEAST_PX = 20.0
SIZE_EDGES_PX = (20, 32, 64, 128, 256, 10_000)
ROLL_EDGES = (0, 15, 45, 90, 135, 180)


def evaluate_scout(detect: Detect, faces: Path, backgrounds: Path, split: str = "val", seed: int = 0) -> Report:
    """Recall of `detect` (uint8 [H, W, 3] RGB to faces) and the share of face-free pictures in which it reports a
    face.

    `faces` is a folder of shards, `backgrounds` a tar; deterministic in `seed`. The details hold the accuracy of boxes
    and points: point errors are mean distances as a part of the box's longer side.
    """
    random = np.random.default_rng(seed)
    photographs = read_backgrounds(backgrounds, held_out=True)
    sizes, rolls, overlaps, errors = [], [], [], []
    canvases = false_reports = 0
    for canvas, pasted in compose_canvases(random, photographs, read_faces(faces, split)):
        detections = detect(canvas)
        canvases += 1
        matched = set()
        for box, points, roll in pasted:
            overlap, best = max(
                ((measure_overlap(np.array(face.box), box), i) for i, face in enumerate(detections)), default=(0.0, -1)
            )
            overlaps.append(overlap)
            sizes.append(max(box[2:]))
            rolls.append(abs(roll))
            if recall_iou50(np.array([overlap])).all():
                matched.add(best)
                errors.append(np.linalg.norm(detections[best].points - points, axis=1).mean() / sizes[-1])
        false_reports += len(detections) - len(matched)
    turned = [np.ascontiguousarray(np.rot90(photograph, turns)) for photograph in photographs for turns in range(4)]
    detected = face_free_pictures_detected([detect(picture) for picture in turned])
    found = recall_iou50(np.array(overlaps))
    metrics = summarise(
        {recall_iou50.name: found, face_free_pictures_detected.name: detected}, seed, shares_of_faces=True
    )
    details = {
        "recall_by_size_px": _by_range(found, sizes, SIZE_EDGES_PX),
        "recall_by_roll_degrees": _by_range(found, rolls, ROLL_EDGES),
        "mean_iou": float(np.mean(np.array(overlaps)[found > 0])) if errors else 0.0,
        "mean_point_error": float(np.mean(errors)) if errors else 1.0,
        "false_reports_per_canvas": false_reports / canvases,
    }
    return Report(
        {"faces": len(found), "face_free_pictures": len(turned), "split": split, "seed": seed}, metrics, details
    )


def compose_canvases(
    random: np.random.Generator,
    photographs: list[np.ndarray],
    faces: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> Iterator[tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, float]]]]:
    """Canvases [H, W, 3] uint8 with the boxes [4], points [5, 2] and rolls (degrees) of the faces pasted on them."""
    waiting = list(faces)
    while waiting:
        photograph = photographs[random.integers(len(photographs))]
        scale = np.exp(random.uniform(np.log(320), np.log(1280))) / max(photograph.shape[:2])
        canvas = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        pasted: list[tuple[np.ndarray, np.ndarray, float]] = []
        for image, box, points in [waiting.pop() for _ in range(min(len(waiting), int(random.integers(1, 4))))]:
            place = _find_place(random, canvas.shape, box, [other for other, _, _ in pasted])
            if place is None:
                waiting.append((image, box, points))
                continue
            matrix, roll = place
            paste_patch(canvas, *_reduce(image, matrix, _draw_mask(random, image.shape[:2], box)))
            pasted.append((warp_box(box, matrix), transform_points(points, matrix), roll))
        if pasted:
            yield canvas, pasted


def _find_place(
    random: np.random.Generator, shape: tuple[int, ...], box: np.ndarray, taken: list[np.ndarray]
) -> tuple[np.ndarray, float] | None:
    """A matrix and a roll that put `box` inside the canvas, its patch clear of the boxes `taken`; None where 50 tries
    fail."""
    for _ in range(50):
        size = np.exp(random.uniform(np.log(LEAST_PX), np.log(0.9 * min(shape[:2]))))
        roll = random.uniform(-180, 180)
        matrix = paste_matrix(box, size, roll, random.uniform(0, shape[1::-1]))
        low, extent = np.split(warp_box(box, matrix), 2)
        fits = (low >= 0).all() and (low + extent <= shape[1::-1]).all()
        grown = np.concatenate([low - 0.4 * extent, 1.8 * extent])  # the patch reaches beyond the face
        if fits and all(measure_overlap(grown, other) == 0 for other in taken):
            return matrix, roll
    return None


def _draw_mask(random: np.random.Generator, shape: tuple[int, ...], box: np.ndarray) -> np.ndarray:
    """What of a picture to paste: the rectangle around head and shoulders, or a soft oval of the head (uint8 of
    `shape`)."""
    mask = np.zeros(shape, np.uint8)
    centre = box[:2] + box[2:] / 2
    if random.random() < 0.5:
        low, high = np.rint(centre - 0.8 * box[2:]).astype(int), np.rint(centre + 0.8 * box[2:]).astype(int)
        cv2.rectangle(mask, low.tolist(), high.tolist(), 255, -1)
        return mask
    cv2.ellipse(
        mask, np.rint(centre).astype(int).tolist(), np.rint(0.65 * box[2:]).astype(int).tolist(), 0, 0, 360, 255, -1
    )
    return cv2.GaussianBlur(mask, (0, 0), 0.02 * float(max(box[2:])))


def _reduce(image: np.ndarray, matrix: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, mask and matrix with the picture averaged down first, so that a small face does not alias."""
    scale = min(1.0, float(np.hypot(*matrix[:, 0])))
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    small, small_mask = (cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA) for layer in (image, mask))
    across, down = image.shape[1] / width, image.shape[0] / height
    back = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
    return small, small_mask, matrix @ back


def _by_range(found: np.ndarray, values: list[float], edges: tuple[int, ...]) -> dict[str, float]:
    """Recall within each range of `values`; ranges without a face are left out."""
    outcome, place = found / 100, np.digitize(values, edges[1:-1])
    names = [f"{low}-{high}" if high < 10_000 else f"{low}+" for low, high in pairwise(edges)]
    return {name: float(outcome[place == i].mean()) for i, name in enumerate(names) if (place == i).any()}
