"""What every engine offers, and what it opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

# layers of a picture-making network that are as wide or wider stay in float32 where the rest is bfloat16
EXACT_FROM_PX = 128


class Engine(Protocol):
    """A graph made ready to run; may be shared between threads. Any exception it raises in `run` is the graph's to
    explain."""

    name: str  # for people: "OpenVINO CPU bf16"
    input_names: list[str]
    output_names: list[str]

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]: ...


@dataclass(frozen=True)
class Model:
    """What an engine opens."""

    data: bytes  # an ONNX file
    path: Path  # where it was read; a PyTorch program may lie beside it
    sha256: str
    size_px: int  # the card's
    bfloat16: bool  # whether it may be computed in bfloat16
    threads: int
    many_runs: bool = False  # whether many pictures are to come
    # constant inputs; an identity: nothing of it may reach a disk
    fixed: Mapping[str, np.ndarray] = field(default_factory=dict)


def program_path(model: Model) -> Path:
    """Where the PyTorch program that does what `model` does would lie."""
    return model.path.with_suffix(".pt2")
