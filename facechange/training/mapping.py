"""Train what stands between the identity network and a frozen face-change model, through that model.

A generator follows identities as far as it has seen their like. It learned its own from few people; where vectors of
others lie it draws somebody else. Moving those vectors to where it draws the right person takes far fewer pictures than
training the generator anew, and serves every size of the model, since the blocks that decide who somebody is are the
same in all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from facechange.core import TrainingError, load_card
from facechange.data.shards import load_faces
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.identity import IdentityMapping, IdentityNetwork, MappedIdentity
from facechange.models.recognizer import RecognizerIdentity
from facechange.training import losses
from facechange.training.config import FaceConfig, MappingConfig
from facechange.training.datasets import read_dataset
from facechange.training.face_batch import FaceBatch, crop_identity, make_batch
from facechange.training.face_step import face_reach, identity_terms
from facechange.training.loop import Progress, Report, Training, train
from facechange.training.memory import autocast, place
from facechange.training.starting import (
    data_behind,
    is_graph,
    load_face_change_network,
    load_identity_network,
    shrink_to,
)
from facechange.training.textures import load_textures

TRAINED_PX = 128  # a larger model is shrunk to it: finer blocks hardly say who somebody is
ANNEALED_SHARE = 0.4
WARM_UP_STEPS = 30
EMA_STEPS = 60  # half-life of the mapping's moving average


def train_mapping(config: MappingConfig, report: Report = lambda row: None) -> Path:
    """Train or go on training in `config.run`; returns the checkpoint, whose `ema` is the identity network to export.

    Raises as `train` does, and `TrainingError` where other networks are given than the two that it joins.
    """
    return train(MappingTraining, config, report).checkpoint


class MappingTraining(Training):
    """L_ICL, reconstruction, tone and colour, through the frozen model to the mapping alone."""

    checkpoint = "mapping.safetensors"

    def __init__(self, config: MappingConfig, device: torch.device) -> None:
        self.config: MappingConfig = config
        network, recognizer = load_identity_network(config.identity), load_identity_network(config.recognizer)
        mapping = IdentityMapping()
        if isinstance(network, MappedIdentity):
            mapping, network = network.mapping, network.network
        if not isinstance(network, IdentityNetwork) or not isinstance(recognizer, RecognizerIdentity):
            raise TrainingError(
                "The mapping joins the identity network and MobileFaceNet.", "Give them as --identity and --recognizer."
            )
        for frozen in (network, recognizer):
            place(frozen, device).eval().requires_grad_(False)
        self._mapped = MappedIdentity(network, recognizer, mapping.to(device).requires_grad_(True))
        ema = copy.deepcopy(self._mapped).requires_grad_(False)
        self._optimiser = torch.optim.AdamW(
            self._mapped.mapping.parameters(), config.learning_rate, (0.9, 0.99), weight_decay=1e-3
        )
        self.networks = {"mapping": self._mapped.mapping, "ema": ema}
        self.optimisers = {"optimiser": self._optimiser}
        self.emas = [(ema.mapping, self._mapped.mapping)]
        self._swapper = _load_swapper(config, network, device)
        size = self._swapper.size_px
        self._faces = load_faces(config.train, max(size, TRAINED_PX)).to(device)
        self._textures = None if config.backgrounds is None else load_textures(config.backgrounds, size).to(device)
        self.dataset = read_dataset(config.train)

    def begin(self) -> Progress:
        """What the networks that it joins have learned from."""
        return {"earlier_data": data_behind(self.config.identity)}

    def metadata(self) -> Progress:
        """How these came about."""
        return {"earlier": _describe(self.config)}

    def batches(self, first: int) -> Iterator[FaceBatch]:
        """Pairs of faces, as the face-change model learns from."""
        config = self.config
        pairs = FaceConfig(
            train=config.train,
            run=config.run,
            identity=config.identity,
            recognizer=config.recognizer,
            size=self._swapper.size_px,
            batch=config.batch,
            seed=config.seed,
            same_object_share=config.same_object_share,
            recovered_share=config.recovered_share,
        )
        return (make_batch(self._faces, pairs, number, self._textures) for number in count(first))

    def step(self, batch: FaceBatch, number: int) -> dict[str, Tensor]:
        """The weighted sum of `mapping_terms`."""
        terms = mapping_terms(self._mapped, self._swapper, batch, self.config.seed * 1_000_003 + number)
        total = losses.total_loss(terms, self.config.weights)
        self._optimiser.zero_grad()
        total.backward()
        self._optimiser.step()
        return {name: value.detach() for name, value in terms.items()} | {"total": total.detach()}

    def learning_rate(self, progress: Progress) -> float:
        """It rises at first and falls to zero over the last pictures."""
        step, share = progress["pictures"] // self.config.batch, progress["pictures"] / self.config.pictures
        return self.config.learning_rate * max(min((step + 1) / WARM_UP_STEPS, 1.0, (1 - share) / ANNEALED_SHARE), 0.0)

    def decay(self, number: int) -> float:
        """Half of it is of the last `EMA_STEPS`."""
        return 0.5 ** (1 / min(EMA_STEPS, 0.1 * number + 1))


def mapping_terms(mapped: MappedIdentity, swapper: FaceChangeNetwork, batch: FaceBatch, seed: int) -> dict[str, Tensor]:
    """The loss terms of a batch, unweighted, whose gradient reaches the mapping alone; `seed` decides how the
    recognizers look at results."""
    generator = torch.Generator(batch.target.device).manual_seed(seed)
    with torch.no_grad(), autocast(batch.target.device):
        clean, degraded = (
            crop_identity(batch.person, batch.person_points),
            crop_identity(batch.source, batch.source_points),
        )
        crop = torch.where(batch.viewed.view(-1, 1, 1, 1), degraded, clean).contiguous(
            memory_format=torch.channels_last
        )
        seen = mapped.network(crop), mapped.recognizer(crop)
    identity = mapped.mapping(*seen)
    with autocast(batch.target.device):
        changed = swapper(batch.target, identity).float()
    people, target = (batch.person, batch.person_points), (batch.whole_target, batch.target_points)
    recognizers = [mapped.network.view, mapped.recognizer.view]
    return {
        **identity_terms(recognizers, changed, people, target, face_reach(batch.background, batch.covered), generator),
        "reconstruction": losses.reconstruction_loss(changed, batch.wanted, batch.same_object),
        "tone": losses.tone_loss(changed, batch.wanted),
        "colour": losses.colour_loss(changed, batch.wanted),
    }


def _load_swapper(config: MappingConfig, network: IdentityNetwork, device: torch.device) -> FaceChangeNetwork:
    """The frozen face-change model, of `TRAINED_PX` at most."""
    swapper = place(load_face_change_network(config.change), device).eval().requires_grad_(False)
    return shrink_to(swapper, TRAINED_PX, config.train, network, config.seed)


def _describe(config: MappingConfig) -> dict[str, str]:
    """How the networks came about that the mapping joins and that it is trained through, by the cards of exported
    graphs."""
    cards = {
        name: load_card(path.with_suffix(".json"))
        for name, path in (("identity", config.identity), ("change", config.change))
        if is_graph(path)
    }
    return {
        name: card.training if name == "identity" else f"{card.name} {card.version}" for name, card in cards.items()
    }
