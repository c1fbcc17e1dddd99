"""EXIF written afresh with what may be in it: nothing that shows the picture as it was, and on request nothing that
names anybody."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, Union

from PIL import Image

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
EXIF_POINTER, GPS_POINTER, INTEROPERABILITY_POINTER = 0x8769, 0x8825, 0xA005
# The tags of a TIFF's first directory that describe the photograph; the rest says how its pixels are stored.
DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
MAKER_NOTE = 0x927C
# Previews of the old face, or what can hold one: thumbnails and strips, further pictures, Photoshop's and DNG's data,
# makers' notes.
_PREVIEWS = frozenset((MAKER_NOTE, 0x0111, 0x0117, 0x014A, 0x0201, 0x0202, 0x02BC, 0x83BB, 0x8649, 0x935C, 0xC634))
_LARGEST_BINARY_BYTES = 1024  # of a value that is neither text nor numbers; a preview is larger
_BINARY_TEXTS = frozenset((0x9286, *range(0x9C9B, 0x9CA0)))  # a comment, and captions as Windows writes them
# What says how the photograph was taken and how it is to be shown, in numbers: resolution, exposure, lens, colours,
# dimensions.
_HARMLESS = {
    *(
        ORIENTATION,
        0x011A,
        0x011B,
        0x0128,
        0x0213,
        0x829A,
        0x829D,
        0x8822,
        0x8827,
        *range(0x9201, 0x9206),
        *range(0x9207, 0x920B),
    ),
    *(0xA001, 0xA002, 0xA003, 0xA20E, 0xA20F, 0xA210, 0xA217, *range(0xA402, 0xA40B), 0xA40C, 0xA500),
}
_MOST_NUMBERS = 4
_BYTES_EACH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # by the kind of value
_NUMBERS, _BINARY = frozenset((3, 4, 5, 8, 9, 10, 11, 12)), frozenset((1, 6, 7))
OTHER_NOTES = "other notes"
_WORDS = (
    ("places", (GPS_POINTER,)),
    ("names", (0x013B, 0x8298, 0x9C9D, 0xA430)),
    ("captions", (0x010E, 0x9286, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F)),
    ("dates", (0x0132, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292)),
    ("the camera", (0x010F, 0x0110, 0xA431, 0xA432, 0xA433, 0xA434, 0xA435, 0xC62F)),
)


@dataclass(frozen=True)
class _Value:
    kind: int
    count: int
    data: bytes  # in the block's byte order


_Directory: TypeAlias = dict[int, Union[_Value, "_Directory"]]
_Keeps: TypeAlias = Callable[[int, _Value], bool]


def clean_exif(exif: bytes, turned: bool) -> bytes | None:
    """The block with orientation 1, and without thumbnails and maker notes, which would show the face as it was.

    `turned`: the orientation swapped width and height, so the recorded dimensions are swapped too.
    None where the block is broken.
    """
    try:
        order, directory = _read_block(exif)
    except (struct.error, KeyError):
        return None
    kept = _filter(directory, _shows_nothing)
    if ORIENTATION in kept:
        kept[ORIENTATION] = _Value(3, 1, struct.pack(order + "H", 1))
    details = kept.get(EXIF_POINTER)
    if turned and isinstance(details, dict) and {0xA002, 0xA003} <= details.keys():
        details[0xA002], details[0xA003] = details[0xA003], details[0xA002]
    return _write_block(order, kept)


def nameless_exif(exif: bytes) -> tuple[bytes | None, list[str]]:
    """A block that `clean_exif` gave with nothing but harmless numbers (None where there are none), and what went, in
    words."""
    order, directory = _read_block(exif)
    directory.pop(GPS_POINTER, None)
    kept = _filter(directory, _is_harmless)
    gone = _tags(_read_block(exif)[1]) - _tags(kept)
    words = [word for word, tags in _WORDS if gone & set(tags)]
    # versions
    rest = gone - {tag for _, tags in _WORDS for tag in tags} - {INTEROPERABILITY_POINTER, 0x9000, 0x9101, 0xA000}
    return _write_block(order, kept) if kept else None, words + ([OTHER_NOTES] if rest else [])


def holds_previews(exif: bytes) -> bool:
    """Whether a block as a file has it holds a thumbnail or a maker's notes."""
    try:
        order, directory = _read_block(exif)
        block = exif.removeprefix(PREFIX)
        first: int = struct.unpack_from(order + "I", block, 4)[0]
        entries = struct.unpack_from(order + "H", block, first)[0]
        return bool(struct.unpack_from(order + "I", block, first + 2 + 12 * entries)[0]) or bool(
            _tags(directory) & _PREVIEWS
        )
    except (struct.error, KeyError):
        return False


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


def _shows_nothing(tag: int, value: _Value) -> bool:
    """Whether a value is no preview, and too small to be one."""
    return tag not in _PREVIEWS and (
        value.kind not in _BINARY or len(value.data) <= _LARGEST_BINARY_BYTES or tag in _BINARY_TEXTS
    )


def _is_harmless(tag: int, value: _Value) -> bool:
    """Whether a value says how the photograph was taken, in a few numbers: never in words."""
    return tag in _HARMLESS and value.kind in _NUMBERS and value.count <= _MOST_NUMBERS


def _filter(directory: _Directory, keeps: _Keeps) -> _Directory:
    """What `keeps` keeps, directory by directory; without those of which nothing is left."""
    kept: _Directory = {}
    for tag, value in directory.items():
        inner = _filter(value, keeps) if isinstance(value, dict) else value
        if inner and (isinstance(inner, dict) or keeps(tag, inner)):
            kept[tag] = inner
    return kept


def _tags(directory: _Directory) -> set[int]:
    """All tags; of those about the place the pointer alone."""
    inner = (_tags(value) for tag, value in directory.items() if isinstance(value, dict) and tag != GPS_POINTER)
    return set(directory).union(*inner)


def _read_block(exif: bytes) -> tuple[str, _Directory]:
    """Byte order (of `struct`) and first directory with those in it. Raises `struct.error` or `KeyError` where it is
    broken."""
    block = exif.removeprefix(PREFIX)
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    first = struct.unpack_from(order + "I", block, 4)[0]
    return order, _read_directory(block, order, first, (EXIF_POINTER, GPS_POINTER))


def _read_directory(block: bytes, order: str, start: int, pointers: tuple[int, ...]) -> _Directory:
    """The directory at `start`; `pointers` name those that can be in it. A value or directory that lies outside the
    block is left out."""
    directory: _Directory = {}
    for index in range(struct.unpack_from(order + "H", block, start)[0]):
        entry = start + 2 + 12 * index
        tag, kind, count = struct.unpack_from(order + "HHI", block, entry)
        place = struct.unpack_from(order + "I", block, entry + 8)[0]
        if tag in pointers:
            with contextlib.suppress(struct.error):  # a broken one is left out alone
                directory[tag] = _read_directory(
                    block, order, place, (INTEROPERABILITY_POINTER,) if tag == EXIF_POINTER else ()
                )
            continue
        length = _BYTES_EACH.get(kind, 0) * count
        begin = place if length > 4 else entry + 8
        if length and begin + length <= len(block):
            directory[tag] = _Value(kind, count, block[begin : begin + length])
    return directory


def _write_block(order: str, directory: _Directory) -> bytes:
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return head + _write_directory(order, directory, 8)


def _write_directory(order: str, directory: _Directory, start: int) -> bytes:
    """The directory as it lies at `start`, its values behind it; no other follows it."""
    entries, behind = b"", b""
    end = start + 2 + 12 * len(directory) + 4
    for tag, value in sorted(directory.items()):
        place = end + len(behind)
        if isinstance(value, dict):
            inner = _write_directory(order, value, place)
            entries += struct.pack(order + "HHII", tag, 4, 1, place)
            behind += inner
        elif len(value.data) > 4:
            entries += struct.pack(order + "HHII", tag, value.kind, value.count, place)
            behind += value.data + b"\0" * (len(value.data) % 2)
        else:
            entries += struct.pack(order + "HHI", tag, value.kind, value.count) + value.data.ljust(4, b"\0")
    return struct.pack(order + "H", len(directory)) + entries + bytes(4) + behind
