"""A video frame as RGB and back, so that what was not changed stays as it was stored, bit for bit.

Turning a whole frame into RGB and back would move every sample by rounding. Here only the difference that a change made
to the RGB is turned into the frame's own kind of samples, and added.
"""

from __future__ import annotations

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from facechange.swap.video.probe import SMPTE170M, VideoProbe

Rectangle = tuple[int, int, int, int]  # left, top, right, bottom
_PACKED = ("rgb24", "bgr24", "rgba", "bgra", "rgb0", "bgr0", "rgb48le", "rgba64le")
_PLANAR = ("gbrp", "gbrap", "gray", *(kind + chroma for kind in ("yuv", "yuva") for chroma in ("420p", "422p", "444p")))
_COARSEST = 2  # pixels that share a chroma sample, across or down, at most


def can_edit(pixel_format: str) -> bool:
    """Whether `add_change` knows how frames of a pixel format are stored."""
    layout = av.VideoFormat(pixel_format)
    if (
        layout.is_big_endian
        or layout.has_palette
        or layout.is_bit_stream
        or "pf" in pixel_format
        or "yf" in pixel_format
    ):
        return False
    return pixel_format in _PACKED or pixel_format.startswith(_PLANAR)


def store_as(frame: av.VideoFrame, pixel_format: str, probe: VideoProbe) -> av.VideoFrame:
    """A copy of `frame` of the size of the first one, in `pixel_format`, safe to write into.

    RGB becomes BT.709 of limited range where `pixel_format` is YUV; YUV keeps its matrix and range.
    """
    to_yuv = probe.is_rgb and not av.VideoFormat(pixel_format).is_rgb
    converted = frame.reformat(
        width=probe.width,
        height=probe.height,
        format=pixel_format,
        src_colorspace=_matrix(probe),
        dst_colorspace=Colorspace.ITU709 if to_yuv else _matrix(probe),
        src_color_range=_range(probe.full_range),
        dst_color_range=_range(probe.full_range and not to_yuv),
        threads=1,  # stages already run side by side
    )
    if converted is not frame:
        return converted
    own = av.VideoFrame(probe.width, probe.height, pixel_format)
    for source, copy in zip(frame.planes, own.planes, strict=True):
        width = min(source.line_size, copy.line_size)  # rows are filled up to what suits whoever made the frame
        _rows(copy, np.uint8)[:, :width] = _rows(source, np.uint8)[:, :width]
    return own


def to_upright_rgb(stored: av.VideoFrame, probe: VideoProbe) -> np.ndarray:
    """[H, W, 3] uint8, or uint16 where a component has more than 8 bits, turned as players show it."""
    matrix, range_ = _stored_colours(stored, probe)
    kind = "rgb24" if probe.bits <= 8 else "rgb48le"
    upright = stored.reformat(
        format=kind, src_colorspace=matrix, src_color_range=range_, dst_color_range=ColorRange.JPEG, threads=1
    )
    return np.ascontiguousarray(np.rot90(upright.to_ndarray(), probe.rotation // 90))


def add_change(
    stored: av.VideoFrame, before: np.ndarray, after: np.ndarray, rectangle: Rectangle, probe: VideoProbe
) -> None:
    """Add to `stored` what differs between two upright RGB pictures [H, W, 3] inside `rectangle`.

    Both pictures take the same way to the frame's kind of samples, so that where they are equal nothing is added.
    """
    left, top, right, bottom = _turn_back(rectangle, before.shape, probe.rotation)
    left, top = left // _COARSEST * _COARSEST, top // _COARSEST * _COARSEST
    right, bottom = (
        min(-(-right // _COARSEST) * _COARSEST, stored.width),
        min(-(-bottom // _COARSEST) * _COARSEST, stored.height),
    )
    if left >= right or top >= bottom:
        return
    first, second = (
        _store_part(np.rot90(picture, -(probe.rotation // 90))[top:bottom, left:right], stored, probe)
        for picture in (before, after)
    )
    bits = max(component.bits for component in stored.format.components)
    kind, wide = (np.uint8, cv2.CV_16S) if bits <= 8 else (np.uint16, cv2.CV_32S)
    for plane, old, new in zip(stored.planes, first.planes, second.planes, strict=True):
        across, down = -(-stored.width // plane.width), -(-stored.height // plane.height)
        # a pixel
        samples = plane.line_size // np.dtype(kind).itemsize // plane.width if stored.format.name in _PACKED else 1
        old_rows, new_rows = (_rows(part, kind)[:, : part.width * samples] for part in (old, new))
        start = left // across * samples
        own = _rows(plane, kind)[top // down : top // down + old_rows.shape[0], start : start + old_rows.shape[1]]
        change = cv2.subtract(new_rows, old_rows, dtype=wide)
        added = cv2.add(own, change, dtype=cv2.CV_8U if bits <= 8 else cv2.CV_16U)
        own[...] = np.minimum(added, 2**bits - 1) if bits not in (8, 16) else added


def _store_part(picture: np.ndarray, stored: av.VideoFrame, probe: VideoProbe) -> av.VideoFrame:
    """A part of a picture, turned as the frame is stored, in the frame's kind of samples."""
    matrix, range_ = _stored_colours(stored, probe)
    kind = "rgb24" if picture.dtype == np.uint8 else "rgb48le"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)
    pixel_format = stored.format.name
    return frame.reformat(
        format=pixel_format, dst_colorspace=matrix, src_color_range=ColorRange.JPEG, dst_color_range=range_, threads=1
    )


def _rows(plane: av.video.plane.VideoPlane, kind: type[np.uint8] | type[np.uint16]) -> np.ndarray:
    """The samples of a plane [rows, columns, and what fills a row up]; writing into them writes into the frame."""
    return np.frombuffer(memoryview(plane), kind).reshape(plane.height, plane.line_size // np.dtype(kind).itemsize)


def _turn_back(rectangle: Rectangle, shape: tuple[int, ...], rotation: int) -> Rectangle:
    """A rectangle of an upright picture of `shape` as it lies in the stored frame, which is turned counterclockwise to
    be upright."""
    left, top, right, bottom = rectangle
    height, width = shape[:2]
    match rotation:
        case 90:
            return height - bottom, left, height - top, right
        case 180:
            return width - right, height - bottom, width - left, height - top
        case 270:
            return top, width - right, bottom, width - left
    return rectangle


def _stored_colours(stored: av.VideoFrame, probe: VideoProbe) -> tuple[Colorspace, ColorRange]:
    """The matrix and range of a frame that `store_as` made."""
    if stored.format.is_rgb:
        return Colorspace.ITU709, ColorRange.JPEG
    return (Colorspace.ITU709, ColorRange.MPEG) if probe.is_rgb else (_matrix(probe), _range(probe.full_range))


def _matrix(probe: VideoProbe) -> Colorspace:
    return Colorspace.ITU601 if probe.colorspace == SMPTE170M else Colorspace(probe.colorspace)


def _range(full: bool) -> ColorRange:
    return ColorRange.JPEG if full else ColorRange.MPEG
