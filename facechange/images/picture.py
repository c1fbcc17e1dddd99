"""A photograph in memory: upright pixels and what its file said about them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

FURTHER_PICTURES = "further pictures"  # in `Picture.left_behind`: pages, a second view, frames


@dataclass(frozen=True)
class JpegSettings:
    """How the source JPEG was quantised; written with the same tables, untouched blocks hardly lose anything more."""

    tables: dict[int, list[int]]  # 64 values in natural order each
    subsampling: int  # 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0


@dataclass(frozen=True, eq=False)
class Picture:
    """A photograph, EXIF orientation already applied.

    Change it with `dataclasses.replace(picture, pixels=...)`; never write into `pixels`.
    """

    pixels: np.ndarray  # [H, W, 3] uint8 or uint16, RGB
    alpha: np.ndarray | None = None  # [H, W] of the same type, not premultiplied
    grey: bool = False  # the file had one channel; the three here are equal, and one is written again
    icc: bytes | None = None
    exif: bytes | None = None  # a TIFF block without the "Exif\0\0" in front; orientation 1, no previews
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    jpeg: JpegSettings | None = None
    lossless: bool = True  # the pixels come from a lossless file or straight from memory
    left_behind: tuple[str, ...] = ()  # what else the file held, in words; it is never written again

    @property
    def width(self) -> int:
        """Columns in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows in pixels."""
        return int(self.pixels.shape[0])

    def rgb8(self) -> np.ndarray:
        """The pixels with eight bits a channel: uint8 [H, W, 3]."""
        return to_uint8(self.pixels)


def to_uint8(samples: np.ndarray) -> np.ndarray:
    """Round uint16 samples to uint8, so that 65535 becomes 255; uint8 is handed through."""
    return samples if samples.dtype == np.uint8 else cv2.convertScaleAbs(samples, alpha=1 / 257)
