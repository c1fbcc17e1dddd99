"""Read a picture file, or take a picture that is already in memory."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from facechange.core import PictureError, is_out_of_memory
from facechange.images import kinds
from facechange.images.decoding import decode_image
from facechange.images.picture import Picture
from facechange.images.quiet import quiet_libraries

PictureLike: TypeAlias = "Picture | Image.Image | np.ndarray | Path | str"

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
READABLE = "JPEG, PNG, WebP, AVIF, HEIC and TIFF photographs are read."
AGAIN = "Get the file again from where it came."
CHANGE_VIDEOS = (
    "To change the faces in it: facechange video; to take one person's face from it, save a frame as a picture."
)
SAVE_ONE = "Save one of them as a picture, or convert all to a video and use facechange video."
SHRINK = "Make it smaller first."
LARGEST_PIXELS = 100_000_000
LARGEST_SIDE_PX = 65_535  # a JPEG's
LARGEST_BYTES = 2 << 30


def read_picture(path: Path) -> Picture:
    """Read a JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or GIF (first frame), upright, with its metadata.

    Raises `PictureError` for a file that is missing, unreadable, empty, damaged, larger than 100 megapixels, or no
    picture.
    """
    data = _read_bytes(path)
    with quiet_libraries(), _readable(path.name):
        return decode_image(_open(data, path.name), data)


def read_xmp(path: Path) -> bytes | None:
    """The XMP packet of a picture file as it is stored, without decoding pixels. Raises `PictureError` like
    `read_picture`."""
    data = _read_bytes(path)
    with quiet_libraries(), _readable(path.name):
        packet = _open(data, path.name).info.get("xmp")
    return packet.encode() if isinstance(packet, str) else packet


def as_picture(source: PictureLike) -> Picture:
    """Take a path, a `Picture`, a PIL image or an RGB array: [H, W], [H, W, 1|3|4], uint8 or uint16.

    Raises `PictureError` for anything else, and as `read_picture` does.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | Path):
        return read_picture(Path(source))
    if isinstance(source, Image.Image):
        _check_size("The picture", *source.size)
        return decode_image(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    raise PictureError(f"A {type(source).__name__} is not a picture.", "Give a path, a PIL image or a NumPy array.")


def _from_array(array: np.ndarray) -> Picture:
    """A picture from samples in memory."""
    if array.dtype not in (np.uint8, np.uint16):
        raise PictureError(f"A picture cannot be made of {array.dtype} samples.", "Give uint8 or uint16.")
    samples = array[..., None] if array.ndim == 2 else array
    if samples.ndim != 3 or samples.shape[2] not in (1, 3, 4) or not samples.size:
        raise PictureError(f"An array of shape {array.shape} is not a picture.", "Give [H, W, 3] in RGB order.")
    _check_size("The array", samples.shape[1], samples.shape[0])
    if samples.shape[2] == 1:
        return Picture(cv2.cvtColor(np.ascontiguousarray(samples), cv2.COLOR_GRAY2RGB), grey=True)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(samples[..., :3]), alpha)


@contextlib.contextmanager
def readable_file(path: Path) -> Iterator[None]:
    """What keeps `path` from being read as a sentence: `PictureError`. A pipe would not come to an end, and can be read
    only once."""
    try:
        if path.is_dir():
            raise PictureError(f"{path} is a folder, not a picture.", "Name one file in it.")
        if path.exists() and not path.is_file():
            raise PictureError(f"{path} is not a file.", "Name a picture file.")
        yield
    except FileNotFoundError:
        raise PictureError(f"{path} does not exist.", "Check the name and the folder.") from None
    except PermissionError:
        raise PictureError(f"{path} may not be read.", "Ask for permission to read it.") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise PictureError(f"{path} cannot be read: {reason}.", "Check the name and the disk.") from None


def _read_bytes(path: Path) -> bytes:
    """The file's bytes, or the sentence that says why not."""
    with readable_file(path):
        if path.is_file() and path.stat().st_size > LARGEST_BYTES:
            raise PictureError(f"{path.name} is larger than 2 GiB.", READABLE)
        data = path.read_bytes()
    if not data:
        raise PictureError(f"{path.name} is empty.", AGAIN)
    return data


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    """Whatever decoding raises as a sentence: `PictureError`. Decoders raise almost anything on broken bytes."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise PictureError(f"{name} is damaged or cut short.", AGAIN) from error


def _open(data: bytes, name: str) -> Image.Image:
    """Open the header with Pillow and hold it to the limits; no pixel is decoded yet."""
    if kinds.is_video(data[:64], name):
        raise PictureError(f"{name} is a video, not a photograph.", CHANGE_VIDEOS)
    if kinds.is_camera_raw(name):
        raise PictureError(f"{name} is a camera raw file.", "Develop it to TIFF or JPEG first.")
    formats: tuple[str, ...] = FORMATS
    if kinds.is_heif(data[:64]):
        if kinds.is_heif_sequence(data[:64]):
            raise PictureError(f"{name} is a sequence of pictures, not a photograph.", SAVE_ONE)
        import pillow_heif  # slow to import, and rarely needed

        pillow_heif.register_heif_opener()
        formats = ("HEIF",)
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError:
        raise PictureError(f"{name} unpacks to far more than {LARGEST_PIXELS // 10**6} megapixels.", SHRINK) from None
    except UnidentifiedImageError:
        raise PictureError(f"{name} is not a picture, or its beginning is damaged.", READABLE) from None
    _check_size(name, *image.size)
    return image


def _check_size(name: str, width: int, height: int) -> None:
    """Raise `PictureError` above 100 megapixels, and for a side that nothing can work on."""
    if max(width, height) > LARGEST_SIDE_PX:
        raise PictureError(f"{name} is {width} x {height} pixels; a side has at most {LARGEST_SIDE_PX:,}.", SHRINK)
    if width * height > LARGEST_PIXELS:
        raise PictureError(
            f"{name} has {width * height / 1e6:.0f} megapixels; at most {LARGEST_PIXELS // 10**6} are taken.", SHRINK
        )
