"""Ablations: one run, the same with one idea of the patent taken out at a time, and the patent's recipe without
additions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facechange.core import TrainingError
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import FaceConfig, apply_recipe
from facechange.training.export import export_face
from facechange.training.face import train_face


@dataclass(frozen=True)
class Variant:
    """A run that differs from the whole in `changes` of its table and in `weights` of its losses, or by a recipe."""

    name: str  # of its folder
    title: str
    changes: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    recipe: str | None = None


VARIANTS = (
    Variant("whole", "everything"),
    Variant("no-mask-loss", "without L_mask", weights={"mask": 0.0}),
    Variant(
        "no-masks", "without masks (every M is 1/2)", {"learn_masks": False}, {"mask": 0.0, "kept_background": 0.0}
    ),
    Variant("no-feature-matching", "without L_FM", weights={"feature_matching": 0.0}),
    Variant("no-contrast", "without the second term of L_ICL", weights={"contrast": 0.0}),
    Variant("one-recognizer", "one recognizer in L_ICL", {"recognizers": ("recognizer",)}),
    Variant("patent", "the patent's recipe, no additions", recipe="patent"),
)


@dataclass(frozen=True)
class TrainedVariant:
    """A finished run of the series: its exported graph, and what it took."""

    variant: Variant
    graph: Path
    pictures: int
    seconds: float  # in training, over all continuations


def vary(config: FaceConfig, variant: Variant) -> FaceConfig:
    """The table of `variant`, whose folder lies in that of `config`; seed, pictures and batch stay equal."""
    config = config if variant.recipe is None else apply_recipe(config, variant.recipe)
    return replace(config, run=config.run / variant.name, weights=config.weights | variant.weights, **variant.changes)


def train_variant(config: FaceConfig, variant: Variant, report: Callable[[dict[str, float]], None]) -> TrainedVariant:
    """Train and export one variant, or go on where it stopped; raises what `train_face` and `export_face` raise."""
    if config.start_from is not None or config.loss_below > float("-inf") or config.minutes < float("inf"):
        raise TrainingError(
            "Ablations start from nothing and see equally many pictures.", "Give a number of pictures only."
        )
    asked = vary(config, variant)
    ended = train_face(asked, report)
    graph = asked.run / "change.onnx"
    export_face(ended.checkpoint, graph)
    return TrainedVariant(variant, graph, ended.pictures, float(read_checkpoint(ended.checkpoint)[1]["seconds"]))
