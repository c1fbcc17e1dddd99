"""What a watermark says and how that is spread: an identifier <=> the signs of a square of chips.

Six symbols of eleven bits are sent, each as one of 1024 orthogonal rows or its negative (a biorthogonal code): 40 bits
are the identifier, 26 a checksum. The chips of all symbols, and known ones that a reader finds its place by, lie
scattered over the square, so that a part of it that is covered or cut off takes a little from each rather than all from
one.
"""

from __future__ import annotations

import functools
import hashlib
import zlib

import cv2
import numpy as np

CHIPS = 96  # a side of the square
CHIP_PX = 4  # side of a chip in a drawn pattern
IDENTIFIER_BITS, CHECK_BITS = 40, 26
SYMBOLS, ROW_CHIPS = 6, 1024
SYMBOL_BITS = 11  # which of 1024 rows, and its sign
_SEED = b"facechange watermark 1"


def encode_chips(identifier: int) -> np.ndarray:
    """All chips of a watermark: float32 [96, 96] of -1 and 1. Raises `ValueError` for an identifier of more than 40
    bits."""
    if not 0 <= identifier < 1 << IDENTIFIER_BITS:
        raise ValueError(f"{identifier} is not a whole number of at most {IDENTIFIER_BITS} bits")
    word = identifier << CHECK_BITS | _check(identifier)
    symbols = [word >> SYMBOL_BITS * i & (1 << SYMBOL_BITS) - 1 for i in range(SYMBOLS)]
    rows = np.concatenate([_orthogonal_rows()[symbol >> 1] * (1 - 2 * (symbol & 1)) for symbol in symbols])
    places, signs = _scatter()
    chips = known_chips().ravel().copy()
    chips[places[: rows.size]] = rows * signs[: rows.size]
    return chips.reshape(CHIPS, CHIPS)


@functools.cache
def known_chips() -> np.ndarray:
    """The chips that every watermark shares: float32 [96, 96] of -1 and 1, 0 where the identifier's lie."""
    places, signs = _scatter()
    chips = np.zeros(CHIPS**2, np.float32)
    known = slice(SYMBOLS * ROW_CHIPS, None)
    chips[places[known]] = signs[known]
    return chips.reshape(CHIPS, CHIPS)


def draw_pattern(chips: np.ndarray) -> np.ndarray:
    """`chips` [96, 96] as a pattern without its coarse part, which would show and which pictures have too: float32
    [384, 384], rms 1."""
    large = cv2.resize(chips, None, fx=CHIP_PX, fy=CHIP_PX, interpolation=cv2.INTER_NEAREST)
    band = cv2.GaussianBlur(large, (0, 0), 0.4 * CHIP_PX) - cv2.GaussianBlur(large, (0, 0), 1.2 * CHIP_PX)
    return band / np.float32(band.std())


def symbol_scores(samples: np.ndarray) -> np.ndarray:
    """How much `samples` [96, 96] (what was read at each chip) are like each row in each symbol: float32 [6, 1024]."""
    places, signs = _scatter()
    count = SYMBOLS * ROW_CHIPS
    spread = samples.ravel()[places[:count]] * signs[:count]
    return spread.reshape(SYMBOLS, ROW_CHIPS).astype(np.float32) @ _orthogonal_rows()


def decode_scores(scores: np.ndarray) -> int | None:
    """The identifier that `scores` [6, 1024] say, or None where its checksum is wrong (1 in 67 million is right by
    chance)."""
    word = 0
    for i, row in enumerate(np.abs(scores).argmax(1)):
        word |= (int(row) << 1 | int(scores[i, row] < 0)) << SYMBOL_BITS * i
    identifier, check = word >> CHECK_BITS, word & (1 << CHECK_BITS) - 1
    return identifier if check == _check(identifier) else None


def _check(identifier: int) -> int:
    return zlib.crc32(identifier.to_bytes(8, "big")) >> 32 - CHECK_BITS


@functools.cache
def _orthogonal_rows() -> np.ndarray:
    """Hadamard's matrix (Sylvester 1867): float32 [1024, 1024] of -1 and 1, symmetric."""
    rows = np.ones((1, 1), np.float32)
    while len(rows) < ROW_CHIPS:
        rows = np.block([[rows, rows], [rows, -rows]])
    return rows


@functools.cache
def _scatter() -> tuple[np.ndarray, np.ndarray]:
    """The order of the chips' places and their signs, [9216] each, from a hash: the same in every version of every
    library."""
    count = CHIPS**2
    stream = np.frombuffer(hashlib.shake_256(_SEED).digest(9 * count), np.uint8)
    places = np.argsort(stream[: 8 * count].view(">u8"), kind="stable")
    signs = np.where(stream[8 * count :] & 1, 1, -1).astype(np.float32)
    return places, signs
