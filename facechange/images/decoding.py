"""From an opened Pillow image to a `Picture`: samples at full depth, upright, and the metadata worth keeping."""

from __future__ import annotations

import io
import math

import cv2
import numpy as np
from PIL import Image, ImageCms, JpegImagePlugin

from facechange.core import PictureError
from facechange.images import exif as exif_blocks
from facechange.images.picture import FURTHER_PICTURES, JpegSettings, Picture
from facechange.images.xmp import clean_xmp

GREY_MODES = ("1", "L", "LA", "La")
TIFF_BITS_PER_SAMPLE, TIFF_PHOTOMETRIC = 258, 262
TIFF_BLACK_IS_ZERO, TIFF_RGB = 1, 2


def decode_image(image: Image.Image, data: bytes | None = None) -> Picture:
    """Decode `image`, opened from `data` (None: it is already in memory).

    Raises `PictureError` for 32-bit samples; whatever the decoder raises on broken data passes through.
    """
    orientation = _orientation(image)
    turned = orientation >= 5
    exif, left_behind = _exif(image, turned), _left_behind(image, data)
    jpeg = _jpeg_settings(image)
    lossless = _is_lossless(image, data)
    xmp = image.info.get("xmp")
    if data is not None and _has_16_bits(image, data):
        samples, alpha, grey = _decode_16_bits(image, data)
    else:
        image.load()
        samples, alpha, grey = _samples_of(image)
    if image.format == "TIFF":
        orientation = 1  # both decoders have just turned it
    icc = image.info.get("icc_profile")
    return Picture(
        pixels=turn(samples, orientation),
        alpha=None if alpha is None else turn(alpha, orientation),
        grey=grey,
        icc=icc if icc and image.mode not in ("CMYK", "LAB") else None,  # those two were converted to sRGB
        exif=exif,
        xmp=clean_xmp(xmp.encode() if isinstance(xmp, str) else xmp),
        dpi=_dpi(image, turned),
        jpeg=jpeg,
        lossless=lossless,
        left_behind=left_behind,
    )


def turn(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored samples [H, W, ...] upright by their EXIF orientation 1..8."""
    if orientation in (5, 7):
        samples = cv2.transpose(samples)
    if orientation in (3, 7):
        return cv2.rotate(samples, cv2.ROTATE_180)
    if orientation in (6, 8):
        return cv2.rotate(samples, cv2.ROTATE_90_CLOCKWISE if orientation == 6 else cv2.ROTATE_90_COUNTERCLOCKWISE)
    if orientation in (2, 4):
        return cv2.flip(samples, 1 if orientation == 2 else 0)
    return samples


def _samples_of(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Pixels [H, W, 3], alpha [H, W] or None, and whether the picture is grey, of any mode of Pillow's."""
    if image.mode in ("I", "F"):
        raise PictureError("The picture has 32-bit samples.", "Save it with 8 or 16 bits a channel.")
    if image.mode.startswith("I;16"):
        return cv2.cvtColor(np.array(image).astype(np.uint16), cv2.COLOR_GRAY2RGB), None, True
    grey = image.mode in GREY_MODES
    if image.has_transparency_data:
        samples = np.asarray(image.convert("RGBA"))
        return np.ascontiguousarray(samples[..., :3]), np.ascontiguousarray(samples[..., 3]), grey
    if image.mode in ("CMYK", "LAB"):
        image = _to_srgb(image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None, grey


def _to_srgb(image: Image.Image) -> Image.Image:
    """CMYK through its own profile where there is a usable one, LAB through the standard one."""
    srgb = ImageCms.createProfile("sRGB")
    try:
        if image.mode == "LAB":
            own = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            own = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        converted = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
        assert converted is not None  # only None in place
        return converted
    except (ImageCms.PyCMSError, OSError, KeyError):
        return image.convert("RGB")


def _has_16_bits(image: Image.Image, data: bytes) -> bool:
    """Whether Pillow would drop bits that OpenCV keeps."""
    if image.format == "PNG":
        return data[24] == 16  # bit depth in IHDR
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        return max(tags.get(TIFF_BITS_PER_SAMPLE, (1,))) == 16 and tags.get(TIFF_PHOTOMETRIC) in (
            TIFF_BLACK_IS_ZERO,
            TIFF_RGB,
        )
    return False


def _decode_16_bits(image: Image.Image, data: bytes) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Pixels, alpha and greyness of a 16-bit PNG or TIFF, not turned."""
    if image.format == "PNG":
        # OpenCV's own complaint about a cut file would go straight to the terminal
        Image.open(io.BytesIO(data), formats=("PNG",)).verify()
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if samples is None or samples.dtype != np.uint16:
        raise ValueError("the samples cannot be decoded")
    if samples.ndim == 2:
        return cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB), None, True
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.shape[2] == 4 else None
    return cv2.cvtColor(np.ascontiguousarray(samples[..., :3]), cv2.COLOR_BGR2RGB), alpha, False


def _orientation(image: Image.Image) -> int:
    """EXIF orientation still to be applied, 1..8."""
    if image.format == "HEIF":
        return 1  # libheif has turned it
    value = image.getexif().get(exif_blocks.ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _exif(image: Image.Image, turned: bool) -> bytes | None:
    """The picture's EXIF block, cleaned; None where there is none or it is broken."""
    block = exif_blocks.from_tiff(image.getexif()) if image.format == "TIFF" else image.info.get("exif")
    return exif_blocks.clean_exif(block, turned) if block else None


def _left_behind(image: Image.Image, data: bytes | None) -> tuple[str, ...]:
    """What the file holds that is never written again, in words."""
    info = image.info
    exif = info.get("exif")
    texts = any(isinstance(value, str) and key not in ("xmp", "XML:com.adobe.xmp") for key, value in info.items())
    found = {
        "previews": exif is not None and exif_blocks.holds_previews(exif),
        "captions": "photoshop" in info or "comment" in info or (image.format == "PNG" and texts),
        FURTHER_PICTURES: getattr(image, "n_frames", 1) > 1 or image.format == "MPO",
        "data behind the picture": data is not None
        and image.format in ("JPEG", "MPO")
        and bool(_behind_jpeg(data).strip(b"\0")),
    }
    return tuple(words for words, there in found.items() if there)


def _behind_jpeg(data: bytes) -> bytes:
    """What lies behind the end of a JPEG: further pictures, a phone's short film."""
    start = 2
    # segments up to the scan's, which hold anything
    while data[start : start + 1] == b"\xff" and data[start + 1 : start + 2] != b"\xda":
        start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    end = data.find(b"\xff\xd9", start)
    return data[end + 2 :] if end >= 0 else b""


def _jpeg_settings(image: Image.Image) -> JpegSettings | None:
    """Tables and subsampling of a JPEG that can be written the same way."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in ("L", "RGB"):
        return None
    return JpegSettings(
        {key: list(table) for key, table in image.quantization.items()}, max(JpegImagePlugin.get_sampling(image), 0)
    )


def _is_lossless(image: Image.Image, data: bytes | None) -> bool:
    """Whether the file held exactly the pixels that were put into it."""
    if image.format == "WEBP" and data is not None:
        return b"VP8L" in data  # the lossless chunk's name; by chance elsewhere in one file of thousands
    return image.format not in ("JPEG", "MPO", "AVIF", "HEIF", "WEBP")


def _dpi(image: Image.Image, turned: bool) -> tuple[float, float] | None:
    """Resolution across and down where it makes sense."""
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not all(math.isfinite(value) and 1 <= value <= 65535 for value in (across, down)):
        return None
    return (down, across) if turned else (across, down)
