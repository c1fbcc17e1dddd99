"""Refinements: each detected face at sizes that the detector knows well, in four turns, then ever more exactly upright.

Where none of the four shows it clearly, four more between them are tried. The turn in which it scores best says how the
face stands. A detection that holds at one size and place only falls, and where looks contradict each other about the
points the face says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from facechange.core import Face
from facechange.faces.align import warp_crops
from facechange.faces.geometry import invert, roll_degrees, transform_points, warp_box

ROUGH_PX, FINE_PX, EXACT_PX = 96, 224, 160  # side of the looks; the longer side of the face is half of it
HOPEFUL = 0.4  # what a look has to score for the next
HINT, CLEAR = 0.15, 0.6  # scores of the best of four turns between which four more are tried
FARTHEST = 0.35  # of the face: how far from the middle it may be seen again
LARGEST_RATIO = 1.7  # between the sizes of the detection and the look
LARGEST_DISAGREEMENT = 0.15  # of the face: mean distance of the points of two looks that agree
LEAST_ADVANTAGE = 0.01  # of the score upright over the score upside down, from which it is clear which way up a face is
CROPS_A_RUN = 32

Detect = Callable[[list[np.ndarray]], list[list[Face]]]  # pictures of one size => what each shows, the best first


def refine_detections(image: np.ndarray, detections: Sequence[Face], detect: Detect) -> list[Face]:
    """Those of `detections` in `image` [H, W, 3] uint8 that refinements confirm: their boxes and points, as score the
    least of the looks."""
    rolls = [roll_degrees(detection.points) for detection in detections]
    best = _best_of_turns(image, detections, rolls, (0, 90, 180, 270), detect)
    unclear = [index for index, rough in enumerate(best) if rough and HINT <= rough.score < CLEAR]
    between = _best_of_turns(
        image, [detections[i] for i in unclear], [rolls[i] for i in unclear], (45, 135, 225, 315), detect
    )
    for index, seen in zip(unclear, between, strict=True):
        best[index] = max((face for face in (best[index], seen) if face), key=lambda face: face.score)
    roughs = [rough for rough in best if rough and rough.score >= HOPEFUL]
    fine = refine_at(image, roughs, [roll_degrees(rough.points) for rough in roughs], FINE_PX, detect)
    pairs = [(rough, seen) for rough, seen in zip(roughs, fine, strict=True) if seen and seen.score >= HOPEFUL]
    hopeful = [seen for _, seen in pairs]
    rolls = [roll_degrees(seen.points) for seen in hopeful]
    upright = refine_exactly(image, hopeful, rolls, detect)
    inverted = refine_exactly(image, hopeful, [roll + 180 for roll in rolls], detect)
    faces = []
    for (rough, before), *looks in zip(pairs, upright, inverted, strict=True):
        ways = sorted((face for face in looks if face), key=lambda face: -face.score)
        if ways:
            either = len(ways) == 2 and ways[0].score - ways[1].score < LEAST_ADVANTAGE
            doubtful = ways[0].doubtful or either or not _agree(before, ways[0])
            faces.append(replace(ways[0], score=min(rough.score, before.score, ways[0].score), doubtful=doubtful))
    return faces


def _best_of_turns(
    image: np.ndarray, detections: Sequence[Face], rolls: Sequence[float], turns: Sequence[float], detect: Detect
) -> list[Face | None]:
    """The best of rough looks at each of `detections` in `turns` from its roll, in degrees; None where none shows
    anything."""
    looks = [refine_at(image, detections, [roll + turn for roll in rolls], ROUGH_PX, detect) for turn in turns]
    return [
        max((seen for seen in each if seen), key=lambda face: face.score, default=None)
        for each in zip(*looks, strict=True)
    ]


def refine_exactly(
    image: np.ndarray, faces: Sequence[Face], rolls: Sequence[float], detect: Detect
) -> list[Face | None]:
    """What an exact look and its mirror image show in place of each of `faces`; None where one of them shows nothing.

    The points are the middle of both where they agree, which makes them a tenth more exact; the score is the lower one.
    """
    pairs = zip(
        *(refine_at(image, faces, rolls, EXACT_PX, detect, mirrored) for mirrored in (False, True)), strict=True
    )
    return [_join(one, other) if one and other else None for one, other in pairs]


def refine_at(
    image: np.ndarray,
    faces: Sequence[Face],
    rolls: Sequence[float],
    side_px: int,
    detect: Detect,
    mirrored: bool = False,
) -> list[Face | None]:
    """What a look of `side_px` shows in place of each of `faces` when the picture is turned back by `rolls` degrees;
    None for nothing."""
    seen: list[Face | None] = []
    for start in range(0, len(faces), CROPS_A_RUN):
        part = slice(start, start + CROPS_A_RUN)
        matrices = [_look_matrix(face, roll, side_px) for face, roll in zip(faces[part], rolls[part], strict=True)]
        if mirrored:
            matrices = [np.array([(0, 0, side_px - 1) - matrix[0], matrix[1]]) for matrix in matrices]
        for matrix, shown in zip(matrices, detect(warp_crops(image, matrices, side_px)), strict=True):
            middle = next((face for face in shown if _is_in_the_middle(face, side_px)), None)
            back = carry_face(middle, invert(matrix)) if middle else None
            seen.append(replace(back, points=back.points[[1, 0, 2, 4, 3]]) if back and mirrored else back)
    return seen


def _join(one: Face, other: Face) -> Face:
    """The middle of two looks; that of the better score, doubtful, where they contradict each other."""
    score = min(one.score, other.score)
    if not _agree(one, other):
        return replace(max(one, other, key=lambda face: face.score), score=score, doubtful=True)
    x, y, width, height = np.mean([one.box, other.box], axis=0).tolist()
    return Face((x, y, width, height), (one.points + other.points) / 2, score)


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
