"""A changed video beside the one it was made from: does it move as it did, and are mouth, pose and gaze kept?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

import numpy as np

from facechange.core import Face
from facechange.core.errors import FaceError, VideoError
from facechange.evaluation.face_mesh import FaceMesh
from facechange.evaluation.landmarker import PoseEvaluator
from facechange.evaluation.original_faces import BY_LANDMARKS, BY_MESH
from facechange.evaluation.progress import Progress, no_progress
from facechange.evaluation.report import Report, name_evaluators, summarise
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix
from facechange.metrics import Interval, Metric, bootstrap_blocks
from facechange.metrics.pose import fit_pose
from facechange.metrics.temporal import crop_departures, crop_jitter, warp_differences, warp_error

CROP_PX = 256  # side of the crop that landmarks and meshes are found in
LOOKED_EVERY = 10  # frames; in those between neither landmarks nor meshes are looked for
LEAST_FRAMES = 3  # less has no second difference in time

Detect = Callable[[np.ndarray], list[Face]]  # uint8 [H, W, 3] RGB to faces, the largest first


def evaluate_video(
    original: Iterable[np.ndarray],
    changed: Iterable[np.ndarray],
    detect: Detect,
    frames: int = 0,
    seed: int = 0,
    progress: Progress = no_progress,
    *,
    landmarkers: Sequence[PoseEvaluator] = (),
    mesh: FaceMesh | None = None,
) -> Report:
    """Measure two videos in step, uint8 [H, W, 3] RGB frames of one size, on one face, each frame held but once.

    The face is the largest of the first frame of the original that has one, then the nearest to where it was; in the
    changed video it is the nearest to where it is in the original. Pose, expression and mouth are left out without
    `landmarkers`, dense pose and gaze without `mesh`. `frames` is how many there seem to be, for `progress`. Raises
    `VideoError` for videos of different lengths or of less than three frames, and `FaceError` where no three frames in
    a row have the face in both.
    """
    follower = _FaceFollower(detect)
    pairs: list[tuple[float, float]] = []
    kept: dict[str, list[float]] = {}
    last: tuple[np.ndarray, np.ndarray] | None = None
    count = 0
    for before, after in zip_longest(original, changed):
        if before is None or after is None:
            shorter, longer = ("original", "changed video") if before is None else ("changed video", "original")
            raise VideoError(
                f"The {shorter} has {count} frames, and the {longer} has more.",
                "Give a video and what was made of all of it.",
            )
        if before.shape != after.shape:
            sizes = " and ".join(f"{frame.shape[1]} x {frame.shape[0]}" for frame in (before, after))
            raise VideoError(f"The videos are {sizes} pixels.", "Scale the changed one to the size of its original.")
        points = follower.follow(before, after)
        if points is not None and count % LOOKED_EVERY == 0:
            for name, value in _compare_faces(before, after, points, landmarkers, mesh).items():
                kept.setdefault(name, []).append(value)
        differences = None if last is None else warp_differences(last[0], before, last[1], after)
        pairs += [] if differences is None else [differences]
        last, count = (before, after), count + 1
        progress(count, max(frames, count))
    if count < LEAST_FRAMES:
        raise VideoError(f"{count} frames do not tell how a video moves.", f"Give videos of {LEAST_FRAMES} and more.")
    return _report(
        follower,
        np.array(pairs).reshape(-1, 2),
        kept,
        count,
        seed,
        name_evaluators([*landmarkers, *([mesh] if mesh else [])]),
    )


class _FaceFollower:
    """One face through both videos: its five points [5, 2] in each frame, NaN where it was not found."""

    def __init__(self, detect: Detect) -> None:
        self._locate = detect
        self._place: np.ndarray | None = None  # where the face was last in the original
        self.original: list[np.ndarray] = []
        self.changed: list[np.ndarray] = []

    def follow(self, before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
        """Look for the face in the next frame of both; returns its points in the original where both have it."""
        face = _nearest(self._locate(before), self._place)
        self._place = self._place if face is None else face.points.mean(0)
        again = None if face is None else _nearest(self._locate(after), self._place, face.size_px)
        for kept, found in ((self.original, face), (self.changed, again)):
            kept.append(np.full((5, 2), np.nan) if found is None else np.asarray(found.points, np.float64))
        return None if face is None or again is None else self.original[-1]


def _nearest(faces: Sequence[Face], place: np.ndarray | None, within_px: float = np.inf) -> Face | None:
    """The largest face where no `place` [2] is known yet, else the nearest to it, if one is `within_px`."""
    if not faces:
        return None
    if place is None:
        return max(faces, key=lambda face: face.size_px)
    away = [float(np.hypot(*(face.points.mean(0) - place))) for face in faces]
    return faces[int(np.argmin(away))] if min(away) < within_px else None


def _compare_faces(
    before: np.ndarray,
    after: np.ndarray,
    points: np.ndarray,
    landmarkers: Sequence[PoseEvaluator],
    mesh: FaceMesh | None,
) -> dict[str, float]:
    """What the evaluators see changed in the crop of one frame, laid in both by the original's `points` [5, 2]."""
    matrix = ffhq_crop_matrix(points, CROP_PX)
    first, second = (warp_crop(frame, matrix, CROP_PX) for frame in (before, after))
    measured: dict[str, float] = {}
    for evaluator in landmarkers:
        wanted, found = (fit_pose(evaluator.find(crop[None])[0], CROP_PX) for crop in (first, second))
        measured |= {metric.by(evaluator.name): metric(found, wanted) for metric in BY_LANDMARKS}
    if mesh is not None:
        dense, own = mesh.read(second), mesh.read(first)
        measured |= {metric.name: metric(dense, own) for metric in BY_MESH}
    return measured


def _report(
    follower: _FaceFollower,
    differences: np.ndarray,
    kept: dict[str, list[float]],
    count: int,
    seed: int,
    evaluators: str,
) -> Report:
    """`differences` are `warp_differences` [N, 2]; `kept` are values of the frames that were looked at, by metric."""
    both = np.isfinite(np.stack([follower.original, follower.changed])).all((0, 2, 3))
    if not (both[:-2] & both[1:-1] & both[2:]).any():
        raise FaceError(
            "No three frames in a row show a face in both videos.",
            "Give a video with a face, and what was made of it, or try --detector.",
        )
    places = (np.where(both[:, None, None], points, np.nan) for points in (follower.changed, follower.original))
    departures = np.stack([crop_departures(points) for points in places])
    departures = departures[:, np.isfinite(departures).all(0)]
    metrics = {crop_jitter.name: _ratio(crop_jitter, *departures, seed=seed)}
    if len(differences):
        metrics[warp_error.name] = _ratio(warp_error, *differences.T, seed=seed)
    metrics |= summarise({name: np.array(values) for name, values in kept.items()}, seed)
    changed, original = np.sqrt((departures**2).mean(1))
    details = {"crop_jitter_changed": float(changed), "crop_jitter_original": float(original)}
    if len(differences):
        changed, original = differences.mean(0)
        details |= {"warp_error_changed": float(changed), "warp_error_original": float(original)}
    protocol = {
        "frames": count,
        "with_the_face": int(both.sum()),
        "looked_every": LOOKED_EVERY,
        "landmarkers": evaluators,
        "seed": seed,
    }
    return Report(protocol, metrics, details)


def _ratio(
    metric: Metric[[np.ndarray, np.ndarray], float], changed: np.ndarray, original: np.ndarray, *, seed: int
) -> Interval:
    return bootstrap_blocks(lambda rows: metric(changed[rows], original[rows]), len(changed), metric.unit, seed)
