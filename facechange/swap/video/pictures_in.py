"""Videos that are pictures: files numbered by a pattern (`frames/%04d.png`), and animated WebP and AVIF, which Pillow
reads."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageSequence

_NUMBER = re.compile(r"%(0\d+)?d")
MILLISECOND = Fraction(1, 1000)


def is_pattern(path: Path) -> bool:
    """Whether `path` stands for numbered pictures."""
    return _NUMBER.search(path.name) is not None


def numbered(path: Path, number: int) -> Path:
    """The picture `number` of a pattern."""
    return path.with_name(_NUMBER.sub(lambda found: found.group() % number, path.name, count=1))


def first_number(path: Path) -> int:
    """The lowest number for which a picture of the pattern is there; 0 where there is none."""
    return min(_numbers(path), default=0)


def pictures_of(path: Path) -> list[Path]:
    """The pictures of a pattern without a gap from the first; for any other path the path alone."""
    if not is_pattern(path):
        return [path]
    present = _numbers(path)
    number, pictures = min(present, default=0), []
    while number in present:
        pictures.append(numbered(path, number))
        number += 1
    return pictures


def is_pillow_animation(path: Path) -> bool:
    """Whether a file starts as an animated WebP or AVIF does. FFmpeg decodes no animated WebP, and of an AVIF the still
    picture."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return False
    if head[4:8] == b"ftyp":
        return b"avis" in head[8 : int.from_bytes(head[:4])]  # among the brands
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 2)


@dataclass(frozen=True)
class PictureHead:
    """What the head of an animation, or of numbered pictures, says and FFmpeg does not tell."""

    size_px: tuple[int, int]  # width, height
    plays: int  # how often it is shown; 0 for ever
    profile: bytes | None  # ICC, of RGB


def read_picture_head(path: Path) -> PictureHead | None:
    """The head of the GIF, WebP, AVIF, PNG, JPEG or TIFF at `path`, or of the first of numbered ones; None where Pillow
    cannot read it.

    A GIF says how often it is repeated after the first time; one that says nothing is shown once.
    """
    path = numbered(path, first_number(path)) if is_pattern(path) else path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures: `inspect_video` holds them to limits of its own
            with Image.open(path, formats=("GIF", "WEBP", "AVIF", "PNG", "JPEG", "TIFF")) as image:
                said, profile = image.info.get("loop"), image.info.get("icc_profile") or b""
                plays = (1 if said is None else said + 1 if said else 0) if image.format == "GIF" else said or 0
                return PictureHead(image.size, plays, profile if profile[16:20] == b"RGB " else None)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None


@dataclass(frozen=True)
class AnimationHead:
    """What has to be known of an animation before its frames are read."""

    first: av.VideoFrame
    frames: int
    rate: Fraction
    codec: str  # "webp" or "avif"


def read_head(path: Path) -> AnimationHead:
    """The first frame, how many there are, and how many a second going by the first."""
    with Image.open(path) as image:
        pts, duration, first = next(_frames(image))
        first.pts = pts
        return AnimationHead(
            first, getattr(image, "n_frames", 1), Fraction(1000, duration), (image.format or "").lower()
        )


def read_animation(path: Path) -> Iterator[av.VideoFrame]:
    """Its frames as RGBA, with times in milliseconds."""
    with Image.open(path) as image:
        for pts, duration, frame in _frames(image):
            frame.pts, frame.duration, frame.time_base = pts, duration, MILLISECOND
            yield frame


def _numbers(path: Path) -> set[int]:
    before, after = _NUMBER.split(path.name, maxsplit=1)[0], _NUMBER.split(path.name, maxsplit=1)[-1]
    shape = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    names = (entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else ()
    found = (match for match in map(shape.fullmatch, names) if match)
    return {int(match.group(1)) for match in found if numbered(path, int(match.group(1))).name == match.group()}


def _frames(image: Image.Image) -> Iterator[tuple[int, int, av.VideoFrame]]:
    pts = 0
    for page in ImageSequence.Iterator(image):
        samples = np.asarray(page.convert("RGBA"))
        duration = max(int(page.info.get("duration", 100)), 1)
        yield pts, duration, av.VideoFrame.from_ndarray(samples, format="rgba")
        pts += duration
