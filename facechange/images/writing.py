"""Turn a picture into a file's bytes. Nothing is written here: a changed picture leaves through `provenance.publish`
alone."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from facechange.core import OutputError
from facechange.images.exif import PREFIX
from facechange.images.lossless import encode_png, encode_tiff
from facechange.images.picture import Picture, to_uint8

LARGEST_JPEG_EXIF_BYTES = 65_527


def encode_picture(picture: Picture, suffix: str, text: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a `suffix` file (".jpg", ".png", ".webp", ".avif", ".heic", ".tiff"), metadata included.

    PNG and TIFF keep every sample; so does WebP (to 8 bits) for a picture that came without loss. JPEG has the source's
    tables, or quality 95 without subsampling, and shows transparent pictures on white. `text` goes into PNG entries.
    Raises `OutputError` for another suffix, or a picture that the format cannot hold.
    """
    encode = _ENCODERS.get(suffix.lower())
    if encode is None:
        raise OutputError(f'Pictures cannot be written as "{suffix}".', f"Use one of {', '.join(_ENCODERS)}.")
    try:
        return encode(_without_grey_where_unknown(picture, suffix.lower()), text or {})
    except (OSError, ValueError, RuntimeError, OverflowError) as error:
        remedy = "Use .png or .tiff."
        raise OutputError(
            f"A picture of {picture.width} x {picture.height} pixels cannot be written as {suffix}.", remedy
        ) from error


def _channels(picture: Picture) -> np.ndarray:
    """The samples to store: [H, W, 1..4], a grey picture as one channel, alpha last."""
    colour = picture.pixels
    if picture.grey:
        colour = _luma(colour)[..., None]
    return np.ascontiguousarray(colour) if picture.alpha is None else np.dstack([colour, picture.alpha])


def _without_grey_where_unknown(picture: Picture, suffix: str) -> Picture:
    """The picture with three equal channels where the format has no single one: WebP, and anything but PNG and JPEG
    beside alpha."""
    if not picture.grey or (suffix != ".webp" and (picture.alpha is None or suffix in (".png", ".jpg", ".jpeg"))):
        return picture
    icc = None if picture.icc and picture.icc[16:20] == b"GRAY" else picture.icc  # a grey profile fits one channel only
    return replace(picture, pixels=np.dstack([_luma(picture.pixels)] * 3), grey=False, icc=icc)


def _luma(pixels: np.ndarray) -> np.ndarray:
    """Rec. 601 luma [H, W]; the weights add up to 2^16, so three equal channels come out as they were."""
    total = np.full(pixels.shape[:2], 1 << 15, np.uint32)
    for channel, weight in enumerate((19595, 38470, 7471)):
        total += pixels[..., channel] * np.uint32(weight)
    return (total >> 16).astype(pixels.dtype)


def _image(picture: Picture) -> Image.Image:
    """The picture as Pillow's L, LA, RGB or RGBA, eight bits."""
    samples = to_uint8(_channels(picture))
    return Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)


def _metadata(picture: Picture) -> dict[str, Any]:
    """What Pillow's encoders share; some of them refuse an empty block."""
    blocks = {"icc_profile": picture.icc, "exif": picture.exif, "xmp": picture.xmp}
    return {name: block for name, block in blocks.items() if block}


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _encode_jpeg(picture: Picture, text: Mapping[str, str]) -> bytes:
    image = _image(picture)
    if picture.alpha is not None:
        colour = image.convert(image.mode.removesuffix("A"))
        image = Image.new(colour.mode, colour.size, "white")
        image.paste(colour, mask=Image.fromarray(to_uint8(picture.alpha)))
    options = _metadata(picture) | {"dpi": picture.dpi or (0, 0)}
    if picture.jpeg:
        options |= {"qtables": picture.jpeg.tables, "subsampling": picture.jpeg.subsampling}
    else:
        options |= {"quality": 95, "subsampling": 0}
    exif = PREFIX + picture.exif if picture.exif else b""
    options["exif"] = exif if len(exif) <= LARGEST_JPEG_EXIF_BYTES else b""
    return _save(image, "JPEG", **options)


def _encode_webp(picture: Picture, text: Mapping[str, str]) -> bytes:
    options = _metadata(picture)
    options |= {"lossless": True, "exact": True, "quality": 0} if picture.lossless else {"quality": 95}
    return _save(_image(picture), "WEBP", method=0 if picture.lossless else 2, **options)


def _encode_avif(picture: Picture, text: Mapping[str, str]) -> bytes:
    return _save(
        _image(picture),
        "AVIF",
        quality=90,
        subsampling="4:0:0" if picture.grey else "4:4:4",
        speed=9,
        **_metadata(picture),
    )


def _encode_heic(picture: Picture, text: Mapping[str, str]) -> bytes:
    import pillow_heif  # slow to import, and rarely needed

    pillow_heif.register_heif_opener()
    # Slower presets take many seconds for megapixels; without loss, or with full colour, many readers fail on large
    # pictures.
    return _save(_image(picture), "HEIF", quality=90, enc_params={"preset": "ultrafast"}, **_metadata(picture))


def _encode_png(picture: Picture, text: Mapping[str, str]) -> bytes:
    return encode_png(_channels(picture), picture, text)


def _encode_tiff(picture: Picture, text: Mapping[str, str]) -> bytes:
    return encode_tiff(_channels(picture), picture, text)


_ENCODERS: dict[str, Callable[[Picture, Mapping[str, str]], bytes]] = {
    ".jpg": _encode_jpeg,
    ".jpeg": _encode_jpeg,
    ".png": _encode_png,
    ".webp": _encode_webp,
    ".avif": _encode_avif,
    ".heic": _encode_heic,
    ".heif": _encode_heic,
    ".tif": _encode_tiff,
    ".tiff": _encode_tiff,
}
WRITABLE_SUFFIXES = tuple(_ENCODERS)
