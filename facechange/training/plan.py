"""`facechange train face --dry-run`: what a run will need, before it starts."""

from __future__ import annotations

import time

import torch

from facechange.models.costs import count_discriminator_costs, count_swapper_costs
from facechange.training.config import FaceConfig
from facechange.training.detail_step import MARGIN_PX, count_whole, count_windows
from facechange.training.memory import has_bfloat16, resolve_device

IDENTITY_FLOPS = 2 * 1.8e9  # both recognizers of identity on one crop, forward and back to its pixels
BYTES_A_VALUE = 2  # activations are bfloat16


def describe_plan(config: FaceConfig) -> list[str]:
    """Lines with parameters, operations and memory a picture, and the speed to expect on this machine."""
    swapper = count_swapper_costs(config.preset, config.size)
    discriminator = count_discriminator_costs(config.preset, config.size, config.window)
    # D runs forward and backward for the generator's step, forward on X_t, and forward and backward on both pictures of
    # its own
    critic_flops = 3 * discriminator.step_flops + discriminator.forward_flops
    step_flops: float = swapper.step_flops + critic_flops + IDENTITY_FLOPS
    memory: float = BYTES_A_VALUE * (swapper.saved_values + 2 * discriminator.saved_values)
    if config.window is not None:  # what is smaller runs forward only, the finest resolution on a part of the picture
        smaller = count_swapper_costs(config.preset, config.size // 2)
        seen_whole, windows = count_whole(config) / config.micro_batch, count_windows(config)
        share = windows * (config.window + 2 * MARGIN_PX) ** 2 / config.size**2 + seen_whole
        step_flops = smaller.forward_flops + share * (swapper.step_flops - smaller.step_flops) + windows * critic_flops
        step_flops += seen_whole * IDENTITY_FLOPS
        memory = BYTES_A_VALUE * (
            share * (swapper.saved_values - smaller.saved_values) + 2 * windows * discriminator.saved_values
        )
    states = 4 * (4 * swapper.parameters + 3 * discriminator.parameters)  # weights, ema, two Adam moments, float32
    held = memory * config.micro_batch + states
    device = resolve_device(config.device)
    speed = _measure_flops(device) * 0.35 / step_flops  # a step reaches about a third of a large product's rate
    return [
        f"preset {config.preset}, {config.size} x {config.size}, on {device}",
        f"parameters: swapper {swapper.parameters / 1e6:.1f} M, discriminator {discriminator.parameters / 1e6:.1f} M",
        f"swapper: {swapper.forward_flops / 1e9:.1f} GFLOP a picture; whole step {step_flops / 1e9:.0f} GFLOP a picture",
        f"memory: {memory / 2**20:.0f} MiB a picture, {held / 2**30:.1f} GiB with {config.micro_batch} at once",
        f"speed to expect: {say_speed(speed)}",
        f"{config.pictures:,} pictures: {config.pictures / speed / 3600:.1f} hours",
    ]


def say_speed(pictures_a_second: float) -> str:
    """A speed in the unit in which it is no fraction of a picture."""
    units = ((1, "a second"), (60, "a minute"))
    seconds, unit = next(
        ((length, name) for length, name in units if pictures_a_second * length >= 1), (3600, "an hour")
    )
    return f"{pictures_a_second * seconds:,.1f} pictures {unit}"


def _measure_flops(device: torch.device) -> float:
    """The rate of a large matrix product on `device`, in bfloat16 where it has it: operations a second."""
    side = 1024 if device.type == "cpu" else 8192
    factor = torch.randn(side, side, device=device, dtype=torch.bfloat16 if has_bfloat16(device) else torch.float32)
    rates = []
    for _ in range(4):
        if device.type == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        product = factor @ factor
        float(product[0, 0])  # waits for the device
        rates.append(2 * side**3 / (time.perf_counter() - started))
    return max(rates)
