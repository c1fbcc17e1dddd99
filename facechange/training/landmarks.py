"""Train the landmark network on the labelled landmarks of aligned shards, in crops spoilt as the face-change model's are."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from facechange.core import TrainingError
from facechange.data.shards import AlignedFaces, load_faces
from facechange.faces.mean_face68 import MIRRORED
from facechange.model.landmarks import LANDMARK_SIZE, LandmarkNetwork
from facechange.training import augment
from facechange.training.checkpoint import load_checkpoint, load_part, save_checkpoint, update_average
from facechange.training.interrupt import PatientInterrupt
from facechange.training.memory import autocast, place, prepare_device
from facechange.training.morphs import move_landmarks
from facechange.training.scenes import Scenes
from facechange.training.spoiling import SPOILING_SHARES, spoil_scenes

CHECKPOINT_SECONDS = 60
TURN_SHARE = 0.7
RESHAPED_SHARE = 0.8  # of the crops
# What of a face is moved and scaled apart: outline, brows, nose, eyes, mouth; deviations, of the shift in parts of the side.
PARTS = ((0, 17), (17, 22), (22, 27), (27, 36), (36, 42), (42, 48), (48, 68))
PART_SHIFT, PART_SCALE = 0.015, 0.08


@dataclass(frozen=True)
class LandmarksConfig:
    """What a run does; saved as `config.json` in its folder."""

    train: Path  # aligned shards with landmarks
    val: Path
    run: Path
    pictures: int = 170_000  # the learning rate falls to zero over this many
    batch: int = 32
    learning_rate: float = 2e-3
    seed: int = 0
    device: str = "auto"


def train_landmarks(config: LandmarksConfig, report: Callable[[dict[str, float]], None] = lambda row: None) -> Path:
    """Train or go on training in `config.run`; returns the checkpoint, whose `average` `train face --landmarks` reads.

    Raises `TrainingError` where the shards lack landmarks; `KeyboardInterrupt` once the step at hand is saved.
    """
    device = prepare_device(config.device)
    torch.manual_seed(config.seed)
    faces, landmarks = _load(config.train, device)
    val, val_landmarks = _load(config.val, device)
    network = place(LandmarkNetwork(), device)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=0.02)
    networks, optimisers, seen = {"network": network, "average": average}, {"optimiser": optimiser}, 0
    checkpoint = config.run / "landmarks.safetensors"
    if checkpoint.exists():
        seen = int(load_checkpoint(checkpoint, networks, optimisers)["pictures"])
    config.run.mkdir(parents=True, exist_ok=True)
    (config.run / "config.json").write_text(json.dumps(asdict(config), default=str, indent=2), encoding="utf-8")
    saved = started = time.monotonic()
    first = seen
    with PatientInterrupt() as interrupt:
        while seen < config.pictures:
            generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + seen // config.batch)
            pictures, wanted = make_batch(faces, landmarks, config.batch, generator)
            with autocast(device):
                found = network(pictures.contiguous(memory_format=torch.channels_last))
            loss = functional.smooth_l1_loss(found, wanted, beta=0.02)
            optimiser.param_groups[0]["lr"] = config.learning_rate * (1 - seen / config.pictures)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            seen += config.batch
            update_average(average, network, min(0.998, (1 + seen / config.batch) / (10 + seen / config.batch)))
            now = time.monotonic()
            if interrupt.asked or seen >= config.pictures or now - saved > CHECKPOINT_SECONDS:
                save_checkpoint(checkpoint, networks, optimisers, {"pictures": seen})
                saved = now
                report(
                    {"pictures": seen, "loss": loss.item(), "val_error_percent": mean_error(average, val, val_landmarks)}
                    | {"pictures_per_second": (seen - first) / (now - started)}
                )
            if interrupt.asked:
                raise KeyboardInterrupt
    return checkpoint


def make_batch(faces: AlignedFaces, landmarks: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Spoilt crops [count, 3, 128, 128] in [-1, 1] and their landmarks [count, 68, 2] in parts of the side."""
    index = torch.randint(len(faces), (count,), generator=generator, device=generator.device)
    pictures, points, mirrored = augment.flip_some(faces.pictures[index], faces.points[index], generator)
    all68 = landmarks[index]
    flipped = all68[:, MIRRORED]
    flipped[..., 0] = faces.size - 1 - flipped[..., 0]
    pictures, all68 = reshape_some(augment.to_float(pictures), torch.where(mirrored.view(-1, 1, 1), flipped, all68), generator)
    points = torch.cat([points, all68], 1)
    background = torch.ones(count, 1, LANDMARK_SIZE, LANDMARK_SIZE, device=points.device)  # nobody asks for it here
    scenes = Scenes(pictures, points, background, background)
    scenes = spoil_scenes(scenes, {"turn": TURN_SHARE}, generator, faces.pictures)
    wanted = (scenes.points[:, 5:] + 0.5) / LANDMARK_SIZE
    scenes = spoil_scenes(replace(scenes, points=scenes.points[:, :5]), SPOILING_SHARES | {"turn": 0.0}, generator, faces.pictures)
    return scenes.pictures, wanted


def reshape_some(pictures: Tensor, landmarks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Give some of the faces in `pictures` [N, 3, S, S] another shape; returns pictures and `landmarks` [N, 68, 2], both moved.

    The new shape lies between the face's own and the next one's, or up to a fifth beyond, and each of `PARTS` is then moved and
    scaled apart. A changed face has parts where no face of the data has them; a network that knows where they should be overlooks it.
    """
    count, size = len(pictures), pictures.shape[-1]
    chosen = augment.uniform(generator, (count, 1, 1), 0, 1) < RESHAPED_SHARE
    share = torch.where(chosen, augment.uniform(generator, (count, 1, 1), -0.2, 1.2), 0.0)
    wanted = torch.lerp(landmarks, landmarks.roll(1, 0), share)
    parts = []
    for first, last in PARTS:
        part = wanted[:, first:last]
        middle = part.mean(1, keepdim=True)
        shift, scale = (torch.randn(count, 1, 2, generator=generator, device=part.device) for _ in range(2))
        parts.append(torch.where(chosen, middle + (part - middle) * (1 + PART_SCALE * scale) + PART_SHIFT * size * shift, part))
    wanted = torch.cat(parts, 1)
    return torch.where(chosen[..., None], move_landmarks(pictures, landmarks, wanted), pictures), wanted


@torch.no_grad()
def mean_error(network: LandmarkNetwork, faces: AlignedFaces, landmarks: Tensor) -> float:
    """Mean distance of found and labelled landmarks in hundredths of the crop's side, over clean faces."""
    found = torch.cat([network(augment.to_float(part)) for part in faces.pictures.split(64)])
    return 100 * float((found - (landmarks + 0.5) / faces.size).norm(dim=2).mean())


def load_landmark_network(path: Path) -> LandmarkNetwork:
    """The averaged network of a run; raises `TrainingError`."""
    network = LandmarkNetwork()
    load_part(path, "average", network)
    return network


def _load(folder: Path, device: torch.device) -> tuple[AlignedFaces, Tensor]:
    """The faces at 128 pixels and their landmarks [N, 68, 2] in pixels of them."""
    faces = load_faces(folder, LANDMARK_SIZE).to(device)
    if faces.landmarks is None:
        raise TrainingError(f"Faces in {folder} have no landmarks.", "Prepare them from labelled faces (docs/map.md, Labelled faces).")
    return faces, faces.landmarks
