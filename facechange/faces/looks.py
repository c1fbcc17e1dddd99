"""Closer looks: each claimed face at the size that the detector knows best, in four turns, and once more upright.

The turn in which it scores best says how the face stands. A claim that holds at one size and place only falls. Points are
those of the last look; they are never averaged, and where looks contradict each other the face says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from facechange.core import Face
from facechange.faces.align import warp_crop
from facechange.faces.geometry import invert, roll_degrees, transform_points, warp_box

ROUGH_PX, EXACT_PX = 96, 160  # side of the looks; the longer side of the face is half of it
HOPEFUL = 0.4  # what the best turn has to score for an exact look
FARTHEST = 0.35  # of the face: how far from the middle it may be seen again
LARGEST_RATIO = 1.7  # between the sizes of the claim and the look
LARGEST_DISAGREEMENT = 0.15  # of the face: mean distance of the points of two looks that agree
LEAST_ADVANTAGE = 0.006  # of the score upright over the score upside down, from which it is clear which way up a face is
CROPS_A_RUN = 32

Detect = Callable[[list[np.ndarray]], list[list[Face]]]  # pictures of one size => what each shows, the best first


def judge_claims(image: np.ndarray, claims: Sequence[Face], detect: Detect) -> list[Face]:
    """Those of `claims` in `image` [H, W, 3] uint8 that closer looks confirm: their boxes, points and scores.

    The score is the mean of the two looks, or halfway to the claim's where that is higher.
    """
    rolls = [roll_degrees(claim.points) for claim in claims]
    turns = [look_at(image, claims, [roll + turn for roll in rolls], ROUGH_PX, detect) for turn in (0, 90, 180, 270)]
    best = [max((seen for seen in looks if seen), key=lambda face: face.score, default=None) for looks in zip(*turns, strict=True)]
    pairs = [(claim, rough) for claim, rough in zip(claims, best, strict=True) if rough and rough.score >= HOPEFUL]
    roughs = [rough for _, rough in pairs]
    rolls = [roll_degrees(rough.points) for rough in roughs]
    upright = look_at(image, roughs, rolls, EXACT_PX, detect)
    inverted = look_at(image, roughs, [roll + 180 for roll in rolls], EXACT_PX, detect)
    faces = []
    for (claim, rough), one, other in zip(pairs, upright, inverted, strict=True):
        seen = max((face for face in (one, other) if face), key=lambda face: face.score, default=None)
        if seen:
            score = (rough.score + seen.score) / 2
            doubtful = not _agree(rough, seen) or (one is not None and other is not None and abs(one.score - other.score) < LEAST_ADVANTAGE)
            faces.append(replace(seen, score=max(score, (claim.score + score) / 2), doubtful=doubtful))
    return faces


def look_at(image: np.ndarray, faces: Sequence[Face], rolls: Sequence[float], side_px: int, detect: Detect) -> list[Face | None]:
    """What a look of `side_px` shows in place of each of `faces` when the picture is turned back by `rolls` degrees; None for nothing."""
    seen: list[Face | None] = []
    for start in range(0, len(faces), CROPS_A_RUN):
        part = slice(start, start + CROPS_A_RUN)
        matrices = [_look_matrix(face, roll, side_px) for face, roll in zip(faces[part], rolls[part], strict=True)]
        for matrix, shown in zip(matrices, detect([warp_crop(image, matrix, side_px) for matrix in matrices]), strict=True):
            middle = next((face for face in shown if _is_in_the_middle(face, side_px)), None)
            seen.append(carry_face(middle, invert(matrix)) if middle else None)
    return seen


def carry_face(face: Face, matrix: np.ndarray) -> Face:
    """`face` after `matrix` [2, 3]; the box stays upright."""
    x, y, width, height = map(float, warp_box(np.array(face.box), matrix))
    return replace(face, box=(x, y, width, height), points=transform_points(face.points, matrix).astype(np.float32))


def _agree(one: Face, other: Face) -> bool:
    distance = np.linalg.norm(one.points - other.points, axis=1).mean()
    return bool(distance <= LARGEST_DISAGREEMENT * other.size_px)


def _look_matrix(face: Face, roll: float, side_px: int) -> np.ndarray:
    """Picture to look: the face in the middle, turned back by `roll` degrees, its longer side half the look's."""
    x, y, width, height = face.box
    angle, scale = np.radians(roll), side_px / (2 * face.size_px)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos, sin], [-sin, cos]])
    return np.hstack([linear, ((side_px - 1) / 2 - linear @ [x + width / 2, y + height / 2])[:, None]])


def _is_in_the_middle(face: Face, side_px: int) -> bool:
    away = np.abs(np.array(face.box[:2]) + np.array(face.box[2:]) / 2 - (side_px - 1) / 2).max()
    return bool(away < FARTHEST * side_px / 2 and abs(np.log(2 * face.size_px / side_px)) < np.log(LARGEST_RATIO))
