"""ICC profiles with nothing but colours in them (ICC.1:2022): screens' own profiles hold names and serial numbers."""

from __future__ import annotations

import struct

_HEADER_BYTES = 128
_LARGEST_TAGS = 100
_COLOURS = frozenset(
    b"rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt chad chrm lumi meas cicp tech view gamt A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 pre0 pre1 pre2 "
    b"D2B0 D2B1 D2B2 D2B3 B2D0 B2D1 B2D2 B2D3 rig0 rig2 ciis".split()
)
_TEXTS = (b"desc", b"cprt")  # a profile has to have both
_WORD = "colour profile"


def nameless_icc(profile: bytes) -> bytes | None:
    """`profile` with its colours as they are and its texts neutral; None where it is broken.

    Standard profiles lose their description too: its text cannot be told from a person's.
    """
    try:
        count = struct.unpack_from(">I", profile, _HEADER_BYTES)[0]
        entries = [
            struct.unpack_from(">4sII", profile, _HEADER_BYTES + 4 + 12 * index)
            for index in range(min(count, _LARGEST_TAGS))
        ]
    except struct.error:
        return None
    bodies = {name: profile[start : start + length] for name, start, length in entries if name in _COLOURS}
    if not bodies or any(start + length > len(profile) for name, start, length in entries if name in bodies):
        return None
    text = _WORD.encode("ascii")
    if profile[8] >= 4:
        described = (
            b"mluc"
            + bytes(4)
            + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2 * len(text), 28)
            + _WORD.encode("utf-16-be")
        )
        bodies |= dict.fromkeys(_TEXTS, described)
    else:
        bodies[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 4 + 4 + 2 + 1 + 67)
        bodies[b"cprt"] = b"text" + bytes(4) + text + b"\0"
    return _assemble(profile[:_HEADER_BYTES], bodies)


def _assemble(header: bytes, bodies: dict[bytes, bytes]) -> bytes:
    """A profile of these tags; equal bodies lie in one place. Device, maker, creator, date and the old content's hash
    are blank."""
    table, data, places = b"", b"", dict[bytes, int]()
    start = _HEADER_BYTES + 4 + 12 * len(bodies)
    for name, body in bodies.items():
        if body not in places:
            places[body] = start + len(data)
            data += body + bytes(-len(body) % 4)
        table += struct.pack(">4sII", name, places[body], len(body))
    blank = bytearray(header)
    blank[0:8] = struct.pack(">I", start + len(data)) + bytes(4)  # size, preferred program
    blank[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    blank[48:56] = bytes(8)  # device's maker and model
    blank[80:_HEADER_BYTES] = bytes(_HEADER_BYTES - 80)  # creator, hash, reserved
    return bytes(blank) + struct.pack(">I", len(bodies)) + table + data
