"""Animated WebP, which FFmpeg does not decode, read with Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageSequence

MILLISECOND = Fraction(1, 1000)


def is_animated_webp(path: Path) -> bool:
    """Whether a file starts as a WebP animation does (RIFF, WEBP, an extended header with its animation bit)."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & 2)


@dataclass(frozen=True)
class AnimationHead:
    """What has to be known of an animation before its frames are read."""

    first: av.VideoFrame
    frames: int
    rate: Fraction


def read_head(path: Path) -> AnimationHead:
    """The first frame, how many there are, and how many a second going by the first."""
    with Image.open(path) as image:
        pts, duration, first = next(_frames(image))
        first.pts = pts
        return AnimationHead(first, getattr(image, "n_frames", 1), Fraction(1000, duration))


def read_animated_webp(path: Path) -> Iterator[av.VideoFrame]:
    """Its frames as RGBA, with times in milliseconds."""
    with Image.open(path) as image:
        for pts, duration, frame in _frames(image):
            frame.pts, frame.duration, frame.time_base = pts, duration, MILLISECOND
            yield frame


def _frames(image: Image.Image) -> Iterator[tuple[int, int, av.VideoFrame]]:
    pts = 0
    for page in ImageSequence.Iterator(image):
        samples = np.asarray(page.convert("RGBA"))
        duration = max(int(page.info.get("duration", 100)), 1)
        yield pts, duration, av.VideoFrame.from_ndarray(samples, format="rgba")
        pts += duration
