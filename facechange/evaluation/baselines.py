"""Who is measured: a face-change model, and the reference rows that tell what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from facechange.evaluation.aligned_faces import AlignedFace
from facechange.evaluation.paste_source import paste_source
from facechange.models.forced_masks import force_masks
from facechange.runtime import CropSwapper, Graph, graph_path, load_graph

Change = Callable[[np.ndarray, np.ndarray], np.ndarray]  # uint8 [R, R, 3] target and [512] identity to uint8 [R, R, 3]
Baseline = Callable[[AlignedFace, AlignedFace], np.ndarray]  # source and target to uint8 [R, R, 3]


def change_with(graph: Graph) -> Change:
    """The face-change model as a function of one crop and one identity, fed as a user's photograph is."""
    swapper = CropSwapper(graph)
    return lambda target, identity: np.round(swapper.change(target[None], identity).after[0] * 255).astype(np.uint8)


def as_baseline(change: Change) -> Baseline:
    """A model among the other rows: it sees nothing of the source but the identity."""
    return lambda source, target: change(target.crop, source.identity)


def load_references(
    model: str | Path, folder: Path, engine: str = "auto", forced_masks: bool = True
) -> dict[str, Baseline]:
    """The rows to compare with: the target as it is, the source pasted, and the model without a choice of what to keep.

    The graphs with forced masks are written to `folder`; each takes as long to measure as the model. Raises
    `ModelError`, and `DependencyError` where `onnx` is missing.
    """
    values = (0, 1) if forced_masks else ()
    forced = {
        f"masks {value}": load_graph(force_masks(graph_path(model), value, folder), engine=engine) for value in values
    }
    return {
        "target unchanged": lambda source, target: target.crop,
        "source pasted": paste_source,
        **{name: as_baseline(change_with(graph)) for name, graph in forced.items()},
    }
