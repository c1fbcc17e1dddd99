"""What a face-change run does: one frozen table, saved with the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from facechange.core import TrainingError
from facechange.core.stored import read_json
from facechange.model.presets import SIZES_PX
from facechange.training.spoiling import SPOILING_SHARES

# Formula 6, then the additions; the mask's weight is for means (prototype runs: 0.1 to 0.5).
LOSS_WEIGHTS = {
    "gan": 1.0,
    "mask": 0.3,
    "feature_matching": 1.0,
    "reconstruction": 10.0,
    "identity": 5.0,  # L_ICL's first term
    "contrast": 5.0,  # and its second
    "kept_background": 0.45,
    "background": 10.0,
    "occluder": 4.0,
    "border": 1.0,
    "landmarks": 150.0,
    "pose": 25.0,
    "tone": 2.0,
    "colour": 10.0,
    "drawn": 10.0,
    "texture": 10.0,
}

JUDGES = ("identity", "recogniser")  # the run's identity network, and the other one


def describe_weights(weights: Mapping[str, float]) -> str:
    """Those of `weights` that differ from `LOSS_WEIGHTS`: "identity 30, contrast 150"; empty where none does."""
    return ", ".join(f"{name} {value:g}" for name, value in weights.items() if value != LOSS_WEIGHTS.get(name))


@dataclass(frozen=True)
class FaceConfig:
    """A face-change run. Lengths are counted in pictures seen, so that they do not depend on the batch."""

    train: Path  # aligned shards of at least `size`
    run: Path  # folder of checkpoints, sheets and curves
    identity: Path  # the identity network, first teacher of L_ICL: a checkpoint, an exported graph (.onnx), or MobileFaceNet (.safetensors)
    recogniser: Path  # the second teacher, one of the same kinds
    preset: str = "small"
    size: int = 128
    start_from: Path | None = None  # a checkpoint of this or a lower measure whose weights carry over
    landmarks: Path | None = None  # a run of the landmark network, which holds pose and expression
    window: int | None = None  # train the finest measure alone, on windows of so many pixels; `start_from` is half as large
    finest_from: Path | None = None  # on windows: a checkpoint of such a run over another smaller model, whose finest measure goes on
    pictures: int = 1_000_000
    minutes: float = float("inf")
    loss_below: float = float("-inf")  # stop once the smoothed total is under it (para. 94)
    batch: int = 16
    learning_rate: float = 5e-3  # weights are equalised: a step moves them by about this share
    discriminator_rate: float = 1.0  # the discriminator's learning rate, over that of the changer
    annealed_share: float = 0.3  # of `pictures`: over the last of them the learning rate falls to zero
    warm_up_pictures: int = 500  # the first of a run, over which it rises
    adam_betas: tuple[float, float] = (0.5, 0.99)
    same_object_share: float = 0.1
    recovered_share: float = 0.4  # of pairs whose target is the source's picture with somebody else's face on it
    identity_ramp_pictures: int = 4_000
    average_pictures: int = 5_000  # half-life of the generator's moving average
    gradient_penalty: float = 0.2  # 0.0002 R² / batch (Karras et al. 2020, limited data) at 128²
    gradient_penalty_interval: int = 16
    backgrounds: Path | None = None  # tar of photographs without a face that occluders are cut from; else from faces
    spoiling: dict[str, float] = field(default_factory=lambda: dict(SPOILING_SHARES))
    judges: tuple[str, ...] = JUDGES  # the teachers of L_ICL
    face_median: float = 0.56  # luma in 0..1 to which dark faces are lifted (runtime.exposure); 0: as they are
    learn_masks: bool = True  # else every M is 1/2: attribute features are simply added
    weights: dict[str, float] = field(default_factory=lambda: dict(LOSS_WEIGHTS))
    feature_layers_outside_face: int = 2  # m of formula 4
    checkpoint_seconds: float = 120
    sheet_pictures: int = 4_000
    seed: int = 0
    device: str = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.weights) - set(LOSS_WEIGHTS)
        if unknown:
            raise TrainingError(f"There is no loss named {', '.join(sorted(unknown))}.", f"Losses are {', '.join(LOSS_WEIGHTS)}.")
        unknown = set(self.spoiling) - set(SPOILING_SHARES)
        if unknown:
            raise TrainingError(f"Nothing spoils pictures by {', '.join(sorted(unknown))}.", f"Choose from {', '.join(SPOILING_SHARES)}.")
        if not self.judges or set(self.judges) - set(JUDGES):
            raise TrainingError("There is no such judge of identity.", f"Name one or more of {', '.join(JUDGES)}.")
        if self.window is not None and (self.start_from is None or self.window not in SIZES_PX or self.window >= self.size):
            raise TrainingError(
                f"Windows of {self.window} pixels do not fit.",
                "They are 64, 128, ... and smaller than the picture, and --start-from names a model of half the picture's size.",
            )
        if self.finest_from is not None and self.window is None:
            raise TrainingError("A finest measure goes on alone on windows only.", "Give --window, or leave --finest-from out.")
        shares = [self.same_object_share, self.recovered_share, *self.spoiling.values()]
        if self.batch < 2 or not all(0 <= share <= 1 for share in shares) or self.same_object_share + self.recovered_share > 1:
            raise TrainingError("A batch has at least 2 pictures and a share lies in 0..1.", "Correct the numbers.")

    def save(self, path: Path) -> None:
        """Write the resolved table as JSON."""
        path.write_text(json.dumps(asdict(self), default=str, indent=2) + "\n", encoding="utf-8")


def load_config(path: Path) -> FaceConfig:
    """Read a table that `save` wrote, also one that lacks what was added since; raises `TrainingError`."""
    try:
        values: dict[str, Any] = read_json(path)
        kinds = get_type_hints(FaceConfig)
        known = {name: value for name, value in values.items() if name in kinds}
        for name, value in known.items():
            if kinds[name] in (Path, Path | None) and value is not None:
                known[name] = Path(value)
            elif isinstance(value, list):
                known[name] = tuple(value)
        known["weights"] = LOSS_WEIGHTS | known.get("weights", {})
        return FaceConfig(**known)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path} is not the table of a run ({error}).", "Give the config.json of a face-change run.") from None
