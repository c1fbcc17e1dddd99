"""What a network costs a picture, counted without running it: parameters, operations, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from facechange.models.discriminator import Discriminator
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.presets import IDENTITY_CHANNELS, find_preset


@dataclass(frozen=True)
class Costs:
    """Costs of a network; the counts a picture are those of one pass at its size."""

    parameters: int
    forward_flops: int  # a multiplication and an addition are two
    step_flops: int  # forward and backward
    saved_values: int  # numbers a picture kept for the backward pass; 2 bytes each in bfloat16, 4 in float32


def count_swapper_costs(preset: str, size_px: int) -> Costs:
    """Costs of generator and attribute network together; raises `ModelError` for an unknown preset or size."""
    with FakeTensorMode():
        model = FaceChangeNetwork(preset, size_px)
        return _count(
            model,
            lambda pictures: model(
                torch.empty(pictures, 3, size_px, size_px), torch.empty(pictures, IDENTITY_CHANNELS)
            ),
        )


def count_discriminator_costs(preset: str, size_px: int, window_px: int | None = None) -> Costs:
    """Costs of the discriminator, of whole pictures or of windows; raises `ModelError` for an unknown preset or
    size."""
    channels, side = find_preset(preset).discriminator_channels(size_px, window_px), window_px or size_px
    with FakeTensorMode():
        model = Discriminator(channels)
        return _count(model, lambda pictures: model(torch.empty(pictures, 3, side, side))[0])


def _count(model: nn.Module, run: Callable[[int], Tensor]) -> Costs:
    """Two pictures less one: what does not depend on the batch drops out."""
    one, two = _count_pass(run, 1), _count_pass(run, 2)
    forward, step, saved = (of_two - of_one for of_one, of_two in zip(one, two, strict=True))
    return Costs(sum(parameter.numel() for parameter in model.parameters()), forward, step, saved)


def _count_pass(run: Callable[[int], Tensor], pictures: int) -> tuple[int, int, int]:
    """Operations forward, operations forward and backward, numbers kept in between."""
    saved: dict[int, int] = {}

    def note(value: Tensor) -> Tensor:
        saved[value.untyped_storage()._cdata] = value.numel()
        return value

    with FlopCounterMode(display=False) as counter:
        with saved_tensors_hooks(note, lambda value: value):
            result = run(pictures)
        forward = counter.get_total_flops()
        result.sum().backward()
    return forward, counter.get_total_flops(), sum(saved.values())
