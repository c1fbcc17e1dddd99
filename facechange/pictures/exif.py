"""Clean EXIF in place, so that every other byte (maker notes count from the block's start) stays where it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
EXIF_POINTER, GPS_POINTER = 0x8769, 0x8825
# The tags of a TIFF's first directory that describe the photograph; the rest says how its pixels are stored.
DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)


def clean_exif(exif: bytes, turned: bool) -> bytes | None:
    """The block with orientation 1 and without its thumbnail, which would show the face as it was.

    `turned`: the orientation swapped width and height, so the recorded dimensions are swapped too.
    None where the block is broken.
    """
    block = bytearray(exif.removeprefix(PREFIX))
    try:
        order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
        first = struct.unpack_from(order + "I", block, 4)[0]
        for tag, entry in _entries(block, order, first):
            if tag == ORIENTATION:
                struct.pack_into(order + "H", block, entry + 8, 1)
            elif tag == EXIF_POINTER and turned:
                _swap_dimensions(block, order, struct.unpack_from(order + "I", block, entry + 8)[0])
        _drop_thumbnail(block, order, first)
    except (struct.error, KeyError):
        return None
    return bytes(block)


def from_tiff(exif: Image.Exif) -> bytes | None:
    """The describing part of a TIFF's own directories as an EXIF block; None where there is nothing to keep."""
    kept = Image.Exif()
    for tag in DESCRIPTIVE_TAGS:
        if tag in exif:
            kept[tag] = exif[tag]
    for pointer in (EXIF_POINTER, GPS_POINTER):
        if directory := dict(exif.get_ifd(pointer)):
            kept[pointer] = directory
    return kept.tobytes().removeprefix(PREFIX) if kept else None


def _entries(block: bytearray, order: str, start: int) -> Iterator[tuple[int, int]]:
    """Each (tag, offset of its 12-byte entry) of the directory at `start`."""
    for index in range(struct.unpack_from(order + "H", block, start)[0]):
        entry = start + 2 + 12 * index
        yield struct.unpack_from(order + "H", block, entry)[0], entry


def _swap_dimensions(block: bytearray, order: str, start: int) -> None:
    """Exchange type, count and value of PixelXDimension and PixelYDimension."""
    places = {tag: slice(entry + 2, entry + 12) for tag, entry in _entries(block, order, start) if tag in (0xA002, 0xA003)}
    if len(places) == 2:
        wide, high = places[0xA002], places[0xA003]
        block[wide], block[high] = block[high], block[wide]


def _drop_thumbnail(block: bytearray, order: str, first: int) -> None:
    """Unlink the second directory and blank the picture it points to."""
    link = first + 2 + 12 * struct.unpack_from(order + "H", block, first)[0]
    second = struct.unpack_from(order + "I", block, link)[0]
    struct.pack_into(order + "I", block, link, 0)
    if not second:
        return
    values = {tag: struct.unpack_from(order + "I", block, entry + 8)[0] for tag, entry in _entries(block, order, second)}
    for offset_tag, length_tag in ((0x0201, 0x0202), (0x0111, 0x0117)):  # compressed; plain strips
        start, length = values.get(offset_tag, 0), values.get(length_tag, 0)
        end = min(start + length, len(block))
        if 0 < start < end:
            block[start:end] = bytes(end - start)
