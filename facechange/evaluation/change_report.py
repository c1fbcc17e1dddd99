"""How well a face-change model moves identity and keeps everything else, on aligned crops of pictures it never saw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facechange.core.errors import PictureError
from facechange.evaluation.identity_report import Identify, Progress, no_progress
from facechange.evaluation.intervals import bootstrap_mean
from facechange.evaluation.pairs import draw_pairs
from facechange.evaluation.psnr import psnr_crop
from facechange.evaluation.psnr_outside_hull68 import psnr_outside_hull68
from facechange.evaluation.recognised_as_source_pairs import pair_cosines, recognised_as_source_pairs
from facechange.evaluation.recognition import Recogniser
from facechange.evaluation.report import Report
from facechange.evaluation.retrieval_top1_all_faces import retrieval_top1_all_faces
from facechange.faces.align import warp_crop
from facechange.faces.geometry import identity_crop_matrix
from facechange.faces.labelled import LabelledFaces
from facechange.runtime import Graph, to_tensor, to_unit_range

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]  # uint8 [R, R, 3] target and [512] identity to uint8 [R, R, 3]
Keep = Callable[[int, np.ndarray, np.ndarray, np.ndarray], None]  # pair number; source, target and changed crops


def change_with(graph: Graph) -> Change:
    """The face-change model as a function of one crop and one identity."""

    def change(target: np.ndarray, identity: np.ndarray) -> np.ndarray:
        inputs = {"target": to_tensor(target), "identity": identity[None].astype(np.float32)}
        return np.round(to_unit_range(graph.run(inputs, ["changed"])["changed"]) * 255).astype(np.uint8)

    return change


def evaluate_change(
    change: Change,
    identify: Identify,
    size_px: int,
    faces: LabelledFaces,
    recogniser: Recogniser,
    pairs: int = 240,
    seed: int = 0,
    progress: Progress = no_progress,
    keep: Keep | None = None,
) -> Report:
    """Change `pairs` pairs of different faces, and every face into itself, and measure the crops of side `size_px`.

    The recogniser sees sources and targets in their full resolution and the changed crop through the target's landmarks.
    `keep` is handed each pair's pictures, to draw them. Raises `PictureError` where there are not enough faces.
    """
    count = len(faces)
    if not 1 <= pairs <= count * (count - 1):
        raise PictureError(f"{count} faces do not give {pairs} pairs.", f"Ask for 1 to {count * (count - 1)}.")
    total, rows = 2 * count + pairs, draw_pairs(count, pairs, seed)
    crops, identities, psnr_self, psnr_outside, changed_crops = [], [], [], [], []
    for index in range(count):
        crops.append(faces.identity_crop(index))
        identities.append(identify(crops[-1]))
        progress(index + 1, total)
    gallery = recogniser.recognise(np.stack(crops))

    for index in range(count):
        target = faces.change_crop(index, size_px)
        psnr_self.append(psnr_crop(change(target, identities[index]), target))
        progress(count + index + 1, total)

    for number, (source_row, target_row) in enumerate(rows):
        target = faces.change_crop(target_row, size_px)
        changed = change(target, identities[source_row])
        landmarks5, landmarks68 = faces.crop_landmarks(target_row, size_px)
        psnr_outside.append(psnr_outside_hull68(changed, target, landmarks68))
        changed_crops.append(warp_crop(changed, identity_crop_matrix(landmarks5), 112))
        if keep is not None:
            keep(number, faces.change_crop(source_row, size_px), target, changed)
        progress(2 * count + number + 1, total)

    changed_vectors = recogniser.recognise(np.stack(changed_crops))
    sources, targets = gallery[rows[:, 0]], gallery[rows[:, 1]]
    recognised = recognised_as_source_pairs(changed_vectors, sources, targets)
    retrieved = retrieval_top1_all_faces(changed_vectors, gallery, rows[:, 0])
    protocol = {"faces": count, "pairs": pairs, "size_px": size_px, "recogniser": recogniser.name, "seed": seed}
    return Report(
        protocol,
        {
            "recognised_as_source_pairs": bootstrap_mean(100 * recognised, "%", seed),
            "retrieval_top1_all_faces": bootstrap_mean(100 * retrieved, "%", seed),
            "cosine_to_source_pairs": bootstrap_mean(pair_cosines(changed_vectors, sources), "cosine", seed),
            "cosine_to_target_pairs": bootstrap_mean(pair_cosines(changed_vectors, targets), "cosine", seed),
            "psnr_self_crop": bootstrap_mean(np.array(psnr_self), "dB", seed),
            "psnr_outside_hull68": bootstrap_mean(np.array(psnr_outside), "dB", seed),
        },
    )
