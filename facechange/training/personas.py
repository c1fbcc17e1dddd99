"""Learn the distribution that personas are drawn from, and export it as a graph with its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facechange.core import ModelCard, hash_file
from facechange.data.shards import load_faces
from facechange.models.export import export_graph
from facechange.models.identity import count_parameters
from facechange.models.personas import AXES, PersonaSampler
from facechange.training.datasets import read_dataset, tell_dataset
from facechange.training.export import compare_with_graph, round_weights
from facechange.training.face_batch import read_identities
from facechange.training.starting import load_identity_network

PICTURE_PX = 256
# percentile of the cosines of different training faces: what a persona may be like one of them at most
LARGEST_SHARE = 99


def export_personas(train: Path, identity: Path, path: Path) -> ModelCard:
    """Fit the sampler to the aligned faces in `train` as `identity` sees them; write `path` (.onnx) with its card.

    Raises `TrainingError` where there are too few faces, `ModelError` where the graph does not compute what PyTorch
    does.
    """
    identities = read_identities(load_faces(train, PICTURE_PX), load_identity_network(identity).eval())
    sampler = round_weights(PersonaSampler(identities).eval())
    noise = torch.randn(2, AXES, generator=torch.Generator().manual_seed(0))
    outputs = {"identity": {0: "personas"}, "nearest": {0: "personas"}}
    export_graph(sampler, path, {"noise": noise}, {"noise": {0: "personas"}, **outputs}, half=True)
    card = ModelCard(
        name="facechange-personas",
        role="personas",
        version="0.1.0",
        summary="Draws identities of people who do not exist, and says how near each is to a face that was learned from.",
        licence="Apache-2.0",
        sha256=hash_file(path),
        size_px=0,
        parameters=count_parameters(sampler),
        normalisation="none",
        template="none",
        inputs={"noise": f"[N, {AXES}] float32, standard normal"},
        outputs={
            "identity": "[N, 512] float32, length 1",
            "nearest": "[N] float32, largest cosine to a training identity",
        },
        data=tell_dataset(read_dataset(train)),
        training=f"Mean and {AXES} principal axes of the identities of {len(identities):,} faces.",
        limits="As varied as the faces that it learned from, no more. A persona may by chance be like a living person.",
        metrics={"cosine_different_faces_p99": {"mean": largest_cosine(identities), "unit": "cosine"}},
    )
    card.save(path.with_suffix(".json"))
    compare_with_graph(path, sampler, {"noise": noise}, list(outputs))
    return card


def largest_cosine(identities: Tensor) -> float:
    """The cosine that one pair of different faces in a hundred exceeds."""
    cosines = (identities @ identities.T).numpy()
    return float(np.percentile(cosines[np.triu_indices(len(cosines), 1)], LARGEST_SHARE))
