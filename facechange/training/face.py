"""Training of the face-change model: its data, where a run starts, its schedule, its sheets (para. 94); the loop is
`training.loop`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from facechange.core import TrainingError
from facechange.data.shards import load_faces
from facechange.models.discriminator import Discriminator
from facechange.models.face_change import FaceChangeNetwork, fix_masks
from facechange.models.growing import carry_finest, grow_discriminator, grow_swapper
from facechange.models.presets import find_preset
from facechange.training.checkpoint import load_part, read_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.datasets import read_dataset
from facechange.training.detail_step import DetailStep
from facechange.training.face_batch import FaceBatch, make_batch
from facechange.training.face_step import FaceNetworks, FaceStep, build_networks
from facechange.training.landmarks import load_landmark_network
from facechange.training.loop import Progress, Report, Run, Training, train
from facechange.training.memory import place
from facechange.training.sheets import draw_sheet, grant_sheets
from facechange.training.starting import (
    data_behind,
    describe_stages,
    is_graph,
    load_face_change_network,
    load_further_recognizer,
    load_identity_network,
    shrink_to,
)
from facechange.training.textures import load_textures

SMALLEST_KEPT = 128  # pictures are held at this size at least, because the identity crop is cut from them
EMA_SHARE = 0.1  # the moving average never looks back further than this share of the pictures seen


def train_face(config: FaceConfig, report: Report = lambda row: None) -> Run:
    """Train the face-change model, or go on with the run in `config.run`; raises what `train` raises.

    `ConsentError` among it, where consent for its faces is revoked while sheets of them are drawn.
    """
    return train(FaceTraining, config, report)


class FaceTraining(Training):
    """Formulas 1 to 6 and their additions on pairs of faces: whole pictures, or windows of the finest resolution
    alone."""

    checkpoint = "face.safetensors"
    fixed = ("micro_batches",)  # another number would draw other pictures

    def __init__(self, config: FaceConfig, device: torch.device) -> None:
        self.config: FaceConfig = config
        self._faces = load_faces(config.train, max(config.size, SMALLEST_KEPT)).to(device)
        self._textures = (
            None if config.backgrounds is None else load_textures(config.backgrounds, config.size).to(device)
        )
        landmarks = None if config.landmarks is None else load_landmark_network(config.landmarks)
        identity, recognizer = load_identity_network(config.identity), load_identity_network(config.recognizer)
        further = None
        if config.further_recognizer is not None:
            further = load_further_recognizer(config.further_recognizer, self._faces, config.seed)
        self.run = _make_step(config, build_networks(config, identity, recognizer, landmarks, further))
        self.networks, self.optimisers = self.run.networks.trained(), self.run.optimisers
        self.rates = {"discriminator_optimiser": config.discriminator_rate}
        self.emas = [(self.run.networks.ema, self.run.networks.swapper)]
        self.micro_batches = config.micro_batches
        self.dataset = read_dataset(config.train)

    def begin(self) -> Progress:
        """Carry over another run's weights; returns the stages behind them in words."""
        progress: Progress = {"earlier": []}
        if self.config.start_from is not None:
            progress["earlier_data"] = data_behind(self.config.start_from)
            progress["earlier"] = _start_from(self.config.start_from, self.run)
        if self.config.finest_from is not None:
            progress["finest_before"] = _carry_finest(self.config.finest_from, self.run)
        return progress

    def metadata(self) -> Progress:
        """What describes the model and this stage of its training."""
        told = ("preset", "size", "window", "weights", "learning_rate", "face_median", "recipe")
        asked = tuple(self.run.networks.recognizers(self.config.recognizers))
        return {name: getattr(self.config, name) for name in told} | {"recognizers": asked}

    def batches(self, first: int) -> Iterator[list[FaceBatch]]:
        """The micro-batches of this rank: pairs of faces, a function of the seed and their number."""
        self._shown = grant_sheets(self.config.train) if self.ranks.is_first else None
        own = self.micro_batches // self.ranks.size
        for number in count(first):
            begin = number * self.micro_batches + self.ranks.rank * own
            yield [make_batch(self._faces, self.config, each, self._textures) for each in range(begin, begin + own)]

    def step(self, batch: list[FaceBatch], number: int) -> dict[str, Tensor]:
        """Train the generator, then the discriminator."""
        return self.run.advance(batch, number, self.ranks)

    def learning_rate(self, progress: Progress) -> float:
        """It rises at the start and falls to zero towards the last picture."""
        config, seen = self.config, progress["pictures"]
        rising = (seen + config.batch) / max(config.warm_up_pictures, 1)
        falling = (config.pictures - seen) / max(config.annealed_share * config.pictures, 1)
        return config.learning_rate * max(min(rising, falling, 1.0), 0.0)

    def decay(self, number: int) -> float:
        """Half of it is of the last `ema_pictures`."""
        half_life = min(self.config.ema_pictures, EMA_SHARE * number * self.config.batch + 1)
        return 0.5 ** (self.config.batch / half_life)

    def draw_sheet(self, batch: list[FaceBatch], pictures: int) -> None:
        """Publish a sheet, where the consent at hand allows it."""
        if self._shown is not None:
            draw_sheet(self.config.run, self.run, batch[0], pictures, self._shown)


def _make_step(config: FaceConfig, networks: FaceNetworks) -> FaceStep:
    if config.window is None:
        return FaceStep(config, networks)
    assert config.start_from is not None
    smaller = load_face_change_network(config.start_from)
    if 2 * smaller.size_px != config.size:
        raise TrainingError(
            f"{config.start_from} is a model of {smaller.size_px} pixels.",
            f"With --window, start from one of {config.size // 2}.",
        )
    return DetailStep(config, networks, smaller)


def _start_from(path: Path, run: FaceStep) -> list[str]:
    """Carry over the weights of a checkpoint or graph; a grown or shrunk model first gives the same pictures.

    On windows all but the finest resolution stays the EMA, which is what the finest resolution is shown. The
    discriminator starts afresh where the run left none, one of windows or one for larger pictures. Returns the stages
    behind it, each described in words.
    """
    networks, config = run.networks, run.config
    ema = swapper = _fit_size(path, "ema", run)
    if not is_graph(path) and config.window is None:  # else there is only one
        swapper = _fit_size(path, "swapper", run)
        _carry_discriminator(path, run)
    for network, before in ((networks.swapper, swapper), (networks.ema, ema)):
        network.load_state_dict(before.state_dict())
        if not config.learn_masks:
            fix_masks(network)
    return describe_stages(path)


def _fit_size(path: Path, part: str, run: FaceStep) -> FaceChangeNetwork:
    """The network in `path`, grown or shrunk to the run's size; raises `TrainingError` where its preset is another."""
    config, device = run.config, run.device
    before = place(load_face_change_network(path, part), device).eval().requires_grad_(False)
    if before.preset != config.preset:
        raise TrainingError(f"{path} is of the preset {before.preset}.", f"Go on with --preset {before.preset}.")
    before = shrink_to(before, config.size, config.train, run.networks.identity, config.seed)
    torch.manual_seed(config.seed)  # the new layers of all parts start alike
    return grow_swapper(before, config.size)


def _carry_discriminator(path: Path, run: FaceStep) -> None:
    """Grow the discriminator of a run on whole pictures of this or a lower resolution into the run's, and carry over
    that of features."""
    progress, config = read_checkpoint(path)[1], run.config
    preset, size = find_preset(config.preset), int(progress["size"])
    if progress.get("window") is not None or size > config.size:
        return
    smaller = Discriminator(preset.discriminator_channels(size))
    load_part(path, "discriminator", smaller)
    grown = grow_discriminator(smaller, preset.discriminator_channels(config.size))
    run.networks.discriminator.load_state_dict(grown.state_dict())
    on_features = run.networks.feature_discriminator
    if on_features is not None and any(name.startswith("feature_discriminator|") for name in read_checkpoint(path)[0]):
        load_part(path, "feature_discriminator", on_features)


def _carry_finest(path: Path, run: FaceStep) -> str:
    """Carry over the finest resolution of a graph, or of a run on windows with its discriminator, over another smaller
    model.

    Little of it depends on that model. Returns the stage that taught it, in words; raises `TrainingError`.
    """
    networks, config = run.networks, run.config
    before = load_face_change_network(path)
    alike = (before.preset, before.size_px) == (config.preset, config.size)
    if not alike or not (is_graph(path) or read_checkpoint(path)[1].get("window") == config.window):
        raise TrainingError(
            f"{path} is no run of the preset {config.preset} on windows of {config.window} at {config.size} pixels.",
            "Give the checkpoint of such a run, or a graph of that size, to --finest-from.",
        )
    for network in (networks.swapper, networks.ema):
        carry_finest(before, network)
    if not is_graph(path):
        load_part(path, "discriminator", networks.discriminator)
    return describe_stages(path)[-1]
