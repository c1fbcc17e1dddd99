"""What a run does: a frozen table for each training, the one place for its defaults; and how a table is read and saved.

No PyTorch here, so that the command line can tell the defaults.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from facechange.core import TrainingError
from facechange.core.stored import build, parse_json, parse_toml, read_text
from facechange.models.presets import SIZES_PX

# Formula 6, then the additions; the mask's weight is for means (prototype runs: 0.1 to 0.5).
LOSS_WEIGHTS = {
    "gan": 1.0,
    "mask": 0.3,
    "feature_gan": 1.0,  # formula 2 by the discriminator on the further recognizer's maps, where there is one
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
    "low_frequency": 10.0,
    "texture": 10.0,
}
# Of the mapping; reconstruction is that of recovered pairs (`training.recovered`) and of a person's own picture.
MAPPING_WEIGHTS = {"identity": 25.0, "contrast": 50.0, "reconstruction": 20.0, "tone": 5.0, "colour": 20.0}

# How often each is done to a picture (`training.degradations`): about a quarter of them end up covered, half as the
# camera saw them clean.
DEGRADATION_SHARES = {
    "turn": 0.35,
    "hand": 0.04,
    "glasses": 0.06,
    "hat": 0.04,
    "hair": 0.04,
    "microphone": 0.03,
    "scarf": 0.03,
    "patch": 0.06,
    "tint": 0.2,
    "side_light": 0.08,
    "low_light": 0.05,
    "blur": 0.06,
    "noise": 0.06,
    "low_detail": 0.06,
    "compression": 0.12,
    "grey": 0.03,
}

RECOGNIZERS = ("identity", "recognizer")  # the run's identity network, and the other one

Table = dict[str, Any]
Config = TypeVar("Config", bound="RunConfig")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every run has. Lengths are counted in pictures seen, so that they do not depend on the batch."""

    run: Path  # folder of checkpoints, log and curves
    pictures: int = 1_000_000  # where the run ends
    minutes: float = math.inf  # of this call, reading the data included
    loss_below: float = -math.inf  # stop once the smoothed total is under it (para. 94)
    batch: int = 16
    learning_rate: float = 1e-3
    checkpoint_seconds: float = 120
    sheet_pictures: int = 4_000  # between two sheets, and two drawings of the curves
    seed: int = 0
    device: str = "auto"

    def save(self, path: Path) -> None:
        """Write the resolved table as JSON, which `load_config` reads."""
        path.write_text(json.dumps(asdict(self), default=str, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class FaceConfig(RunConfig):
    """A run of the face-change model."""

    train: Path  # aligned shards of at least `size`
    # the identity network, first recognizer of L_ICL: a checkpoint, an exported graph (.onnx), or MobileFaceNet
    # (.safetensors)
    identity: Path
    recognizer: Path  # the second recognizer, one of the same kinds
    # a further recognizer of L_ICL, of other architecture and data: HSE's MobileNet as TensorFlow.js (.json)
    further_recognizer: Path | None = None
    recipe: str | None = None  # the table of `recipes.toml` that these values started from
    # of a batch: worked on one after the other, or shared by as many ranks or fewer; gradients are averaged over them
    micro_batches: int = 1
    preset: str = "small"
    size: int = 128
    start_from: Path | None = None  # a checkpoint or graph whose weights carry over, grown or shrunk
    landmarks: Path | None = None  # a run of the landmark network, which holds pose and expression
    # train the finest resolution alone, on windows of so many pixels; `start_from` is half as large
    window: int | None = None
    # a graph, or on windows a checkpoint of such a run, over another smaller model: its finest resolution goes on
    finest_from: Path | None = None
    learning_rate: float = 5e-3  # weights are equalised: a step moves them by about this share
    discriminator_rate: float = 1.0  # the discriminator's learning rate, over that of the swapper
    annealed_share: float = 0.3  # of `pictures`: over the last of them the learning rate falls to zero
    warm_up_pictures: int = 500  # the first of a run, over which it rises
    adam_betas: tuple[float, float] = (0.5, 0.99)
    same_object_share: float = 0.1
    recovered_share: float = 0.4  # of pairs whose target is the source's picture with somebody else's face on it
    morphed_share: float = 0.5  # of the pairs of different people: how often Y is to be a morph
    # of pairs of one person, of others: how often f_id is read from the degraded source
    viewed_shares: tuple[float, float] = (0.8, 0.4)
    identity_ramp_pictures: int = 4_000
    ema_pictures: int = 5_000  # half-life of the generator's moving average
    gradient_penalty: float = 0.2  # 0.0002 R² / batch (Karras et al. 2020, limited data) at 128²
    gradient_penalty_interval: int = 16
    augment_discriminator: bool = True  # D sees pictures with changed colours and cut-outs
    # recognizers see results as they are and paint anywhere; else turned, without colour, in the face alone
    free_recognizers: bool = False
    backgrounds: Path | None = None  # tar of photographs without a face that occluders are cut from; else from faces
    degradations: dict[str, float] = field(default_factory=lambda: dict(DEGRADATION_SHARES))
    recognizers: tuple[str, ...] = RECOGNIZERS  # the recognizers of L_ICL
    face_median: float = 0.56  # luma in 0..1 to which dark faces are lifted (runtime.exposure); 0: as they are
    learn_masks: bool = True  # else every M is 1/2: attribute features are simply added
    weights: dict[str, float] = field(default_factory=lambda: dict(LOSS_WEIGHTS))
    feature_layers_outside_face: int = 2  # m of formula 4
    compile: bool = False

    @property
    def micro_batch(self) -> int:
        """Pictures of a micro-batch."""
        return self.batch // self.micro_batches

    def __post_init__(self) -> None:
        unknown = set(self.weights) - set(LOSS_WEIGHTS)
        if unknown:
            raise TrainingError(
                f"There is no loss named {', '.join(sorted(unknown))}.", f"Losses are {', '.join(LOSS_WEIGHTS)}."
            )
        unknown = set(self.degradations) - set(DEGRADATION_SHARES)
        if unknown:
            raise TrainingError(
                f"Nothing degrades pictures by {', '.join(sorted(unknown))}.",
                f"Choose from {', '.join(DEGRADATION_SHARES)}.",
            )
        if not self.recognizers or set(self.recognizers) - set(RECOGNIZERS):
            raise TrainingError(
                "There is no such recognizer of identity.", f"Name one or more of {', '.join(RECOGNIZERS)}."
            )
        if self.window is not None and (
            self.start_from is None or self.window not in SIZES_PX or self.window >= self.size
        ):
            raise TrainingError(
                f"Windows of {self.window} pixels do not fit.",
                "They are 64, 128, ... and smaller than the picture, and --start-from names a model of half the picture's size.",
            )
        if self.finest_from is not None and self.window is None and self.finest_from.suffix != ".onnx":
            raise TrainingError(
                "The finest resolution of a run goes on alone on windows only.",
                "Give --window, or a graph to --finest-from, or leave it out.",
            )
        shares = [
            self.same_object_share,
            self.recovered_share,
            self.morphed_share,
            *self.viewed_shares,
            *self.degradations.values(),
        ]
        if self.micro_batches < 1 or self.batch % self.micro_batches or self.micro_batch < 2:
            raise TrainingError(
                f"A batch of {self.batch} pictures cannot be cut into {self.micro_batches} micro-batches of 2 or more.",
                "Give a batch that is a multiple of twice the micro-batches, such as 16 and 4.",
            )
        if (
            self.batch < 2
            or not all(0 <= share <= 1 for share in shares)
            or self.same_object_share + self.recovered_share > 1
        ):
            raise TrainingError("A batch has at least 2 pictures and a share lies in 0..1.", "Correct the numbers.")


@dataclass(frozen=True, kw_only=True)
class IdentityConfig(RunConfig):
    """A run that distils the identity network."""

    train: Path  # aligned shards
    val: Path
    recognizer: Path  # MobileFaceNet, safetensors
    pictures: int = 200_000  # the learning rate falls to zero over this many
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.02


@dataclass(frozen=True, kw_only=True)
class MappingConfig(RunConfig):
    """A run of the mapping that stands between the identity network and a frozen face-change model."""

    train: Path  # aligned shards
    change: Path  # the face-change model to map for: a checkpoint or an exported graph (.onnx)
    identity: Path  # the identity network, whose vectors the model knows; one with a mapping already goes on from it
    recognizer: Path  # MobileFaceNet, safetensors
    backgrounds: Path | None = None  # tar of photographs without a face that occluders are cut from; else from faces
    pictures: int = 16_000  # the learning rate falls to zero over the last of them
    same_object_share: float = 0.06
    recovered_share: float = 0.25
    weights: dict[str, float] = field(default_factory=lambda: dict(MAPPING_WEIGHTS))
    checkpoint_seconds: float = 240

    def __post_init__(self) -> None:
        unknown = set(self.weights) - set(MAPPING_WEIGHTS)
        if unknown:
            raise TrainingError(
                f"There is no loss named {', '.join(sorted(unknown))}.", f"Losses are {', '.join(MAPPING_WEIGHTS)}."
            )


@dataclass(frozen=True, kw_only=True)
class LandmarksConfig(RunConfig):
    """A run of the landmark network."""

    train: Path  # aligned shards with landmarks
    val: Path
    pictures: int = 170_000  # the learning rate falls to zero over this many
    batch: int = 32
    learning_rate: float = 2e-3
    checkpoint_seconds: float = 60


@dataclass(frozen=True, kw_only=True)
class ScoutConfig(RunConfig):
    """A run of the scout."""

    faces: Path  # folder with train.jsonl and its shards
    backgrounds: Path  # tar of photographs without a face
    minutes: float = 20.0  # of training, over all calls; the learning rate falls to zero until then
    pictures: int = 1 << 40  # stop after so many instead, where that comes first
    size_px: int = 320
    learning_rate: float = 2e-3
    workers: int = 1  # processes that draw composites; 0 draws them in between
    checkpoint_seconds: float = 60


def default_of(kind: type[RunConfig], name: str) -> str:
    """The default of a field in words, for help."""
    default = next(part for part in fields(kind) if part.name == name).default
    return "none" if default is MISSING or default is None or default in (math.inf, -math.inf) else f"{default}"


# What tables of the release before say.
EARLIER_KEYS = {
    "average_pictures": "ema_pictures",
    "spoiling": "degradations",
    "judges": "recognizers",
    "teacher": "recognizer",
    "recogniser": "recognizer",
    "drawn": "low_frequency",
}


def describe_weights(weights: Mapping[str, float], usual: Mapping[str, float] = LOSS_WEIGHTS) -> str:
    """Those of `weights` that differ from `usual`: "identity 30, contrast 150"; empty where none does."""
    return ", ".join(f"{name} {value:g}" for name, value in weights.items() if value != usual.get(name))


@cache
def read_recipes() -> dict[str, Table]:
    """Runs of the face-change model by name, each a table of what differs from the defaults, `about` among it."""
    return parse_toml((files("facechange.training") / "recipes.toml").read_text(encoding="utf-8"))


def find_recipe(name: str | None) -> Table:
    """The values of a recipe, without what it is about; none where `name` is None. Raises `TrainingError`."""
    if name is None:
        return {}
    try:
        return {key: value for key, value in read_recipes()[name].items() if key != "about"} | {"recipe": name}
    except KeyError:
        raise TrainingError(f"There is no recipe {name}.", f"Recipes are {', '.join(read_recipes())}.") from None


def apply_recipe(config: FaceConfig, name: str) -> FaceConfig:
    """`config` with the values of a recipe; raises `TrainingError`."""
    values = _merge(asdict(config), find_recipe(name))
    return _build(FaceConfig, values, f"The recipe {name}")


def resolve_config(kind: type[Config], path: Path | None, given: Table, fallback: Table | None = None) -> Config:
    """The table of a run: its defaults, `fallback`, a recipe that the file names, the file, a recipe that is given,
    what else is given.

    `path` is TOML, or the `config.json` of a run, or None. Of weights and shares single ones may be given. Raises
    `TrainingError`.
    """
    stored = {} if path is None else _read_table(kind, path)
    given = {name: value for name, value in given.items() if value is not None}
    values = fallback or {}
    for table in (find_recipe(stored.get("recipe")), stored, find_recipe(given.get("recipe")), given):
        values = _merge(values, table)
    needed = [part.name for part in fields(kind) if part.default is MISSING and part.default_factory is MISSING]
    missing = [name for name in needed if name not in values]
    if missing:
        remedy = "Give each as an option (the recognizer is --recognizer), or in a table to --config."
        raise TrainingError(f"Nothing says which {', '.join(missing)} the run has.", remedy)
    return _build(kind, values, str(path or "The run"))


def load_config(path: Path, kind: type[Config] = FaceConfig) -> Config:  # type: ignore[assignment]
    """Read a table that `save` wrote, also one that lacks what was added since, or TOML; raises `TrainingError`."""
    return resolve_config(kind, path, {})


def _read_table(kind: type[RunConfig], path: Path) -> Table:
    """A table from a file: what an older run's JSON says that is no longer known is left out; in TOML it is an
    error."""
    try:
        text = read_text(path)
        table = parse_json(text) if path.suffix == ".json" else parse_toml(text)
        if not isinstance(table, dict):
            raise ValueError("it is not a table")
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{path} is not the table of a run ({error}).", "Give TOML, or the config.json of a run."
        ) from None
    if path.suffix != ".json":
        return table
    known = {part.name for part in fields(kind)}
    table = {EARLIER_KEYS.get(name, name): value for name, value in table.items()}
    if isinstance(table.get("weights"), dict):
        table["weights"] = {EARLIER_KEYS.get(name, name): value for name, value in table["weights"].items()}
    if isinstance(table.get("recognizers"), list):
        table["recognizers"] = [EARLIER_KEYS.get(name, name) for name in table["recognizers"]]
    return {name: value for name, value in table.items() if name in known and value is not None}


def _merge(values: Table, more: Table) -> Table:
    """`values` with `more` over them, tables within them too."""
    inner = {
        name: values[name] | value
        for name, value in more.items()
        if isinstance(value, dict) and isinstance(values.get(name), dict)
    }
    return values | more | inner


def _build(kind: type[Config], values: Table, told: str) -> Config:
    """`values` over the defaults, checked; raises `TrainingError` that begins with `told`."""
    usual = {part.name: part.default_factory() for part in fields(kind) if part.default_factory is not MISSING}
    try:
        return build(
            kind,
            {name: str(value) if isinstance(value, Path) else value for name, value in _merge(usual, values).items()},
        )
    except ValueError as error:
        raise TrainingError(
            f"{told} is not the table of a run ({error}).", "Give TOML, or the config.json of a run."
        ) from None
