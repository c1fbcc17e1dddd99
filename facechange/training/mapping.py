"""Train what stands between the identity network and a frozen face-change model, through that model.

A generator follows identities as far as it has seen their like. It learned its own from few people; where vectors of others lie it draws
somebody else. Moving those vectors to where it draws the right person takes far fewer pictures than training the generator anew, and
serves every size of the model, since the blocks that decide who somebody is are the same in all of them.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from facechange.core import TrainingError, load_card
from facechange.data.shards import load_faces
from facechange.model.face_changer import FaceChanger
from facechange.model.growing import shrink_changer
from facechange.model.identity import IdentityMapping, IdentityNetwork, MappedIdentity
from facechange.model.recogniser import RecogniserIdentity
from facechange.training import augment, losses
from facechange.training.checkpoint import load_checkpoint, save_checkpoint, update_average
from facechange.training.config import FaceConfig
from facechange.training.face_batch import FaceBatch, crop_identity, make_batch, read_identities
from facechange.training.face_step import face_reach, identity_terms
from facechange.training.interrupt import PatientInterrupt
from facechange.training.memory import autocast, place, prepare_device
from facechange.training.starting import is_graph, load_face_changer, load_identity_network
from facechange.training.textures import load_textures

CHECKPOINT = "mapping.safetensors"
TRAINED_PX = 128  # a larger model is shrunk to it: finer blocks hardly say who somebody is
FITTED_FACES = 256  # by which it is
# Reconstruction is that of recovered pairs (`training.recovered`) and of a person's own picture.
WEIGHTS = {"identity": 25.0, "contrast": 50.0, "reconstruction": 20.0, "tone": 5.0, "colour": 20.0}
ANNEALED_SHARE = 0.4
WARM_UP_STEPS = 30
AVERAGE_STEPS = 60  # half-life of the mapping's moving average
REPORT_STEPS = 20
CHECKPOINT_SECONDS = 240


@dataclass(frozen=True)
class MappingConfig:
    """What a run does; saved as `config.json` in its folder."""

    train: Path  # aligned shards
    run: Path
    change: Path  # the face-change model to map for: a checkpoint or an exported graph (.onnx)
    identity: Path  # the identity network, whose vectors the model knows; one with a mapping already goes on from it
    recogniser: Path  # MobileFaceNet, safetensors
    backgrounds: Path | None = None  # tar of photographs without a face that occluders are cut from; else from faces
    pictures: int = 16_000  # the learning rate falls to zero over the last of them
    minutes: float = float("inf")
    batch: int = 16
    learning_rate: float = 1e-3
    same_object_share: float = 0.06
    recovered_share: float = 0.25
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    seed: int = 0
    device: str = "auto"


def train_mapping(config: MappingConfig, report: Callable[[dict[str, float]], None] = lambda row: None) -> Path:
    """Train or go on training in `config.run`; returns the checkpoint, whose `average` is the identity network to export.

    Raises `TrainingError` where the data or a checkpoint do not fit, or the loss is not finite.
    """
    device = prepare_device(config.device)
    torch.manual_seed(config.seed)
    network, recogniser = load_identity_network(config.identity), load_identity_network(config.recogniser)
    mapping = IdentityMapping()
    if isinstance(network, MappedIdentity):
        mapping, network = network.mapping, network.network
    if not isinstance(network, IdentityNetwork) or not isinstance(recogniser, RecogniserIdentity):
        raise TrainingError("The mapping joins the identity network and MobileFaceNet.", "Give them as --identity and --recogniser.")
    for frozen in (network, recogniser):
        place(frozen, device).eval().requires_grad_(False)
    mapped = MappedIdentity(network, recogniser, mapping.to(device).requires_grad_(True))
    average = copy.deepcopy(mapped).requires_grad_(False)
    optimiser = torch.optim.AdamW(mapped.mapping.parameters(), config.learning_rate, (0.9, 0.99), weight_decay=1e-3)
    networks, optimisers, seen = {"mapping": mapped.mapping, "average": average}, {"optimiser": optimiser}, 0
    checkpoint = config.run / CHECKPOINT
    if checkpoint.exists():
        seen = int(load_checkpoint(checkpoint, networks, optimisers)["pictures"])
    changer = _load_changer(config, network, device)
    size = changer.size_px
    faces = load_faces(config.train, max(size, TRAINED_PX)).to(device)
    textures = None if config.backgrounds is None else load_textures(config.backgrounds, size).to(device)
    config.run.mkdir(parents=True, exist_ok=True)
    (config.run / "config.json").write_text(json.dumps(asdict(config), default=str, indent=2), encoding="utf-8")
    pairs = FaceConfig(
        config.train,
        config.run,
        config.identity,
        config.recogniser,
        size=size,
        batch=config.batch,
        seed=config.seed,
        same_object_share=config.same_object_share,
        recovered_share=config.recovered_share,
    )
    started = saved = time.monotonic()
    first, unread = seen, list[dict[str, Tensor]]()
    with PatientInterrupt() as interrupt:
        while seen < config.pictures:
            step = seen // config.batch
            terms = mapping_terms(mapped, changer, make_batch(faces, pairs, step, textures), config.seed * 1_000_003 + step)
            total = torch.stack([config.weights[name] * value for name, value in terms.items()]).sum()
            optimiser.param_groups[0]["lr"] = config.learning_rate * _rate(step, seen / config.pictures)
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            update_average(average.mapping, mapped.mapping, 0.5 ** (1 / min(AVERAGE_STEPS, 0.1 * step + 1)))
            seen += config.batch
            unread.append({name: value.detach() for name, value in terms.items()} | {"total": total.detach()})
            now = time.monotonic()
            ended = interrupt.asked or seen >= config.pictures or now - started > config.minutes * 60
            if ended or len(unread) == REPORT_STEPS:
                row = {name: float(torch.stack([terms[name] for terms in unread]).mean()) for name in unread[0]}
                unread.clear()
                if not math.isfinite(row["total"]):
                    raise TrainingError(f"The loss is not finite after {seen:,} pictures.", f"The last good checkpoint is {checkpoint}.")
                report({"pictures": seen, **row, "pictures_per_second": (seen - first) / (now - started)})
            if ended or now - saved > CHECKPOINT_SECONDS:
                save_checkpoint(checkpoint, networks, optimisers, {"pictures": seen, "earlier": _describe(config)})
                saved = now
            if interrupt.asked:
                raise KeyboardInterrupt
            if ended:
                break
    return checkpoint


def mapping_terms(mapped: MappedIdentity, changer: FaceChanger, batch: FaceBatch, seed: int) -> dict[str, Tensor]:
    """The loss terms of a batch, unweighted, whose gradient reaches the mapping alone; `seed` decides how the judges look at results."""
    generator = torch.Generator(batch.target.device).manual_seed(seed)
    with torch.no_grad(), autocast(batch.target.device):
        clean, spoilt = crop_identity(batch.person, batch.person_points), crop_identity(batch.source, batch.source_points)
        crop = torch.where(batch.viewed.view(-1, 1, 1, 1), spoilt, clean).contiguous(memory_format=torch.channels_last)
        seen = mapped.network(crop), mapped.recogniser(crop)
    identity = mapped.mapping(*seen)
    with autocast(batch.target.device):
        changed = changer(batch.target, identity).float()
    people, target = (batch.person, batch.person_points), (batch.whole_target, batch.target_points)
    judges = [mapped.network.view, mapped.recogniser.view]
    return {
        **identity_terms(judges, changed, people, target, face_reach(batch.background, batch.covered), generator),
        "reconstruction": losses.reconstruction_loss(changed, batch.wanted, batch.same_object),
        "tone": losses.tone_loss(changed, batch.wanted),
        "colour": losses.colour_loss(changed, batch.wanted),
    }


def _load_changer(config: MappingConfig, network: IdentityNetwork, device: torch.device) -> FaceChanger:
    """The frozen face-change model, of `TRAINED_PX` at most."""
    changer = place(load_face_changer(config.change), device).eval().requires_grad_(False)
    while changer.size_px > TRAINED_PX:
        faces = load_faces(config.train, changer.size_px)
        rows = torch.randperm(len(faces), generator=torch.Generator().manual_seed(config.seed))[:FITTED_FACES]
        pictures = augment.to_float(faces.pictures[rows]).to(device)
        identity = read_identities(faces.to(device), network, rows).roll(1, 0)
        changer = place(shrink_changer(changer, pictures, identity), device).eval().requires_grad_(False)
    return changer


def _describe(config: MappingConfig) -> dict[str, str]:
    """How the networks came about that the mapping joins and that it is trained through, by the cards of exported graphs."""
    cards = {
        name: load_card(path.with_suffix(".json"))
        for name, path in (("identity", config.identity), ("change", config.change))
        if is_graph(path)
    }
    return {name: card.training if name == "identity" else f"{card.name} {card.version}" for name, card in cards.items()}


def _rate(step: int, progress: float) -> float:
    """Rises at first, falls to zero over the last pictures."""
    return max(min((step + 1) / WARM_UP_STEPS, 1.0, (1 - progress) / ANNEALED_SHARE), 0.0)
