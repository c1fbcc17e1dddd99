"""Nothing that names people or places, and no preview, is left in a nameless picture; what is technical stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from facechange.images import WRITABLE_SUFFIXES, Picture, encode_picture, read_picture, without_names
from facechange.images.icc import nameless_icc

Telling = Callable[[np.ndarray], tuple[bytes, list[bytes]]]
PREVIEW_WORDS = [b"MAKERNOTE", b"QUJDQUJD", b"REVGREVG", b"MotionPhoto"]


@pytest.fixture
def told(upright: np.ndarray, telling_jpeg: Telling, tmp_path: Path) -> tuple[Picture, list[bytes]]:
    data, secrets = telling_jpeg(upright)
    assert all(secret in data for secret in secrets)
    (tmp_path / "told.jpg").write_bytes(data)
    return read_picture(tmp_path / "told.jpg"), secrets


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_nothing_that_names_anybody_is_left_and_what_is_technical_stays(
    told: tuple[Picture, list[bytes]], tmp_path: Path, suffix: str
) -> None:
    picture, secrets = told
    nameless, words = without_names(picture)
    assert set(words) >= {
        "places",
        "names",
        "captions",
        "dates",
        "the camera",
        "face regions",
        "previews",
        "data behind the picture",
    }
    data = encode_picture(nameless, suffix)
    assert not [secret for secret in secrets if secret in data]
    (tmp_path / f"out{suffix}").write_bytes(data)
    read = read_picture(tmp_path / f"out{suffix}")
    assert read.pixels.shape == (64, 48, 3)  # upright
    assert read.icc is not None and read.xmp is not None and b"equirectangular" in read.xmp
    assert read.exif is not None
    exif = Image.Exif()
    exif.load(read.exif)
    assert exif.get(0x0112, 1) == 1
    assert exif.get_ifd(0x8769)[0x829A] == pytest.approx(0.01)  # the exposure
    assert not exif.get_ifd(0x8825)
    if suffix in (".jpg", ".png", ".tiff"):
        assert read.dpi == pytest.approx((300, 300), abs=0.1)
    assert without_names(read)[1] == ()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_a_picture_that_is_only_changed_keeps_its_words_and_loses_every_preview(
    told: tuple[Picture, list[bytes]], suffix: str
) -> None:
    picture, secrets = told
    data = encode_picture(picture, suffix)
    assert not [secret for secret in (*PREVIEW_WORDS, *secrets[-2:]) if secret in data]
    assert b"Annabel Artist" in data and b"AnnabelRegion" in data and b"AnnabelPlace" in data


def test_what_says_nothing_is_left_alone_and_nothing_is_told(upright: np.ndarray) -> None:
    picture = Picture(upright, dpi=(72, 72))
    nameless, words = without_names(picture)
    assert words == ()
    assert (nameless.exif, nameless.xmp, nameless.icc, nameless.dpi) == (None, None, None, (72, 72))


@pytest.mark.parametrize("version", [2, 4])
def test_a_profile_keeps_its_colours_and_loses_its_words(version: int) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = profile[:8] + bytes([version]) + profile[9:]
    named = named.replace("sRGB".encode("utf-16-be"), "Ann1".encode("utf-16-be"))
    cleaned = nameless_icc(named)
    assert cleaned is not None and "Ann1".encode("utf-16-be") not in cleaned
    assert int.from_bytes(cleaned[:4], "big") == len(cleaned)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8))
    lab = ImageCms.createProfile("LAB")
    read = [ImageCms.ImageCmsProfile(io.BytesIO(each)) for each in (profile, cleaned)]
    before, after = (np.asarray(ImageCms.profileToProfile(image, each, lab, outputMode="LAB")) for each in read)
    np.testing.assert_array_equal(before, after)
    assert ImageCms.getProfileDescription(read[1]).strip() == "colour profile"
    assert nameless_icc(b"broken") is None
    assert nameless_icc(profile[:200]) is None
