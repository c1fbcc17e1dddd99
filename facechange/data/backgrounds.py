"""Photographs without a face: what faces are pasted on, and what is put before them. Some are held out of all
training."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from facechange.core import TrainingError

HELD_OUT_EVERY = 10  # one background in ten is never trained on


def read_backgrounds(path: Path, held_out: bool) -> list[np.ndarray]:
    """Photographs [H, W, 3] uint8 RGB without a face from a tar: every tenth is held out for evaluation, the rest
    trains.

    Raises `TrainingError` where the tar cannot be read.
    """
    try:
        entries = sorted(_read_tar(path))
    except (OSError, tarfile.TarError) as error:
        raise TrainingError(
            f"The backgrounds in {path} cannot be read ({error}).", "Give a tar of photographs without a face."
        ) from None
    chosen = [
        entry for number, entry in enumerate(entries) if (number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == held_out
    ]
    if not chosen:
        raise TrainingError(f"{path} holds too few photographs.", f"Give at least {HELD_OUT_EVERY} without a face.")
    return [_decode(*entry) for entry in chosen]


def _read_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield member.name, file.read()


def _decode(name: str, data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise TrainingError(f"{name} is not a readable picture.", "Make the shards again.")
    return image
