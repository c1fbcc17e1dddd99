"""Writing: what is not changed stays as it was, in every format as far as it can."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from facechange.core import OutputError
from facechange.images import WRITABLE_SUFFIXES, JpegSettings, Picture, encode_picture, read_picture
from facechange.images.xmp import TIFF, get_property, parse_xmp

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def round_trip(tmp_path: Path, picture: Picture, suffix: str) -> Picture:
    path = tmp_path / f"written{suffix}"
    path.write_bytes(encode_picture(picture, suffix))
    return read_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_png_and_tiff_keep_every_sample(tmp_path: Path, deep, suffix, bits, alpha, grey):
    samples = deep if bits == 16 else (deep >> 8).astype(np.uint8)
    pixels = np.repeat(samples[..., :1], 3, 2) if grey else samples
    read = round_trip(tmp_path, Picture(pixels, samples[..., 1] if alpha else None, grey), suffix)
    np.testing.assert_array_equal(read.pixels, pixels)
    assert (read.alpha is not None) == alpha
    if alpha:
        np.testing.assert_array_equal(read.alpha, samples[..., 1])
    if not (alpha and grey and (bits, suffix) != (8, ".png")):  # those come back with three equal channels
        assert read.grey == grey


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_other_readers_agree(deep, suffix):
    decoded = cv2.imdecode(np.frombuffer(encode_picture(Picture(deep), suffix), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded[..., ::-1], deep)
    image = Image.open(io.BytesIO(encode_picture(Picture((deep >> 8).astype(np.uint8)), suffix)))
    np.testing.assert_array_equal(np.asarray(image), deep >> 8)


def test_strips_of_a_large_tiff(tmp_path: Path):
    pixels = np.random.default_rng(2).integers(0, 256, (1000, 900, 3), np.uint8)
    np.testing.assert_array_equal(round_trip(tmp_path, Picture(pixels), ".tif").pixels, pixels)


def test_webp_of_what_came_without_loss_has_none(tmp_path: Path, deep):
    pixels = (deep >> 8).astype(np.uint8)
    # also fully transparent pixels keep their colour
    alpha = np.where(pixels[..., 0] > 127, pixels[..., 1], 0).astype(np.uint8)
    read = round_trip(tmp_path, Picture(pixels, alpha), ".webp")
    np.testing.assert_array_equal(read.pixels, pixels)
    np.testing.assert_array_equal(read.alpha, alpha)


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
@pytest.mark.parametrize("grey", [False, True])
def test_every_format_looks_the_same(tmp_path: Path, upright, suffix, grey):
    pixels = np.repeat(upright[..., :1], 3, 2) if grey else upright
    read = round_trip(tmp_path, Picture(pixels, grey=grey, lossless=False), suffix)
    assert cv2.PSNR(read.pixels, pixels) > 35
    assert (np.ptp(read.pixels, axis=2).max() <= 1) or not grey


def test_jpeg_keeps_its_tables_and_its_blocks(tmp_path: Path, upright, encode):
    path = tmp_path / "source.jpg"
    path.write_bytes(encode(upright, "JPEG", quality=71, subsampling=2))
    picture = read_picture(path)
    read = round_trip(tmp_path, picture, ".jpg")
    assert picture.jpeg is not None
    assert read.jpeg == picture.jpeg == JpegSettings(picture.jpeg.tables, 2)
    assert cv2.PSNR(read.pixels, picture.pixels) > 42
    fresh = round_trip(tmp_path, Picture(upright), ".jpg")
    assert fresh.jpeg is not None and fresh.jpeg.subsampling == 0
    assert max(fresh.jpeg.tables[0]) < max(picture.jpeg.tables[0])


def test_grey_jpeg_stays_grey(tmp_path: Path, upright, encode):
    path = tmp_path / "grey.jpg"
    path.write_bytes(encode(upright[..., 0], "JPEG", quality=80))
    picture = read_picture(path)
    read = round_trip(tmp_path, picture, ".jpg")
    assert read.grey and read.jpeg == picture.jpeg


def test_luma_of_a_colour_change_in_a_grey_picture(tmp_path: Path, upright):
    read = round_trip(tmp_path, Picture(upright, grey=True), ".png")
    np.testing.assert_array_equal(read.pixels[..., 0], np.asarray(Image.fromarray(upright).convert("L")))


def test_transparent_is_white_in_jpeg(tmp_path: Path, upright):
    read = round_trip(tmp_path, Picture(upright, np.zeros(upright.shape[:2], np.uint8)), ".jpg")
    assert read.pixels.min() > 250


def with_metadata(pixels: np.ndarray, encode) -> bytes:
    """A sideways JPEG as a phone writes it: orientation, camera, place, dimensions, thumbnail, profile, XMP."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8298] = 6, "Maker", "Rights"
    exif[0x8769] = {
        0x9003: "2025:05:03 10:00:00",
        0xA002: pixels.shape[1],
        0xA003: pixels.shape[0],
        0x927C: b"maker note",
    }
    exif[0x8825] = {1: "N", 2: (52.0, 30.0, 0.0)}
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" tiff:Orientation="6" hdrgm:Version="1.0" dc:format="image/jpeg">'
        b"<dc:title>Ann &amp; B\xc3\xa9a</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return encode(pixels, "JPEG", exif=exif, xmp=xmp, icc_profile=SRGB, dpi=(300, 150), quality=95)


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_metadata_is_kept_in_every_format(tmp_path: Path, upright, encode, suffix):
    path = tmp_path / "phone.jpg"
    path.write_bytes(with_metadata(upright, encode))
    picture = read_picture(path)
    assert (picture.width, picture.height, picture.dpi) == (48, 64, (150, 300))
    read = round_trip(tmp_path, picture, suffix)
    assert read.pixels.shape == (64, 48, 3)
    assert read.icc == SRGB
    assert read.exif is not None and read.xmp is not None
    exif = Image.Exif()
    exif.load(read.exif)
    assert exif.get(0x0112, 1) == 1
    assert (exif[0x010F], exif[0x8298]) == ("Maker", "Rights")
    details = exif.get_ifd(0x8769)
    assert (details[0x9003], details[0xA002], details[0xA003]) == ("2025:05:03 10:00:00", 48, 64)
    assert 0x927C not in details  # it can hold a preview
    assert exif.get_ifd(0x8825)[2] == (52.0, 30.0, 0.0)
    tree = parse_xmp(read.xmp)
    assert get_property(tree, TIFF + "Orientation") == "1"
    assert get_property(tree, "{http://purl.org/dc/elements/1.1/}title") == "Ann & Béa"
    assert b"hdr-gain-map" not in read.xmp
    if suffix in (".jpg", ".png", ".tiff"):
        assert read.dpi == pytest.approx((150, 300), abs=0.1)


def test_sixteen_bits_in_an_eight_bit_format(tmp_path: Path, deep):
    smooth = cv2.GaussianBlur(deep, (0, 0), 5)
    read = round_trip(tmp_path, Picture(smooth), ".webp")
    assert abs(read.pixels - smooth / 257).max() <= 0.5


def test_what_cannot_be_written(upright):
    with pytest.raises(OutputError, match="cannot be written as"):
        encode_picture(Picture(upright), ".gif")
    with pytest.raises(OutputError, match="20000 x 1"):
        encode_picture(replace(Picture(upright), pixels=np.zeros((1, 20_000, 3), np.uint8)), ".webp")
