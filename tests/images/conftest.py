"""Synthetic photographs in the shapes files come in."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def upright() -> np.ndarray:
    """A smooth coloured picture without any symmetry: uint8 [48, 64, 3]."""
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([columns * 4, rows * 5, (rows + columns) * 2], -1).astype(np.uint8)


@pytest.fixture
def deep() -> np.ndarray:
    """Sixteen bits that eight cannot hold: uint16 [48, 64, 3]."""
    return np.random.default_rng(0).integers(0, 65536, (48, 64, 3), np.uint16)


def save(array_or_image: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    """Encode with Pillow."""
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def encode():
    return save
