import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facechange.faces.tint import TintMemory, find_tint, keep_tint

EXAMPLES = Path(__file__).parents[2] / "examples"
LUMA = np.array([0.299, 0.587, 0.114])
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.asarray(Image.open(EXAMPLES / "target.jpg").convert("RGB").resize((256, 256))).astype(np.float32) / 255


@pytest.fixture(scope="module")
def other() -> np.ndarray:
    """Another face in colour, as a network could draw it."""
    return np.asarray(Image.open(EXAMPLES / "source.jpg").convert("RGB").resize((256, 256))).astype(np.float32) / 255


def through_jpeg(crop: np.ndarray, quality: int = 60) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.rint(np.clip(crop, 0, 1) * 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)  # 4:2:0
    return np.asarray(Image.open(buffer)).astype(np.float32) / 255


def luma(crop: np.ndarray) -> np.ndarray:
    return (crop @ LUMA)[..., None].astype(np.float32)


def two_colours(crop: np.ndarray) -> np.ndarray:
    dark, light = np.array([20, 10, 60]) / 255, np.array([250, 230, 200]) / 255
    return (dark + (light - dark) * luma(crop)).astype(np.float32)


TINTS = {
    "sepia": lambda crop: np.clip(crop @ SEPIA.T, 0, 1),
    "two colours": two_colours,
    "cyan": lambda crop: luma(crop) ** [1.8, 0.95, 0.8],
}


def test_grey_stays_grey_to_the_last_bit_and_keeps_the_new_luma(portrait: np.ndarray, other: np.ndarray) -> None:
    grey = through_jpeg(luma(portrait).repeat(3, axis=2))
    kept = keep_tint(grey, other)
    np.testing.assert_array_equal(kept[..., 0], kept[..., 1])
    np.testing.assert_array_equal(kept[..., 0], kept[..., 2])
    np.testing.assert_allclose(kept[..., :1], luma(other), atol=1e-5)


@pytest.mark.parametrize("name", TINTS)
@pytest.mark.parametrize("quality", [95, 60])
def test_a_tint_is_found_under_compression_and_given_to_the_change(
    portrait: np.ndarray, other: np.ndarray, name: str, quality: int
) -> None:
    tinted = through_jpeg(TINTS[name](portrait), quality)
    assert find_tint(tinted).share == 1.0
    kept = keep_tint(tinted, other)
    within = (luma(other)[..., 0] > np.percentile(luma(tinted), 1)) & (
        luma(other)[..., 0] < np.percentile(luma(tinted), 99)
    )
    # the tint's own colours
    table = TINTS[name](np.linspace(0, 1, 1001, dtype=np.float32)[:, None].repeat(3, axis=1)[None])[0]
    expected = np.stack(
        [np.interp(luma(other)[..., 0], table @ LUMA, table[:, channel]) for channel in range(3)], axis=-1
    )
    difference = np.abs(kept - expected)[within]
    assert difference.mean() < 2 / 255
    assert np.percentile(difference, 99) < 6 / 255


@pytest.mark.parametrize("saturation", [1.0, 0.3])
def test_a_face_in_colour_keeps_it_however_dull(portrait: np.ndarray, other: np.ndarray, saturation: float) -> None:
    dull = luma(portrait) + saturation * (portrait - luma(portrait))
    for crop in (dull, through_jpeg(dull)):
        assert find_tint(crop).share == 0.0
        assert keep_tint(crop, other) is other


def test_in_a_video_one_frame_decides_nothing(portrait: np.ndarray, other: np.ndarray) -> None:
    grey = luma(portrait).repeat(3, axis=2)
    memory = TintMemory()
    shares = []
    for crop in [grey] * 5 + [portrait, grey, portrait]:
        memory.keep(0, crop, other)
        shares.append(memory.shares[0])
    assert np.abs(np.diff(shares)).max() < 0.15
    assert memory.keep(1, portrait, other) is other  # somebody else
    again = TintMemory(dict(memory.shares))
    np.testing.assert_array_equal(again.keep(0, portrait, other), memory.keep(0, portrait, other))
    for _ in range(80):
        last = memory.keep(0, portrait, other)
    assert last is other  # the picture has become a coloured one
