"""What a run starts from or is given: networks out of checkpoints and out of exported graphs, and how they came
about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facechange.core import TrainingError, load_card
from facechange.data.shards import AlignedFaces, load_faces
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.growing import shrink_swapper
from facechange.models.identity import IdentityNetwork, MappedIdentity
from facechange.models.mobilenet import MobileNetRecognizer, load_mobilenet
from facechange.models.presets import PRESETS
from facechange.models.recognizer import RecognizerIdentity, holds_recognizer, load_recognizer
from facechange.training import augment
from facechange.training.checkpoint import load_part, read_checkpoint
from facechange.training.config import LOSS_WEIGHTS, describe_weights, read_recipes
from facechange.training.datasets import tell_data
from facechange.training.face_batch import crop_identity, read_identities
from facechange.training.memory import place

AnyIdentity = IdentityNetwork | RecognizerIdentity | MappedIdentity
FITTED_FACES = 256  # by which a model is shrunk
# How the training line of a face-change card begins, by how many recognizers judged identity.
TRAINED_BY = {
    3: "Losses 1 to 6, identity judged by three recognizers; ",
    2: "Losses 1 to 6, identity judged by two recognizers; ",
    1: "Losses 1 to 6, identity judged by one recognizer; ",
}


def is_graph(path: Path) -> bool:
    """Whether `path` is an exported graph rather than a checkpoint."""
    return path.suffix == ".onnx"


def load_identity_network(path: Path) -> AnyIdentity:
    """The averaged network of an identity or a mapping run, that of an exported graph (.onnx), or MobileFaceNet's
    features (.safetensors).

    Raises `TrainingError`, `ModelError`.
    """
    if not is_graph(path) and holds_recognizer(path):
        return RecognizerIdentity(load_recognizer(path))
    names = read_graph_weights(path) if is_graph(path) else read_checkpoint(path)[0]
    if any("mapping." in name for name in names):
        mapped = MappedIdentity.blank()
        _load_graph(path, mapped) if is_graph(path) else load_part(path, "ema", mapped)
        return mapped
    network = IdentityNetwork()
    _load_graph(path, network) if is_graph(path) else load_part(path, "ema|identity.", network)
    return network


def load_further_recognizer(path: Path, people: AlignedFaces, seed: int) -> MobileNetRecognizer:
    """HSE's MobileNet, some of `people` the middle that its vectors are measured from; raises `ModelError`."""
    recognizer = load_mobilenet(path)
    rows = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))[:FITTED_FACES]
    crops = crop_identity(augment.to_float(people.pictures[rows]), people.points[rows])
    recognizer.to(crops.device).centre(augment.to_grey(crops))
    return recognizer


def load_face_change_network(path: Path, part: str = "ema") -> FaceChangeNetwork:
    """The face-change model of a run, on the CPU: its moving average or the `swapper` itself; a graph (.onnx) holds
    one.

    Raises `TrainingError`, `ModelError`.
    """
    if is_graph(path):
        card = load_card(path.with_suffix(".json"))
        swapper = FaceChangeNetwork(_find_preset(path, card.parameters, card.size_px), card.size_px)
        _load_graph(path, swapper)
        return swapper
    _, progress = read_checkpoint(path)
    swapper = FaceChangeNetwork(str(progress.get("preset")), int(progress.get("size", 0)))
    load_part(path, part, swapper)
    return swapper


def shrink_to(
    swapper: FaceChangeNetwork, size_px: int, shards: Path, identity: nn.Module, seed: int
) -> FaceChangeNetwork:
    """A frozen model without the resolutions above `size_px`, fitted to what it made of faces in `shards`.

    Their identities are read by `identity`, on the model's device.
    """
    device = next(swapper.parameters()).device
    while swapper.size_px > size_px:
        faces = load_faces(shards, swapper.size_px)
        rows = torch.randperm(len(faces), generator=torch.Generator().manual_seed(seed))[:FITTED_FACES]
        pictures = augment.to_float(faces.pictures[rows]).to(device)
        vectors = read_identities(faces.to(device), identity, rows).roll(1, 0)
        swapper = place(shrink_swapper(swapper, pictures, vectors), device).eval().requires_grad_(False)
    return swapper


def describe_stages(path: Path) -> list[str]:
    """Every stage behind a face-change checkpoint or graph, the last one last: size, pictures, learning rate,
    weights."""
    if is_graph(path):
        told = load_card(path.with_suffix(".json")).training
        for beginning in TRAINED_BY.values():
            told = told.removeprefix(beginning)
        return [told.removesuffix(".")]
    return describe_progress(read_checkpoint(path)[1])


def describe_progress(progress: dict[str, Any]) -> list[str]:
    """The same from the progress in a checkpoint."""
    recipe = progress.get("recipe")
    weights = describe_weights(
        progress.get("weights", {}), LOSS_WEIGHTS | read_recipes().get(recipe or "", {}).get("weights", {})
    )
    told = f", recipe {recipe}" if recipe else ""
    told += f", learning rate {progress['learning_rate']:g}" if "learning_rate" in progress else ""
    told += f", {weights}" if weights else ""
    if progress.get("window") is not None:
        told += f", the finest resolution alone on windows of {progress['window']}"
    if "finest_before" in progress:
        told += f" (it went on from {progress['finest_before']} over another smaller model)"
    return [*progress.get("earlier", []), f"{progress['pictures']:,} pictures at {progress['size']}{told}"]


def data_behind(path: Path) -> list[str]:
    """What a checkpoint or a graph has learned from, in words, each set of pictures once."""
    return [load_card(path.with_suffix(".json")).data] if is_graph(path) else tell_data(read_checkpoint(path)[1])


def _find_preset(path: Path, parameters: int, size_px: int) -> str:
    """The preset with as many parameters as the card says; raises `TrainingError`."""
    for name in PRESETS:
        if sum(parameter.numel() for parameter in FaceChangeNetwork(name, size_px).parameters()) == parameters:
            return name
    raise TrainingError(
        f"{path} was exported from no preset of this version.", "Give a graph written by facechange export face."
    )


def read_graph_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a graph that `export_graph` wrote, by their names in the network; raises `ModelError`."""
    from facechange.models.export import WRAPPED, read_weights  # needs onnx, which training itself does not

    named = {name.removeprefix(WRAPPED): value for name, value in read_weights(path).items()}
    # As graphs of the release before have it.
    return {name.replace("recogniser.", "recognizer."): value for name, value in named.items()}


def _load_graph(path: Path, network: nn.Module) -> None:
    """Fill `network` from a graph; raises `TrainingError`, `ModelError`."""
    stored = read_graph_weights(path)
    weights: dict[str, Tensor] = {name: value for name, value in stored.items() if name in network.state_dict()}
    missing = [name for name, _ in network.named_parameters() if name not in weights]
    if missing:
        raise TrainingError(
            f"{path} holds another network: {missing[0]} is not in it.", "Give a graph of the right role."
        )
    network.load_state_dict(weights, strict=False)  # batch norms do not export how many batches they saw
