"""What users get of anonymising: whole photographs, fallbacks included, and whether what is said of each face is
true."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facechange.core import Changed, Outcome
from facechange.core.errors import PictureError
from facechange.data.labelled import LabelledFace
from facechange.evaluation.aligned_faces import FacePictures
from facechange.evaluation.anonymize_report import TOLD_APART
from facechange.evaluation.progress import Progress, no_progress, ticking
from facechange.evaluation.report import Report, summarise
from facechange.metrics.identity import covered_all_faces, false_reports_all_faces, left_all_faces, missed_all_faces

# uint8 [H, W, 3] and its face => the evaluator's vector [D] of length 1
See = Callable[[np.ndarray, LabelledFace], np.ndarray]


def evaluate_photographs(
    anonymize: Callable[[np.ndarray], Changed],
    faces: FacePictures,
    see: See,
    evaluator: str,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Report:
    """Anonymise every picture whole, by `anonymize`, and let an evaluator that takes no part `see` the labelled face
    before and after.

    Raises `PictureError` for fewer than two faces.
    """
    count = len(faces.faces)
    if count < 2:
        raise PictureError("One face cannot be told from others.", "Give two or more.")
    tick = ticking(progress, count)
    before, after, outcomes = [], [], []
    for index, face in enumerate(faces.faces):
        picture = faces.read(index)
        changed = anonymize(picture)
        before.append(see(picture, face))
        after.append(see(changed.image, face))
        outcomes.append(find_outcome(changed, face))
        tick()
    originals, results = np.stack(before), np.stack(after)
    values = {metric.name: metric(results, originals) for metric in TOLD_APART}
    values |= {false_reports_all_faces.name: false_reports_all_faces(results, originals, outcomes)}
    values |= {metric.name: metric(outcomes) for metric in (missed_all_faces, covered_all_faces, left_all_faces)}
    metrics = summarise(values, seed, shares_of_faces=True)
    done = [outcome.done if outcome is not None else "missed" for outcome in outcomes]
    return Report(
        {"photographs": count, "evaluator": evaluator, "seed": seed},
        metrics,
        details={name: done.count(name) for name in sorted(set(done))},
    )


def find_outcome(changed: Changed, face: LabelledFace) -> Outcome | None:
    """What became of the labelled `face`; None where it was not found."""
    middle = face.landmarks5.mean(0)
    size = float(np.ptp(face.landmarks5, 0).max())
    away = [float(np.hypot(*(outcome.face.points.mean(0) - middle))) for outcome in changed.outcomes]
    nearest = int(np.argmin(away)) if away else -1
    return changed.outcomes[nearest] if away and away[nearest] < size else None
