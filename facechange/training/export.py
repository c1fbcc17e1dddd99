"""Export trained networks with their cards; an exported graph is compared with PyTorch before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from facechange.core import ModelCard, ModelError, TrainingError, hash_file, load_card
from facechange.core.stored import parse_toml
from facechange.data.labelled import LabelledFaces
from facechange.models.export import (
    SMALLEST_HALVED,
    export_graph,
    export_program,
    export_swapper,
    fine_layers,
    output_names,
    withstands_bfloat16,
)
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.growing import carry_finest, grow_swapper
from facechange.models.identity import IDENTITY_SIZE, MappedIdentity, count_parameters
from facechange.models.recognizer import load_recognizer
from facechange.runtime import Graph, load_graph, to_tensor
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import RECOGNIZERS
from facechange.training.datasets import tell_data
from facechange.training.starting import TRAINED_BY, describe_progress, load_face_change_network, load_identity_network

Network = TypeVar("Network", bound=nn.Module)

LARGEST_DIFFERENCE = 1e-3  # between ONNX Runtime and PyTorch, on outputs of size 1
FACES_MEASURED = 400  # or a few more: 80,000 pairs
NORMALISATION = "RGB, x / 127.5 - 1"
OWN = "Its own network"  # how the training line of a mapping begins
DISTILLED = "Distilled from MobileFaceNet (foamliu, Apache-2.0)"
LIMITS = (
    "Expect it to be worse on poses, light, ages and people that its data has few of, and on covered faces. "
    "Meant for people who agreed to it."
)


@cache
def read_published(name: str) -> dict[str, str]:
    """What the card of a network says that others trained, of `published.toml`."""
    return dict(parse_toml((files("facechange.training") / "published.toml").read_text(encoding="utf-8"))[name])


def export_identity(checkpoint: Path, path: Path, metrics: dict[str, Any] | None = None) -> ModelCard:
    """Write the identity network of a run as `path` (.onnx) with its card (.json); raises `TrainingError`,
    `ModelError`."""
    network = round_weights(load_identity_network(checkpoint).eval())
    crop = torch.rand(2, 3, IDENTITY_SIZE, IDENTITY_SIZE) * 2 - 1
    export_graph(network, path, {"crop": crop}, {"crop": {0: "faces"}, "identity": {0: "faces"}}, half=True)
    progress = read_checkpoint(checkpoint)[1]
    mapped = isinstance(network, MappedIdentity)
    card = ModelCard(
        name="facechange-identity",
        role="identity",
        version="0.2.0" if mapped else "0.1.0",
        summary="Reads who a face is: a unit vector of 512 numbers, alike for pictures of one person.",
        licence="Apache-2.0",
        sha256=hash_file(path),
        size_px=IDENTITY_SIZE,
        parameters=count_parameters(network),
        normalisation=NORMALISATION,
        template="ArcFace five points at 112 x 112 (faces.geometry.identity_crop_matrix)",
        inputs={"crop": "[N, 3, 112, 112] float32 in [-1, 1]"},
        outputs={"identity": "[N, 512] float32, length 1"},
        data=_tell_identity_data(progress, mapped),
        training=_describe_mapping(progress)
        if mapped
        else f"{DISTILLED} on {progress['pictures']:,} crops: faces and morphs of two faces.",
        limits=LIMITS,
        metrics=metrics or {},
        bfloat16=withstands_bfloat16(network, IDENTITY_SIZE),
    )
    card.save(path.with_suffix(".json"))
    compare_with_graph(path, network, {"crop": crop}, ["identity"])
    return card


def export_recognizer(recognizer: Path, path: Path, faces: LabelledFaces | None = None) -> ModelCard:
    """Write MobileFaceNet, the second look at who a face is, as `path` (.onnx) with its card; raises `ModelError`.

    On `faces`, each of another person, is measured how alike different people look to it.
    """
    network, published = round_weights(load_recognizer(recognizer)), read_published("mobilefacenet")
    crop = torch.rand(2, 3, IDENTITY_SIZE, IDENTITY_SIZE) * 2 - 1
    export_graph(network, path, {"crop": crop}, {"crop": {0: "faces"}, "identity": {0: "faces"}}, half=True)
    card = ModelCard(
        name="mobilefacenet",
        role="recognizer",
        version=published["version"],
        summary="A second reading of who a face is, by which changes are checked: a unit vector of 128 numbers.",
        licence=published["licence"],
        sha256=hash_file(path),
        size_px=IDENTITY_SIZE,
        parameters=count_parameters(network),
        normalisation=f"{NORMALISATION}; ImageNet's mean and deviation inside",
        template="ArcFace five points at 112 x 112 (faces.geometry.identity_crop_matrix)",
        inputs={"crop": "[N, 3, 112, 112] float32 in [-1, 1]"},
        outputs={"identity": "[N, 128] float32, length 1"},
        data=published["data"],
        training=published["training"],
        limits=published["limits"],
    )
    card.save(path.with_suffix(".json"))
    compare_with_graph(path, network, {"crop": crop}, ["identity"])
    if faces is not None:
        card = replace(card, metrics=_measure_strangers(load_graph(path, engine="cpu"), faces))
        card.save(path.with_suffix(".json"))
    return card


def export_face(
    checkpoint: Path, path: Path, metrics: dict[str, Any] | None = None, finest_from: Sequence[Path] = ()
) -> ModelCard:
    """Write the averaged face-change model of a run as `path` (.onnx) with its card, grown by the finest resolution of
    each graph of `finest_from` in turn; raises `TrainingError`, `ModelError`."""
    progress = read_checkpoint(checkpoint)[1]
    swapper, stages = load_face_change_network(checkpoint), describe_progress(progress)
    for graph in finest_from:
        swapper = _refine(swapper, graph)
        finer = load_card(graph.with_suffix(".json"))
        stages.append(f"the finest resolution of {finer.name} {finer.version} at {finer.size_px}, as it was")
    swapper = round_weights(swapper.eval())
    export_swapper(swapper, path, half=True)
    size = swapper.size_px
    generator = torch.Generator().manual_seed(0)
    identity = nn.functional.normalize(torch.randn(2, 512, generator=generator), dim=1)
    card = ModelCard(
        name=f"facechange-{swapper.preset}-{size}",
        role="change",
        version="0.1.0",
        summary="Puts the identity of one face on the crop of another and keeps everything else (US 12,387,300 B2).",
        licence="Apache-2.0",
        sha256=hash_file(path),
        size_px=size,
        parameters=count_parameters(swapper),
        normalisation=NORMALISATION,
        template="FFHQ-style crop from five points (faces.geometry.ffhq_crop_matrix)",
        inputs={"target": f"[N, 3, {size}, {size}] float32 in [-1, 1]", "identity": "[N, 512] float32, length 1"},
        outputs={
            "changed": f"[N, 3, {size}, {size}], nominally in [-1, 1]",
            "mask_RESOLUTION_LAYER": "[N, 1, h, h] in [0, 1], 1 where the target is kept",
        },
        data=" ".join(tell_data(progress)),
        training=f"{TRAINED_BY[len(progress.get('recognizers', RECOGNIZERS))]}{'; then '.join(stages)}.",
        limits=LIMITS,
        metrics=metrics or {},
        face_median=float(progress.get("face_median", 0.0)),
        bfloat16=withstands_bfloat16(swapper, size, identity, precise=fine_layers(swapper)),
    )
    card.save(path.with_suffix(".json"))
    target = torch.rand(2, 3, size, size) * 2 - 1
    inputs = {"target": target, "identity": identity}
    compare_with_graph(path, lambda *given: _flat(swapper(*given, with_masks=True)), inputs, output_names(swapper))
    return card


def _refine(swapper: FaceChangeNetwork, graph: Path) -> FaceChangeNetwork:
    larger = load_face_change_network(graph)
    if (larger.preset, larger.size_px) != (swapper.preset, 2 * swapper.size_px):
        raise TrainingError(
            f"{graph} is no graph of the preset {swapper.preset} at {2 * swapper.size_px} pixels.",
            "Give --finest-from graphs of twice the size each, the smallest first.",
        )
    grown = grow_swapper(swapper, larger.size_px)
    carry_finest(larger, grown)
    return grown


def export_face_program(graph: Path) -> Path:
    """Write a face-change graph as a PyTorch program (.pt2) beside it, which is quickest on GPUs; raises
    `TrainingError`, `ModelError`."""
    card = load_card(graph.with_suffix(".json"))
    if card.role != "change":
        raise ModelError(f"{card.name} is not a face-change model.", "Give a graph written by facechange export face.")
    return export_program(load_face_change_network(graph), graph, bfloat16=card.bfloat16)


def _tell_identity_data(progress: dict[str, Any], mapped: bool) -> str:
    """The data line of an identity network; a mapping brings the second network's data with it."""
    told, joined = " ".join(tell_data(progress)), read_published("mobilefacenet")["joined"]
    return f"{told} {joined}" if mapped and joined not in told else told


def _describe_mapping(progress: dict[str, Any]) -> str:
    """The training line of a mapping run."""
    earlier = progress["earlier"]
    network, through = earlier.get("identity", f"{DISTILLED}."), earlier.get("change", "a face-change model")
    taught = f"{progress['pictures']:,} pictures through {through}, frozen."
    if network.startswith(OWN):  # a mapping already, which went on
        return f"{network} Then on {taught}"
    return f"{OWN}: {network} MobileFaceNet as published. A mapping of both, trained on {taught}"


@torch.no_grad()
def round_weights(network: Network) -> Network:
    """Round the weights that the graph stores as float16, so that both compute with the same numbers."""
    for parameter in network.parameters():
        if parameter.numel() >= SMALLEST_HALVED:
            parameter.copy_(parameter.half().float())
    return network


def _flat(outputs: tuple[Tensor, list[Tensor]]) -> tuple[Tensor, ...]:
    return outputs[0], *outputs[1]


def _measure_strangers(graph: Graph, faces: LabelledFaces) -> dict[str, Any]:
    """The cosine that one pair of different people in a hundred exceeds."""
    chosen = range(0, len(faces), max(len(faces) // FACES_MEASURED, 1))
    vectors = np.concatenate(
        [graph.run({"crop": to_tensor(faces.identity_crop(index))})["identity"] for index in chosen]
    )
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return {"cosine_different_faces_p99": {"mean": round(float(np.percentile(cosines, 99)), 5), "unit": "cosine"}}


@torch.no_grad()
def compare_with_graph(path: Path, network: Any, inputs: dict[str, Tensor], names: list[str]) -> None:
    """Raise `ModelError` where the graph gives other numbers than PyTorch with the same rounded weights."""
    graph = load_graph(path, engine="cpu")
    ours = network(*inputs.values())
    found = graph.run({name: value.numpy() for name, value in inputs.items()}, names)
    for name, expected in zip(names, ours if isinstance(ours, tuple) else (ours,), strict=True):
        difference = float(np.abs(found[name] - expected.numpy()).max())
        if difference > LARGEST_DIFFERENCE * max(1.0, float(expected.abs().max())):
            raise ModelError(
                f"The exported graph differs from PyTorch by {difference:.2g} in {name}.", "Report this: it is a bug."
            )
