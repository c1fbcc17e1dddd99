"""What the device of the PyTorch engine can do at best: copying its memory, and convolutions that suit it."""

from __future__ import annotations

import torch
from torch.nn import functional

from facechange.benchmark.timing import measure
from facechange.runtime.pytorch import find_device

PICTURES = {"cuda": 64, "cpu": 1}  # enough to fill every unit
COPIED_BYTES = {"cuda": 1 << 30, "cpu": 1 << 28}  # more than any cache holds


def measure_copying(seconds: float = 1.0) -> float:
    """GB/s (10^9, read plus written) of copying the device's memory."""
    device = find_device()
    source = torch.ones(COPIED_BYTES[device.type], dtype=torch.uint8, device=device)
    copied = torch.empty_like(source)

    def copy() -> None:
        copied.copy_(source)
        _wait(device)

    return 2 * source.numel() / measure(copy, seconds).fastest_ms / 1e6


def measure_convolution(channels: int, side_px: int, *, bfloat16: bool, seconds: float = 1.0) -> float:
    """GFLOP/s of a 3 x 3 convolution of so many channels at `side_px` x `side_px`, in `bfloat16` or else float32."""
    device, dtype = find_device(), torch.bfloat16 if bfloat16 else torch.float32
    pictures = PICTURES[device.type]
    features = torch.randn(pictures, channels, side_px, side_px, device=device, dtype=dtype).to(
        memory_format=torch.channels_last
    )
    kernel = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype).to(memory_format=torch.channels_last)

    def convolve() -> None:
        functional.conv2d(features, kernel, padding=1)
        _wait(device)

    with torch.inference_mode():
        timing = measure(convolve, seconds)
    return pictures * 2 * channels**2 * 9 * side_px**2 / timing.fastest_ms / 1e6


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
