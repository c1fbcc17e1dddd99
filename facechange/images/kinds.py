"""Tell by what it holds what a file is, whatever it is called, so that it is worked on as that and the sentence a user
reads fits."""

from __future__ import annotations

import warnings
from pathlib import Path, PurePath

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
SEQUENCE_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}  # a track of pictures, ISO/IEC 23008-12, 10.2 and B.4
PICTURE_BRANDS = (*HEIF_BRANDS, b"avif", b"avis")
VIDEO_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\x00\x00\x01\xba",  # MPEG programme stream
    b"\x00\x00\x01\xb3",
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # Windows Media
)
VIDEO_SUFFIXES = {
    ".mp4",
    ".mov",
    ".m4v",
    ".mkv",
    ".webm",
    ".avi",
    ".wmv",
    ".flv",
    ".mpg",
    ".mpeg",
    ".mts",
    ".m2ts",
    ".3gp",
    ".ogv",
}
ANIMATED_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")
RAW_SUFFIXES = {".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"}


def is_heif(start: bytes) -> bool:
    """Whether libheif is to read it; AVIF is Pillow's."""
    return start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS and b"avif" not in start[16:32]


def is_heif_sequence(start: bytes) -> bool:
    """Whether a HEIF file says among its brands that it is a sequence; libheif would read its one still picture, if it
    has any."""
    brands = start[8 : int.from_bytes(start[:4])]
    return not SEQUENCE_BRANDS.isdisjoint(brands[place : place + 4] for place in range(0, len(brands), 4) if place != 4)


def is_video(start: bytes, name: str) -> bool:
    """Whether these first bytes (64 or more), or failing all else the file's suffix, are a video's."""
    if start[4:8] == b"ftyp":
        return start[8:12] not in PICTURE_BRANDS
    if start[:4] == b"RIFF":
        return start[8:12] == b"AVI "
    return start.startswith(VIDEO_STARTS) or PurePath(name).suffix.lower() in VIDEO_SUFFIXES


def is_moving(path: Path) -> bool:
    """Whether a file is a video or an animation: a GIF, PNG, WebP or AVIF of several frames.

    A damaged animation of which no second frame is found counts as a picture: reading it says what is wrong. Raises
    `OSError` where the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(64)
        if not _may_be_animated(start):
            return bool(start) and is_video(start, path.name)
        from PIL import Image  # late: most files need it not

        file.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of large pictures: reading holds them to limits of our own
                with Image.open(file, formats=ANIMATED_FORMATS) as image:
                    return bool(getattr(image, "is_animated", False))
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
            return False


def _may_be_animated(start: bytes) -> bool:
    if start[:4] == b"RIFF":
        return start[8:12] == b"WEBP"
    if start[4:8] == b"ftyp":
        return b"avis" in start[8:]
    return start.startswith((b"GIF8", b"\x89PNG\r\n\x1a\n"))


def is_camera_raw(name: str) -> bool:
    """Whether the suffix is a camera's raw format; most are TIFF inside, with only a small preview to be had."""
    return PurePath(name).suffix.lower() in RAW_SUFFIXES
