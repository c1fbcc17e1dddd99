"""Checkpoints: one safetensors file with networks, optimisers and progress, written then renamed; never pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from facechange.core import TrainingError
from facechange.core.stored import parse_json

# of the release before
EARLIER_PARTS = {"average": "ema", "changer": "swapper", "changer_optimiser": "swapper_optimiser"}


def save_checkpoint(
    path: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
    progress: Mapping[str, Any],
) -> None:
    """Write everything that a resumed run needs to go on exactly as an uninterrupted one; raises `TrainingError`."""
    tensors: dict[str, Tensor] = {}
    for name, network in networks.items():
        tensors |= {
            f"{name}|{key}": value.detach().cpu().contiguous().clone() for key, value in network.state_dict().items()
        }
    for name, optimiser in optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {
                f"{name}|{index}|{key}": torch.as_tensor(value).cpu().contiguous().clone()
                for key, value in state.items()
            }
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, metadata={"progress": json.dumps(dict(progress))})
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise TrainingError(
            f"{path} could not be saved ({error}).", "Free some space and give the same command again: it goes on."
        ) from None


def load_checkpoint(
    path: Path, networks: Mapping[str, nn.Module], optimisers: Mapping[str, torch.optim.Optimizer] | None = None
) -> dict[str, Any]:
    """Read `path` into the networks and optimisers given and return the progress; `TrainingError` where it does not
    fit."""
    tensors, progress = read_checkpoint(path)
    try:
        for name, network in networks.items():
            network.load_state_dict(part_of(tensors, name))
        for name, optimiser in (optimisers or {}).items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in part_of(tensors, name).items():
                index, field = key.split("|")
                state.setdefault(int(index), {})[field] = value
            optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
            _lay_out_moments(optimiser)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(
            f"{path} does not fit this network ({reason}).", "Start in a new folder, or give the right preset and size."
        ) from None
    return progress


def _lay_out_moments(optimiser: torch.optim.Optimizer) -> None:
    """Lay every moment out in memory as its parameter is: fused optimisers walk through both as through one row of
    numbers."""
    for parameter, state in optimiser.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All tensors, named `NETWORK|TENSOR`, and the progress; `TrainingError` where `path` is no checkpoint."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {_renew(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, parse_json(file.metadata()["progress"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(
            f"{path} is not a checkpoint ({reason}).", "Give the .safetensors file of a training run."
        ) from None


def _renew(name: str) -> str:
    """The name of a tensor that this release gives to one of the release before."""
    part, separator, rest = name.partition("|")
    rest = rest.replace("recogniser.", "recognizer.")
    return (
        EARLIER_PARTS.get(part, part)
        + separator
        + (rest.replace("judge.", "verdict.") if part == "discriminator" else rest)
    )


def load_part(path: Path, name: str, network: nn.Module) -> None:
    """Load one network of a checkpoint; raises `TrainingError`."""
    try:
        network.load_state_dict(part_of(read_checkpoint(path)[0], name))
    except RuntimeError:
        raise TrainingError(
            f"{path} holds another kind of network.", "Give the checkpoint of the right training run."
        ) from None


def part_of(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors of one network, optimiser or sub-network."""
    separator = "" if name.endswith(".") else "|"
    return {
        key.removeprefix(name + separator): value for key, value in tensors.items() if key.startswith(name + separator)
    }


@torch.no_grad()
def update_ema(ema: nn.Module, network: nn.Module, decay: float) -> None:
    """Move `ema` towards `network`: an exponential moving average of weights; buffers are copied."""
    mine: list[Tensor] = list(ema.parameters())
    theirs: list[Tensor] = list(network.parameters())
    torch._foreach_lerp_(mine, theirs, 1 - decay)
    for buffer, other in zip(ema.buffers(), network.buffers(), strict=True):
        buffer.copy_(other)
