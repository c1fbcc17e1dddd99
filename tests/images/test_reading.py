"""Reading: every kind of file people have, and every kind of broken one."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from facechange.core import PictureError
from facechange.images import Picture, as_picture, encode_picture, read_picture

pillow_heif.register_heif_opener()
ORIENTATION = 0x0112


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera would store so that `orientation` turns it upright (Pillow's operations as the reference)."""
    operations = {
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_90",
        7: "TRANSVERSE",
    }
    operations[8] = "ROTATE_270"
    image = Image.fromarray(upright)
    return np.asarray(image.transpose(Image.Transpose[operations[orientation]]) if orientation > 1 else image)


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("JPEG", 6), ("PNG", 0), ("WEBP", 12), ("AVIF", 12), ("HEIF", 12), ("TIFF", 0), ("BMP", 0)]
)
def test_every_format_is_read(tmp_path: Path, upright, encode, kind, tolerance):
    path = tmp_path / "picture.any"
    path.write_bytes(encode(upright, kind, quality=95))
    picture = read_picture(path)
    assert picture.pixels.dtype == np.uint8
    assert np.abs(picture.pixels.astype(int) - upright).mean() <= tolerance
    assert picture.lossless == (kind in ("PNG", "TIFF", "BMP"))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, upright, encode, kind, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    path = tmp_path / "turned"
    path.write_bytes(encode(stored(upright, orientation), kind, exif=exif, **options))
    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels.astype(int), upright, atol=3 if kind == "JPEG" else 0)
    again = tmp_path / "again.png"
    again.write_bytes(encode_picture(picture, ".png"))
    np.testing.assert_array_equal(read_picture(again).pixels, picture.pixels)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_kept(tmp_path: Path, suffix, channels):
    samples = np.random.default_rng(1).integers(0, 65536, (20, 30, channels), np.uint16)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    path = tmp_path / f"deep{suffix}"
    path.write_bytes(cv2.imencode(suffix, samples[..., order])[1].tobytes())
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, samples[..., :3] if channels > 1 else np.repeat(samples, 3, 2))
    assert picture.grey == (channels == 1)
    if channels == 4:
        np.testing.assert_array_equal(picture.alpha, samples[..., 3])
    assert abs(picture.rgb8() - picture.pixels / 257).max() <= 0.5


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sixteen_bits_are_turned_once(tmp_path: Path, deep, suffix, orientation):
    path = tmp_path / "turned"
    entry = struct.pack("<HHIHH", ORIENTATION, 3, 1, orientation, 0)
    data = encode_picture(Picture(deep, exif=b"II*\0\x08\0\0\0\1\0" + entry + bytes(4)), suffix)
    path.write_bytes(data.replace(struct.pack("<HHIHH", ORIENTATION, 3, 1, 1, 0), entry))
    as_low_bytes = read_picture(path).pixels.astype(np.uint8)
    np.testing.assert_array_equal(
        as_low_bytes, stored(deep.astype(np.uint8), {6: 8, 8: 6}.get(orientation, orientation))
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "LAB", "I;16"])
def test_every_mode_becomes_rgb(tmp_path: Path, upright, encode, mode):
    image = Image.fromarray(upright)
    image = Image.fromarray(upright[..., 0].astype(np.uint16) * 257) if mode == "I;16" else to_mode(image, mode)
    path = tmp_path / "picture"
    path.write_bytes(encode(image, "TIFF" if mode in ("CMYK", "LAB") else "PNG"))
    picture = read_picture(path)
    assert picture.pixels.shape == upright.shape
    assert picture.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    assert picture.grey == (mode in ("1", "L", "LA", "I;16"))
    assert (picture.alpha is not None) == (mode in ("LA", "RGBA"))
    if mode in ("RGBA", "CMYK", "LAB"):
        assert np.abs(picture.pixels.astype(int) - upright).mean() < 4


def to_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode != "LAB":
        return image.convert(mode)
    return ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )


def grey_printer() -> bytes:
    """A CMYK profile of a printer whose inks are all grey: three of them together, or black alone, make black."""
    fixed = struct.Struct(">i")
    identity = b"".join(fixed.pack(65536 * (index % 4 == 0)) for index in range(9))
    ramp = bytes(range(256))
    inks = np.indices((2, 2, 2, 2)).reshape(4, -1)
    lightness = 255 * (1 - inks[:3].mean(0)) * (1 - inks[3])
    grid = np.stack([lightness, np.full(16, 128), np.full(16, 128)], -1).round().astype(np.uint8)
    white = b"".join(fixed.pack(round(65536 * value)) for value in (0.9642, 1.0, 0.8249))
    tags = {
        b"A2B0": b"mft1" + struct.pack(">IBBBB", 0, 4, 3, 2, 0) + identity + ramp * 4 + grid.tobytes() + ramp * 3,
        b"desc": b"desc" + struct.pack(">II", 0, 5) + b"grey\0" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + white,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    start = struct.pack(
        ">I4sI4s4s4s12x4s28x", 132 + 12 * len(tags) + len(body), b"lcms", 0x02100000, b"prtr", b"CMYK", b"Lab ", b"acsp"
    )
    return (start + white).ljust(128, b"\0") + table + body


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile(tmp_path: Path, encode, kind):
    path = tmp_path / "cmyk"
    path.write_bytes(encode(Image.new("CMYK", (32, 24), (255, 0, 0, 0)), kind, icc_profile=grey_printer()))
    colour = read_picture(path).pixels.reshape(-1, 3).mean(0)
    np.testing.assert_allclose(colour, 161, atol=4)  # L* = 66.7; without the profile it would be cyan


def test_unusable_cmyk_profile_does_not_stop_reading(tmp_path: Path, upright, encode):
    path = tmp_path / "cmyk.jpg"
    path.write_bytes(
        encode(Image.fromarray(upright).convert("CMYK"), "JPEG", quality=95, icc_profile=b"not a profile" * 20)
    )
    picture = read_picture(path)
    assert np.abs(picture.pixels.astype(int) - upright).mean() < 4
    assert picture.icc is None
    assert picture.jpeg is None


def test_palette_transparency(tmp_path: Path, upright, encode):
    path = tmp_path / "palette.gif"
    path.write_bytes(encode(Image.fromarray(upright).quantize(8), "GIF", transparency=0))
    assert set(np.unique(read_picture(path).alpha)) == {0, 255}


def test_first_frame_of_an_animation(tmp_path: Path, upright, encode):
    path = tmp_path / "moving.png"
    path.write_bytes(encode(Image.fromarray(upright), "PNG", save_all=True, append_images=[Image.new("RGB", (64, 48))]))
    np.testing.assert_array_equal(read_picture(path).pixels, upright)


def too_many_pixels(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that says it has many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    )


def test_bad_files_get_one_sentence(tmp_path: Path, upright, deep, encode, capfd):
    jpeg, png, deep_png = encode(upright, "JPEG"), encode(upright, "PNG"), encode_picture(Picture(deep), ".png")
    deep_tiff, heic = encode_picture(Picture(deep), ".tiff"), encode(upright, "HEIF")
    files = {
        "empty.jpg": (b"", "is empty"),
        "text.jpg": (b"not a picture at all" * 20, "is not a picture"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut short"),
        "cut.png": (png[: len(png) // 2], "cut short"),
        "deep-cut.png": (deep_png[: len(deep_png) // 2], "cut short"),
        "deep-cut.tiff": (deep_tiff[: len(deep_tiff) // 2], "cut short"),
        "cut.heic": (heic[: len(heic) // 2], "damaged"),
        # with a still picture, which would pass for all
        "sequence.heic": (heic.replace(b"miaf", b"msf1", 1), "is a sequence of pictures"),
        "track.heic": (b"\0\0\0\x18ftyphevc" + bytes(80), "is a sequence of pictures"),
        "head.jpg": (jpeg[:12], "damaged"),
        "garbled.png": (png[:60] + bytes(40) + png[100:], "damaged"),
        "large.png": (too_many_pixels(10_100, 10_000), "101 megapixels"),
        "bomb.png": (too_many_pixels(60_000, 60_000), "more than 100 megapixels"),
        "tall.png": (too_many_pixels(1, 90_000_000), "1 x 90000000 pixels"),
        "wide.png": (too_many_pixels(90_000_000, 1), "a side has at most"),
        "film.mp4": (
            b"\0\0\0\x18ftypisom" + bytes(80),
            "is a video, not a photograph. To change the faces in it: facechange video;",
        ),
        "film.jpg": (b"\x1a\x45\xdf\xa3" + bytes(80), "is a video"),
        "raw.nef": (encode(upright, "TIFF"), "camera raw"),
        "float.tiff": (encode(Image.fromarray(upright[..., 0].astype(np.float32)), "TIFF"), "32-bit"),
    }
    for name, (data, sentence) in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PictureError, match=sentence) as raised:
            read_picture(tmp_path / name)
        assert raised.value.remedy, name
    assert capfd.readouterr().err == "", "decoders must not talk to the terminal"


def test_what_is_no_file(tmp_path: Path):
    with pytest.raises(PictureError, match="does not exist"):
        read_picture(tmp_path / "missing.jpg")
    with pytest.raises(PictureError, match="is a folder"):
        read_picture(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError, match="is not a file"):
        read_picture(tmp_path / "pipe.jpg")


def test_no_permission(tmp_path: Path, monkeypatch):
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"x")
    monkeypatch.setattr(
        Path, "read_bytes", lambda self: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    with pytest.raises(PictureError, match="may not be read"):
        read_picture(path)


@pytest.mark.parametrize("error", [MemoryError(), cv2.error("(-4:Insufficient memory) Failed to allocate 9 bytes")])
def test_a_lack_of_memory_is_not_said_to_be_damage(
    tmp_path: Path, deep, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def fail(*_: object) -> None:
        raise error

    (tmp_path / "deep.png").write_bytes(encode_picture(Picture(deep), ".png"))
    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(type(error)):
        read_picture(tmp_path / "deep.png")


def test_truncation_at_any_byte_never_escapes_as_another_error(tmp_path: Path, upright, encode):
    path = tmp_path / "cut"
    for data in (encode(upright, "JPEG"), encode(upright, "TIFF"), encode(upright, "WEBP")):
        for end in range(1, len(data), max(1, len(data) // 40)):
            path.write_bytes(data[:end])
            with contextlib.suppress(PictureError):
                assert read_picture(path).pixels.shape == upright.shape


def test_memory_forms(upright, deep, tmp_path: Path, encode):
    picture = as_picture(upright)
    assert as_picture(picture) is picture
    np.testing.assert_array_equal(as_picture(Image.fromarray(upright)).pixels, upright)
    assert as_picture(upright[..., 0]).grey
    assert as_picture(deep).pixels.dtype == np.uint16
    np.testing.assert_array_equal(as_picture(np.dstack([upright, upright[..., 0]])).alpha, upright[..., 0])
    path = tmp_path / "picture.png"
    path.write_bytes(encode(upright, "PNG"))
    np.testing.assert_array_equal(as_picture(str(path)).pixels, upright)
    np.testing.assert_array_equal(as_picture(Image.open(io.BytesIO(path.read_bytes()))).pixels, upright)


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), 7, None]
)
def test_what_is_no_picture(wrong):
    with pytest.raises(PictureError):
        as_picture(wrong)


def test_no_library_talks_to_the_terminal(tmp_path: Path, upright, deep, encode, capfd):
    whole = {
        "lzw": encode(upright, "TIFF", compression="tiff_lzw"),
        "deflate": encode(upright, "TIFF", compression="tiff_adobe_deflate"),
    }
    whole |= {"deep": encode_picture(Picture(deep), ".tiff"), "jpeg": encode(upright, "TIFF", compression="jpeg")}
    random = np.random.default_rng(0)
    for name, data in whole.items():
        for _ in range(40):
            damaged = np.frombuffer(data, np.uint8).copy()
            damaged[random.integers(0, len(data), 6)] ^= np.uint8(1 << random.integers(8))
            (tmp_path / f"{name}.tiff").write_bytes(damaged.tobytes())
            with contextlib.suppress(PictureError):
                read_picture(tmp_path / f"{name}.tiff")
    assert capfd.readouterr().err == ""
    os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"
