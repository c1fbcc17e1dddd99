"""How many faces a locator finds, and how many it makes up: `locator_recall`'s protocol as a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facechange.evaluation.intervals import wilson_percent
from facechange.evaluation.locator_recall import Locate, evaluate_locator_recall_iou50
from facechange.evaluation.report import Report


def evaluate_locator(locate: Locate, faces: Path, backgrounds: Path, split: str = "val", seed: int = 0) -> Report:
    """Recall at an intersection over union of 0.5, and the share of face-free pictures in which a face is claimed."""
    measured: dict[str, Any] = evaluate_locator_recall_iou50(locate, faces, backgrounds, split, seed)
    count, face_free = measured.pop("faces"), measured.pop("face_free_pictures")
    metrics = {
        "recall_iou50": wilson_percent(round(measured.pop("recall") * count), count),
        "face_free_pictures_claimed": wilson_percent(measured.pop("face_free_pictures_claimed"), face_free),
    }
    del measured["face_free_rate"]  # the same as the metric
    protocol = {"faces": count, "face_free_pictures": face_free, "split": split, "seed": seed}
    return Report(protocol, metrics, measured)
