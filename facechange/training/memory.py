"""The device that a run trains on, and where its networks and buffers lie in memory."""

import ctypes
import sys
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


def keep_freed_memory() -> None:
    """Let glibc keep large buffers between steps instead of handing them to the kernel and faulting them in again.

    A quarter of the generator's time at 128² on two cores; does nothing elsewhere than on Linux with glibc.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(M_MMAP_THRESHOLD, 2**30)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def prepare_device(name: str) -> torch.device:
    """The device of that name (`resolve_device`), set up to train fast: TensorFloat-32, tuned convolutions, kept
    buffers."""
    device = resolve_device(name)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    keep_freed_memory()
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` computes in bfloat16; a processor without AVX-512 emulates it thirty times slower than
    float32."""
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def autocast(device: torch.device) -> torch.autocast:
    """Compute in bfloat16 what stands it, on devices that have it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


def place(network: Network, device: torch.device) -> Network:
    """`network` on `device` with channels last in memory, which convolutions in bfloat16 are fastest with."""
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def resolve_device(name: str) -> torch.device:
    """The device of that name; for "auto" the first accelerator there is."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def describe_device(name: str) -> str:
    """The device of that name in words, for reports."""
    device = resolve_device(name)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type
