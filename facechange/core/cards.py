"""Model cards: what a graph is, what it learned from, and the hash that proves it is that graph."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from facechange.core.errors import ModelError
from facechange.core.stored import build, read_json
from facechange.core.words import clean_line

LARGEST_SIZE_PX = 4096
EARLIER_ROLES = {"locator": "scout", "recogniser": "recognizer"}  # what the release before called them


@dataclass(frozen=True)
class ModelCard:
    """The JSON beside a graph (`NAME.json` beside `NAME.onnx`)."""

    name: str
    role: str  # "detector", "scout", "identity", "recognizer", "change" or "personas"
    version: str
    summary: str
    licence: str
    sha256: str  # of the graph file
    size_px: int  # side of the square input; 0 where any size goes
    parameters: int
    normalisation: str
    template: str  # how a face is aligned for it
    inputs: dict[str, str]  # name: shape, type, range
    outputs: dict[str, str]
    data: str
    training: str
    limits: str
    metrics: dict[str, Any] = field(default_factory=dict)
    # luma in 0..1 to which a darker face's median is lifted before, and back after (runtime.exposure); 0: none
    face_median: float = 0.0
    bfloat16: bool = False  # whether it may be computed in bfloat16: within 45 dB PSNR of float32

    def metric(self, name: str, otherwise: float | None = None) -> float:
        """The mean of a measured value, or `otherwise`; raises `ModelError` where the card has neither."""
        value = self.metrics.get(name, {"mean": otherwise})
        mean = value.get("mean") if isinstance(value, dict) else None
        if isinstance(mean, bool) or not isinstance(mean, int | float):
            raise ModelError(f"The card of {self.name} has no value {name}.", "Install or export the model again.")
        return float(mean)

    def save(self, path: Path) -> None:
        """Write the card as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_card(path: Path) -> ModelCard:
    """Read a card, its words each on one clean line; raises `ModelError` where it is missing or broken."""
    try:
        card = build(ModelCard, read_json(path))
        if not (0 <= card.size_px <= LARGEST_SIZE_PX and card.parameters >= 0 and 0 <= card.face_median <= 1):
            raise ValueError("a number is out of range")
    except FileNotFoundError:
        raise ModelError(f"{path.name} is missing.", "A graph needs its card beside it; export it again.") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path.name} is not a readable model card ({error}).", "Export the model again.") from None
    card = replace(card, role=EARLIER_ROLES.get(card.role, card.role))
    words: dict[str, Any] = {name: clean_line(value) for name, value in vars(card).items() if isinstance(value, str)}
    return replace(card, **words)


def hash_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
