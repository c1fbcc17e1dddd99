"""Can anonymised faces still be told, and are they still of use? Each becomes a persona; everything is measured on
aligned crops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from facechange.core import Face
from facechange.core.errors import PictureError
from facechange.evaluation.aligned_faces import AlignedFaces, FacePictures
from facechange.evaluation.baselines import Change
from facechange.evaluation.face_groups import members_by_group
from facechange.evaluation.identity_report import Identify
from facechange.evaluation.landmarker import PoseEvaluator
from facechange.evaluation.original_faces import OriginalFaces
from facechange.evaluation.progress import Progress, no_progress, ticking
from facechange.evaluation.recognition import Evaluator
from facechange.evaluation.report import Group, Report, name_evaluators, summarise
from facechange.metrics.detection import detected
from facechange.metrics.identity import (
    cosine_to_original_all_faces,
    cosine_to_others_all_faces,
    reidentified_top1_all_faces,
)

TOLD_APART = (reidentified_top1_all_faces, cosine_to_original_all_faces, cosine_to_others_all_faces)
Finder = Callable[[np.ndarray], list[Face]]  # uint8 [H, W, 3] to the faces it finds


def evaluate_anonymize(
    change: Change,
    identify: Identify,
    assignment: Callable[[np.ndarray], np.ndarray],
    size_px: int,
    faces: FacePictures,
    evaluators: Sequence[Evaluator],
    finders: Mapping[str, Finder],
    seed: int = 0,
    progress: Progress = no_progress,
    *,
    landmarkers: Sequence[PoseEvaluator] = (),
) -> Report:
    """Give every face, one after the other, the identity that `assignment` gives for its own ([512] to [512]), and
    measure its crop.

    Each face is one person's, and the evaluators see the originals in their full resolution. `finders` are asked by
    name whether a face is still found in the crop of side `size_px`. Pose and expression are left out without
    `landmarkers`. The reference row is the faces unchanged. Raises `PictureError` for fewer than two faces.
    """
    count = len(faces.faces)
    if count < 2:
        raise PictureError("One face cannot be told from others.", "Give two or more.")
    tick = ticking(progress, 3 * count)
    aligned = AlignedFaces(faces, identify, size_px)
    originals = OriginalFaces(aligned, evaluators, landmarkers, tick)
    personas = [assignment(aligned[index].identity) for index in range(count)]

    def measure(make: Callable[[int], np.ndarray]) -> dict[str, np.ndarray]:
        return _measure(make, aligned, originals, finders, tick)

    measured = measure(lambda index: change(aligned[index].crop, personas[index]))
    unchanged = measure(lambda index: aligned[index].crop)
    protocol = {
        "faces": count,
        "personas": len({persona.tobytes() for persona in personas}),
        "size_px": size_px,
        "evaluators": name_evaluators(evaluators),
        "landmarkers": name_evaluators(landmarkers),
        "seed": seed,
    }
    groups = {
        name: Group(int(members.sum()), summarise(_of_group(measured, members), seed, shares_of_faces=True))
        for name, members in members_by_group(faces.faces, aligned).items()
    }
    references = {"faces unchanged": summarise(unchanged, seed, shares_of_faces=True)}
    return Report(protocol, summarise(measured, seed, shares_of_faces=True), references=references, groups=groups)


def _measure(
    make: Callable[[int], np.ndarray],
    faces: AlignedFaces,
    originals: OriginalFaces,
    finders: Mapping[str, Finder],
    tick: Callable[[], None],
) -> dict[str, np.ndarray]:
    """Every metric [F] of the crops that `make` makes of the faces."""
    rows: list[dict[str, float]] = []
    vectors: dict[str, list[np.ndarray]] = {name: [] for name in originals.vectors}
    for index in range(len(faces)):
        face, changed = faces[index], make(index)
        for name, vector in originals.recognise(changed, index).items():
            vectors[name].append(vector)
        rows.append(
            {
                **originals.compare_poses(changed, index),
                **originals.compare_faces(changed, index),
                **{detected.by(name): detected(find(changed), face.landmarks68) for name, find in finders.items()},
            }
        )
        tick()
    measured: dict[str, np.ndarray] = {}
    for evaluator, gallery in originals.vectors.items():
        seen = np.stack(vectors[evaluator])
        measured |= {metric.by(evaluator): metric(seen, gallery) for metric in TOLD_APART}
    return measured | {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}


def _of_group(measured: Mapping[str, np.ndarray], members: np.ndarray) -> dict[str, np.ndarray]:
    """What was measured of the faces that are `members` (bool [F])."""
    return {name: values[members] for name, values in measured.items()}
