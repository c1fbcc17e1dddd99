"""How well a face-change model moves identity and keeps everything else, on aligned crops of pictures it never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from facechange.core.errors import PictureError
from facechange.evaluation.aligned_faces import AlignedFaces, FacePictures
from facechange.evaluation.baselines import Baseline, Change, as_baseline
from facechange.evaluation.change_meter import Case, ChangeMeter, Measured
from facechange.evaluation.face_groups import members_by_group
from facechange.evaluation.face_mesh import FaceMesh
from facechange.evaluation.identity_report import Identify
from facechange.evaluation.landmarker import PoseEvaluator
from facechange.evaluation.pairs import draw_pairs
from facechange.evaluation.progress import Progress, no_progress, ticking
from facechange.evaluation.recognition import Evaluator
from facechange.evaluation.report import Group, Report, name_evaluators, summarise
from facechange.metrics import Interval
from facechange.metrics.fidelity import FIDELITY
from facechange.metrics.identity import frechet_distance, frechet_distance_interval
from facechange.metrics.masks import MASKS

# uint8 [R, R, 3] target and [512] identity to masks [h, w] in [0, 1]
Masks = Callable[[np.ndarray, np.ndarray], list[np.ndarray]]
MASK_PAIRS = 40  # enough for means over masks


def evaluate_change(
    change: Change,
    identify: Identify,
    size_px: int,
    faces: FacePictures,
    evaluators: Sequence[Evaluator],
    pairs: int = 240,
    seed: int = 0,
    progress: Progress = no_progress,
    keep: Callable[[Case], None] | None = None,
    *,
    landmarkers: Sequence[PoseEvaluator] = (),
    mesh: FaceMesh | None = None,
    masks: Masks | None = None,
    references: Mapping[str, Baseline] | None = None,
    photographs: Sequence[np.ndarray] = (),
) -> Report:
    """Change `pairs` pairs of different faces, and every face into itself, and measure the crops of side `size_px`.

    The evaluators see sources and targets in their full resolution and the changed crop through the target's landmarks.
    Pose and expression are left out without `landmarkers`, the dense pose and gaze without `mesh`, and how far the
    masks select without `masks`. `references` are measured on the same pairs. Things put before the face are cut from
    `photographs` (uint8 [H, W, 3]) where there are some. A pair belongs to its target's groups. `keep` is handed each
    pair of the model. Raises `PictureError` where there are not enough faces.
    """
    count = len(faces.faces)
    if not 1 <= pairs <= count * (count - 1):
        raise PictureError(f"{count} faces do not give {pairs} pairs.", f"Ask for 1 to {count * (count - 1)}.")
    baselines = {"": as_baseline(change), **(references or {})}
    tick = ticking(progress, count + len(baselines) * (count + pairs))
    rows = draw_pairs(count, pairs, seed)
    aligned = AlignedFaces(faces, identify, size_px)
    meter = ChangeMeter(aligned, rows, evaluators, landmarkers, photographs, seed, tick, mesh)
    measured = {name: meter.measure(baseline, keep if name == "" else None) for name, baseline in baselines.items()}
    summaries = {
        name: _summarise(values, seed) | (_measure_crowd(values, meter.originals.vectors, seed) if pairs > 1 else {})
        for name, values in measured.items()
    }
    protocol = {
        "faces": count,
        "pairs": pairs,
        "size_px": size_px,
        "evaluators": name_evaluators(evaluators),
        "landmarkers": name_evaluators([*landmarkers, *([] if mesh is None else [mesh])]),
        "occluders": "cut from photographs" if len(photographs) else "drawn",
        "seed": seed,
    }
    members = {name: of for name, of in members_by_group(faces.faces, aligned).items() if of[rows[:, 1]].any()}
    groups = {
        name: Group(int(of[rows[:, 1]].sum()), _summarise(_of_group(measured[""], of, rows), seed))
        for name, of in members.items()
    }
    selected = {} if masks is None else measure_masks(masks, aligned, rows[:MASK_PAIRS], seed)
    return Report(protocol, summaries.pop(""), references=summaries, groups=groups, masks=selected)


def _summarise(measured: Measured, seed: int) -> dict[str, Interval]:
    values, order = measured.by_pair | measured.by_face, [metric.name for metric in FIDELITY]
    # what evaluators say comes first, as measured
    names = sorted(values, key=lambda name: order.index(name) if name in order else -1)
    return summarise({name: values[name] for name in names}, seed)


def _measure_crowd(measured: Measured, galleries: Mapping[str, np.ndarray], seed: int) -> dict[str, Interval]:
    """The Fréchet distance in each evaluator's features, of which all the set's are in `galleries` [F, D]."""
    distances = {
        evaluator: frechet_distance_interval(measured.vectors[evaluator], gallery, seed)
        for evaluator, gallery in galleries.items()
    }
    return {frechet_distance.by(evaluator): distance for evaluator, distance in distances.items()}


def _of_group(measured: Measured, members: np.ndarray, rows: np.ndarray) -> Measured:
    """What was measured of the faces that are `members` (bool [F]), and of the pairs whose target is one."""
    pairs = members[rows[:, 1]]
    by_pair = {name: values[pairs] for name, values in measured.by_pair.items()}
    vectors = {name: rows[pairs] for name, rows in measured.vectors.items()}
    return Measured(by_pair, {name: values[members] for name, values in measured.by_face.items()}, vectors)


def measure_masks(masks: Masks, faces: AlignedFaces, pairs: np.ndarray, seed: int) -> dict[str, dict[str, Interval]]:
    """How far the masks of each resolution select, over `pairs` [P, 2] (source, target)."""
    found: dict[str, list[np.ndarray]] = {}
    for source_row, target_row in pairs:
        target = faces[target_row]
        by_side: dict[str, list[list[float]]] = {}
        for mask in masks(target.crop, faces[source_row].identity):
            by_side.setdefault(f"{len(mask)}²", []).append(
                [metric(mask, target.landmarks68, faces.size_px) for metric in MASKS]
            )
        for side, rows in by_side.items():  # a resolution has two layers
            found.setdefault(side, []).append(np.mean(rows, axis=0))
    names = [metric.name for metric in MASKS]
    return {side: summarise(dict(zip(names, np.array(rows).T, strict=True)), seed) for side, rows in found.items()}
