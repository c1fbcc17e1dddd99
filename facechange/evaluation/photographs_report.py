"""What users get of anonymising: whole photographs, fallbacks included, and whether what is said of each face is true."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facechange.core import Changed, Outcome
from facechange.core.errors import PictureError
from facechange.evaluation.aligned_faces import FacePictures
from facechange.evaluation.cosines_to_originals import cosines_to_originals
from facechange.evaluation.intervals import Interval, bootstrap_mean, wilson_percent
from facechange.evaluation.progress import Progress, no_progress, ticking
from facechange.evaluation.reidentified_top1_all_faces import reidentified_top1_all_faces
from facechange.evaluation.report import Report
from facechange.faces.labelled import LabelledFace

See = Callable[[np.ndarray, LabelledFace], np.ndarray]  # uint8 [H, W, 3] and its face => the judge's vector [D] of length 1


def evaluate_photographs(
    anonymize: Callable[[np.ndarray], Changed], faces: FacePictures, see: See, judge: str, seed: int = 0, progress: Progress = no_progress
) -> Report:
    """Anonymise every picture whole, by `anonymize`, and let a judge that takes no part `see` the labelled face before and after.

    `false_claims_all_faces` is the share of faces that are said to be changed or covered, and are still the nearest to themselves
    of all; a face that was missed, or said to be left, is no claim. Raises `PictureError` for fewer than two faces.
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
    told = reidentified_top1_all_faces(results, originals)
    claimed = np.array([outcome is not None and outcome.done != "left" for outcome in outcomes])
    shares = {
        "reidentified_top1_all_faces": told,
        "false_claims_all_faces": told * claimed,
        "missed_all_faces": np.array([outcome is None for outcome in outcomes], np.float64),
        "covered_all_faces": np.array([outcome is not None and outcome.is_covered for outcome in outcomes], np.float64),
        "left_all_faces": np.array([outcome is not None and outcome.done == "left" for outcome in outcomes], np.float64),
    }
    own, others = cosines_to_originals(results, originals)
    metrics: dict[str, Interval] = {name: wilson_percent(int(values.sum()), count) for name, values in shares.items()}
    metrics["cosine_to_original_all_faces"] = bootstrap_mean(own, "cosine", seed)
    metrics["cosine_to_others_all_faces"] = bootstrap_mean(others, "cosine", seed)
    done = [outcome.done if outcome is not None else "missed" for outcome in outcomes]
    return Report(
        {"photographs": count, "judge": judge, "seed": seed}, metrics, details={name: done.count(name) for name in sorted(set(done))}
    )


def find_outcome(changed: Changed, face: LabelledFace) -> Outcome | None:
    """What became of the labelled `face`; None where it was not found."""
    middle = face.landmarks5.mean(0)
    size = float(np.ptp(face.landmarks5, 0).max())
    away = [float(np.hypot(*(outcome.face.points.mean(0) - middle))) for outcome in changed.outcomes]
    nearest = int(np.argmin(away)) if away else -1
    return changed.outcomes[nearest] if away and away[nearest] < size else None
