"""The invisible watermark: what it costs, what it survives, and that nobody sees one where none is."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import facechange
from facechange.core import Face
from facechange.faces.geometry import ffhq_crop_matrix, invert, scale_of, transform_points
from facechange.provenance.watermark import embed_watermark, find_watermark
from facechange.provenance.watermark_code import (
    IDENTIFIER_BITS,
    SYMBOLS,
    decode_scores,
    encode_chips,
    known_chips,
    symbol_scores,
)
from facechange.swap import Swapper

IDENTIFIER = 0xC0FFEE1234
EXAMPLE = Path(__file__).parents[2] / "examples" / "target.jpg"


@pytest.fixture(scope="module")
def swapper() -> Swapper:
    return facechange.load("facechange-256")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """The example of the repository, whose face nobody has, at 512 x 512."""
    image = cv2.cvtColor(cv2.imread(str(EXAMPLE)), cv2.COLOR_BGR2RGB)
    return cv2.resize(image, (512, 512), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def face(swapper: Swapper, picture: np.ndarray) -> Face:
    return swapper.detect(picture)[0]


@pytest.fixture(scope="module")
def marked(picture: np.ndarray, face: Face) -> np.ndarray:
    return embed_watermark(picture, [face], IDENTIFIER)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def resized(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    side = image.shape[0]
    return cv2.warpAffine(
        image, cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1), (side, side), borderMode=cv2.BORDER_REFLECT
    )


COPIES = {
    "as it is": lambda image: image,
    "JPEG 50": lambda image: jpeg(image, 50),
    "half size, JPEG 75": lambda image: jpeg(resized(image, 0.5), 75),
    "a quarter of the size": lambda image: resized(image, 0.25),
    "larger": lambda image: resized(image, 1.37),
    "turned by 5 degrees": lambda image: turned(image, 5),
    "turned by a quarter": lambda image: np.ascontiguousarray(np.rot90(image)),
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "a quarter cut off": lambda image: image[:, : image.shape[1] * 3 // 4],
    "brighter": lambda image: (255 * (image / 255) ** 0.7).astype(np.uint8),
    "noise": lambda image: np.clip(image + np.random.default_rng(0).normal(0, 6, image.shape), 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
def test_found_in_copies(swapper: Swapper, marked: np.ndarray, copy: Callable[[np.ndarray], np.ndarray]) -> None:
    image = np.ascontiguousarray(copy(marked))
    assert find_watermark(image, swapper.detect(image)) == IDENTIFIER


def test_none_where_none_is(swapper: Swapper, picture: np.ndarray, face: Face) -> None:
    assert find_watermark(picture, [face]) is None
    assert find_watermark(picture, []) is None
    noise = np.random.default_rng(1).integers(0, 256, picture.shape, np.uint8)
    assert find_watermark(noise, [face]) is None
    assert find_watermark(np.full_like(picture, 90), [face]) is None


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2)))


def test_cost(picture: np.ndarray, face: Face, marked: np.ndarray) -> None:
    assert 41 < psnr(picture, marked) < 50
    rough = np.random.default_rng(2).integers(0, 256, picture.shape, np.uint8)
    inside = (rough // 2 + 64).astype(np.uint8)
    assert psnr(inside, embed_watermark(inside, [face], IDENTIFIER)) > 40, "however rough the picture"


def test_smooth_neighbours_of_an_edge_are_spared(picture: np.ndarray, face: Face) -> None:
    step = np.where(np.arange(512) < 256, 40, 210).astype(np.uint8)
    image = np.broadcast_to(step[None, :, None], picture.shape).copy()
    change = np.abs(embed_watermark(image, [face], IDENTIFIER).astype(int) - image)[150:350]
    assert change[:, 230:250].mean() < 1.5 * change[:, 150:200].mean()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_outside_the_crop_stay(picture: np.ndarray, face: Face, dtype: type) -> None:
    room = np.full((900, 1200, 3), 128, np.uint8)
    room[200:712, 300:812] = picture
    room = room.astype(dtype) * np.array(257 if dtype == np.uint16 else 1, dtype)
    moved = Face(face.box, face.points + np.array([300, 200]), face.score)
    before = room.copy()
    changed = embed_watermark(room, [moved], IDENTIFIER)
    assert changed.dtype == dtype and (room == before).all(), "the input is left alone"
    corners = transform_points(
        np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5, invert(ffhq_crop_matrix(moved.points, 1))
    )
    (left, top), (right, bottom) = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    differs = (changed != room).any(2)
    assert differs.any()
    differs[top : bottom + 1, left : right + 1] = False
    assert not differs.any()
    assert find_watermark((changed // (257 if dtype == np.uint16 else 1)).astype(np.uint8), [moved]) == IDENTIFIER


def test_grey_stays_grey(picture: np.ndarray, face: Face) -> None:
    grey = cv2.merge([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)] * 3)
    changed = embed_watermark(grey, [face], IDENTIFIER)
    assert (changed[..., 0] == changed[..., 1]).all() and (changed[..., 1] == changed[..., 2]).all()


def test_small_and_partly_visible_faces(picture: np.ndarray, face: Face) -> None:
    small = resized(picture, 0.4)
    small_face = Face(face.box, face.points * np.float32(0.4), face.score)
    assert 1 / scale_of(ffhq_crop_matrix(small_face.points, 1)) < 260
    assert find_watermark(embed_watermark(small, [small_face], 7), [small_face]) == 7
    beside = Face(face.box, face.points + 5000, face.score)
    assert (embed_watermark(picture, [beside], 7) == picture).all()
    tiny = np.full((1, 1, 3), 9, np.uint8)
    assert embed_watermark(tiny, [face], 7).shape == tiny.shape
    cut = picture[150:]
    cut_face = Face(face.box, face.points - (0, 150), face.score)
    assert find_watermark(embed_watermark(cut, [cut_face], 7), [cut_face]) == 7


def test_without_faces_nothing_happens(picture: np.ndarray) -> None:
    assert embed_watermark(picture, [], IDENTIFIER) is picture


@pytest.mark.parametrize("identifier", [0, 1, IDENTIFIER, (1 << IDENTIFIER_BITS) - 1])
def test_code_round_trip(identifier: int) -> None:
    assert decode_scores(symbol_scores(encode_chips(identifier))) == identifier


def test_code_survives_noise_but_not_a_wrong_symbol() -> None:
    chips = encode_chips(IDENTIFIER)
    noisy = chips + np.random.default_rng(3).normal(0, 3.5, chips.shape)
    assert decode_scores(symbol_scores(noisy)) == IDENTIFIER
    for symbol in range(SYMBOLS):
        scores = symbol_scores(chips)
        scores[symbol] = np.roll(scores[symbol], 1)
        assert decode_scores(scores) is None


@pytest.mark.parametrize("identifier", [-1, 1 << IDENTIFIER_BITS])
def test_identifiers_that_do_not_fit(identifier: int) -> None:
    with pytest.raises(ValueError, match="40 bits"):
        encode_chips(identifier)


def test_the_layout_is_for_ever() -> None:
    """Marks of today must be readable by every later version: the chips may never move."""
    chips = encode_chips(IDENTIFIER)
    assert np.abs(known_chips()).sum() == 96 * 96 - 6144
    assert zlib.crc32((chips > 0).astype(np.uint8).tobytes()) == 1285177972
