"""How far an identity network agrees with the recognizer that taught it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facechange.data.labelled import LabelledFaces
from facechange.evaluation.progress import Progress, no_progress
from facechange.evaluation.recognition import OnnxEvaluator
from facechange.evaluation.report import Report
from facechange.metrics.identity import cosine_different_faces_p99, spearman_cosines_all_pairs
from facechange.runtime import Graph, to_tensor

Identify = Callable[[np.ndarray], np.ndarray]  # a uint8 [112, 112, 3] crop to an L2-normalised [512]


def identify_with(graph: Graph) -> Identify:
    """The identity network as a function of one crop."""
    return lambda crop: graph.run({"crop": to_tensor(crop)}, ["identity"])["identity"][0]


def evaluate_identity(
    identify: Identify, faces: LabelledFaces, recognizer: OnnxEvaluator, seed: int = 0, progress: Progress = no_progress
) -> Report:
    """Whether the network orders all pairs of `faces` as its recognizer does, and how alike different faces look to
    it."""
    crops, vectors = [], []
    for index in range(len(faces)):
        crops.append(faces.identity_crop(index))
        vectors.append(identify(crops[-1]))
        progress(index + 1, len(faces))
    correlation = spearman_cosines_all_pairs(np.stack(vectors), recognizer.recognise(np.stack(crops)), seed)
    protocol = {
        "faces": len(faces),
        "pairs": len(faces) * (len(faces) - 1) // 2,
        "recognizer": recognizer.name,
        "seed": seed,
    }
    highest = cosine_different_faces_p99(np.stack(vectors), seed)
    return Report(protocol, {spearman_cosines_all_pairs.name: correlation, cosine_different_faces_p99.name: highest})
