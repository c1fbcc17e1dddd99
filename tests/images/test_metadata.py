"""EXIF and XMP are cleaned without harming what they say."""

from __future__ import annotations

import struct

import pytest

from facechange.images.exif import clean_exif
from facechange.images.xmp import clean_xmp, get_property, parse_xmp, serialise_xmp, set_property


def block(order: str) -> bytes:
    """Orientation 6 in the first directory; a second one with a thumbnail of nine bytes at the end."""
    first = struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 26)
    second = struct.pack(order + "HHHIIHHIII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, 9, 0)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return head + first + second + b"THUMBNAIL"


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_and_thumbnail(order: str):
    cleaned = clean_exif(b"Exif\0\0" + block(order), turned=False)
    assert cleaned is not None
    assert b"THUMBNAIL" not in cleaned
    assert struct.unpack_from(order + "H", cleaned, 18)[0] == 1
    assert struct.unpack_from(order + "I", cleaned, 22)[0] == 0
    assert len(cleaned) == 26  # and nothing else


def test_broken_exif_is_dropped():
    whole = block("<")
    assert clean_exif(b"nonsense", turned=False) is None
    assert clean_exif(whole[:20], turned=True) is None
    assert clean_exif(b"", turned=False) is None


def test_a_broken_directory_takes_no_other_with_it():
    entries = struct.pack("<HHHIHHHHII", 2, 0x0112, 3, 1, 6, 0, 0x8825, 4, 1, 9999)
    cleaned = clean_exif(b"II" + struct.pack("<HI", 42, 8) + entries + bytes(4), turned=False)
    assert cleaned is not None and struct.unpack_from("<HHHIH", cleaned, 8) == (1, 0x0112, 3, 1, 1)


def test_thumbnail_outside_the_block_is_no_harm():
    cleaned = clean_exif(block("<")[:-9], turned=False)
    assert cleaned is not None and len(cleaned) == 26


def test_properties():
    root = parse_xmp(None)
    set_property(root, "{urn:a:}One", "1 < 2 & 3")
    set_property(root, "{urn:a:}One", "zwei\nü")
    again = parse_xmp(serialise_xmp(root))
    assert get_property(again, "{urn:a:}One") == "zwei\nü"
    assert get_property(again, "{urn:a:}Two") is None


@pytest.mark.parametrize(
    "packet", [b"", b"<broken", b"<a/>", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', bytes(100), b"<a>" * 100_000]
)
def test_unreadable_packets_are_dropped(packet: bytes):
    assert clean_xmp(packet) is None
