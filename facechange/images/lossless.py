"""PNG and TIFF for 1 to 4 channels of 8 or 16 bits with all metadata; Pillow has no 16-bit colour.

Sources: Portable Network Graphics Specification, third edition (W3C 2025); TIFF revision 6.0 (Adobe 1992) and its
Photoshop supplement.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from facechange.images.exif import DESCRIPTIVE_TAGS, EXIF_POINTER, GPS_POINTER
from facechange.images.picture import Picture

COMPRESSION_LEVEL = 1  # the higher ones save a tenth of the bytes for several times the time
STRIP_BYTES = 1 << 20


def encode_png(samples: np.ndarray, picture: Picture, text: Mapping[str, str]) -> bytes:
    """PNG of `samples` [H, W, 1..4] (grey, grey+alpha, RGB, RGBA; uint8 or uint16) with `picture`'s metadata and `text`
    entries."""
    height, width, channels = samples.shape
    depth = 8 * samples.dtype.itemsize
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))]
    if picture.icc:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc)))
    if picture.dpi:
        across, down = (round(value / 0.0254) for value in picture.dpi)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if picture.exif:
        chunks.append(_chunk(b"eXIf", picture.exif))
    entries = {key: value.encode() for key, value in text.items()} | (
        {"XML:com.adobe.xmp": picture.xmp} if picture.xmp else {}
    )
    chunks += [_chunk(b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + value) for key, value in entries.items()]
    chunks += [_chunk(b"IDAT", zlib.compress(_filter_rows(samples).data, COMPRESSION_LEVEL)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _filter_rows(samples: np.ndarray) -> np.ndarray:
    """Every row's bytes less the pixel's before ("Sub"), each behind the filter's number: uint8 [H, 1 + bytes a
    row]."""
    height, _, channels = samples.shape
    rows = samples.astype(samples.dtype.newbyteorder(">"), copy=False).view(np.uint8).reshape(height, -1)
    step = channels * samples.dtype.itemsize
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 1
    filtered[:, 1 : step + 1] = rows[:, :step]
    np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, step + 1 :])
    return filtered


def encode_tiff(samples: np.ndarray, picture: Picture, text: Mapping[str, str]) -> bytes:
    """TIFF of `samples` as in `encode_png`; of `text` only "Software" has a place outside the XMP."""
    height, width, channels = samples.shape
    rows = max(1, STRIP_BYTES // (width * channels * samples.dtype.itemsize))
    strips = [_compress_strip(samples[top : top + rows]) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    tags = _descriptive_tags(picture.exif)
    tags[256], tags[257] = width, height
    tags[258] = (8 * samples.dtype.itemsize,) * channels
    tags[259], tags[317] = 8, 2  # deflate, horizontal differences
    tags[262] = 2 if channels >= 3 else 1  # RGB or black is zero
    tags[274], tags[277], tags[284] = 1, channels, 1  # upright, interleaved
    tags[278] = rows
    tags.tagtype[273] = tags.tagtype[279] = 4  # LONG
    # from the directory's end; Pillow adds the rest
    tags[273] = tuple(int(offset) for offset in np.cumsum([0, *sizes[:-1]]))
    tags[279] = tuple(sizes)
    if channels in (2, 4):
        tags[338] = 2  # alpha, not premultiplied
    if picture.dpi:
        tags[282], tags[283] = (IFDRational(round(value * 1000), 1000) for value in picture.dpi)
        tags[296] = 2  # inch
    if picture.xmp:
        tags.tagtype[700] = 1  # BYTE
        tags[700] = picture.xmp
    if picture.icc:
        tags.tagtype[34675] = 7  # UNDEFINED
        tags[34675] = picture.icc
    if "Software" in text:
        tags[305] = text["Software"]
    return b"II*\0\x08\0\0\0" + tags.tobytes(8) + b"".join(strips)


def _compress_strip(samples: np.ndarray) -> bytes:
    """Deflate the differences between neighbours along the rows, little-endian."""
    differences = samples.astype(samples.dtype.newbyteorder("<"))
    np.subtract(samples[:, 1:], samples[:, :-1], out=differences[:, 1:])
    return zlib.compress(differences.data, COMPRESSION_LEVEL)


def _descriptive_tags(block: bytes | None) -> ImageFileDirectory_v2:
    """A new directory with what an EXIF block says about the photograph."""
    tags = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    if not block:
        return tags
    exif = Image.Exif()
    exif.load(block)
    for tag in DESCRIPTIVE_TAGS:
        if tag in exif:
            tags[tag] = exif[tag]
    for pointer in (EXIF_POINTER, GPS_POINTER):
        if directory := dict(exif.get_ifd(pointer)):
            tags[pointer] = directory
    return tags
