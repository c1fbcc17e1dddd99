"""What a video is, found out before any work, and the plain refusal of what cannot be changed faithfully."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace, ColorTrc

from facechange.core import FacechangeError, VideoError, is_out_of_memory
from facechange.images.media import open_media
from facechange.images.reading import LARGEST_SIDE_PX
from facechange.swap.video.pictures_in import (
    MILLISECOND,
    first_number,
    is_pattern,
    is_pillow_animation,
    read_head,
    read_picture_head,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

LARGEST_PIXELS, SMALLEST_PX = 8192 * 8192, 16
SMPTE170M = 6  # FFmpeg's number of a matrix that is BT.601's, and that PyAV has no name for
SLOWEST, FASTEST = Fraction(1, 1001), Fraction(100_000)  # frames a second that encoders can be told
LEAST_HD_ROWS = 720  # untagged videos of fewer rows are taken for BT.601, as players do


@dataclass(frozen=True)
class VideoProbe:
    """The first frame and the track of the video that will be changed."""

    width: int  # as stored, before rotation
    height: int
    rotation: int  # degrees counterclockwise by which players turn the stored frame: 0, 90, -90 or 180
    pixel_format: str
    bits: int  # of a component
    is_rgb: bool
    has_alpha: bool
    colorspace: int  # FFmpeg's number of the matrix between RGB and YUV; never unspecified
    full_range: bool
    primaries: int  # FFmpeg's numbers, 2 where the file does not say
    transfer: int
    aspect: Fraction | None  # of a pixel
    codec: str
    time_base: Fraction
    rate: Fraction  # frames a second, the best guess for a variable rate
    frames: int  # as the file says, or by rate and duration; 0 where unknown
    start_pts: int  # of the first frame
    # seconds at which the clock of the file starts; 0 for files whose times mean something by themselves
    origin: Fraction
    streams: tuple[str, ...]  # kinds of the other tracks
    plays: int = 0  # how often an animation is shown; 0 for ever
    profile: bytes | None = None  # ICC, of an animation or numbered pictures


@contextmanager
def open_video(path: Path) -> Iterator[InputContainer]:
    """Open `path` (a sequence's pattern too); raises `VideoError` where it is missing, no video or damaged."""
    if not is_pattern(path):
        if path.is_dir():
            raise VideoError(f"{path} is a folder.", "Name a video, or pictures by a pattern such as frames/%04d.png.")
        if not path.exists():
            raise VideoError(f"There is no video {path}.", "Check the name.")
        if path.stat().st_size == 0:
            raise VideoError(f"{path.name} is empty.", "Copy it again from where it came.")
    options = {"start_number": str(first_number(path))} if is_pattern(path) else {}
    try:
        container = open_media(path, **options)
    except PermissionError:
        raise VideoError(f"{path.name} may not be read.", "Change its permissions.") from None
    except (av.error.FFmpegError, ValueError) as error:
        reason = str(getattr(error, "strerror", error))
        raise VideoError(
            f"{path.name} is not a video that can be read ({reason}).", "Check that it plays, or convert it."
        ) from error
    with container:
        yield container


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever reading the video at `path` raises as a sentence: `VideoError`. Decoders raise almost anything on broken
    bytes."""
    try:
        yield
    except FacechangeError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise VideoError(
            f"{path.name} is damaged, or of a kind that cannot be read.", "Get the file again from where it came."
        ) from error


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The video track that players show, read with every processor. Raises `VideoError` where there is none that can be
    decoded."""
    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not moving:
        raise VideoError(f"There is no moving picture in {name}, only sound or a cover.", "Give a video.")
    moving = [stream for stream in moving if stream.codec_context is not None]
    if not moving:
        raise VideoError(
            f"No decoder knows the moving picture in {name}.", "Get it again from where it came, or convert it."
        )
    stream = max(moving, key=lambda candidate: bool(candidate.disposition & Disposition.default))
    stream.thread_type = "AUTO"
    return stream


def inspect_video(path: Path) -> VideoProbe:
    """Read the head of `path` and its first frame.

    Raises `VideoError` for a file without a decodable frame, sizes out of bounds, and HDR in the PQ transfer, whose
    values mean other brightnesses than those the model learned from.
    """
    with readable(path):
        return _inspect(path)


def _inspect(path: Path) -> VideoProbe:
    said = read_picture_head(path)
    plays, profile = (said.plays, said.profile) if said else (0, None)
    if is_pillow_animation(path):
        if said is not None:
            _check_size(path, *said.size_px)
        head = read_head(path)
        return probe_of(head.first, head.codec, MILLISECOND, head.rate, head.frames, plays=plays, profile=profile)
    with open_video(path) as container:
        stream = video_stream(container, path.name)
        width, height = stream.codec_context.width, stream.codec_context.height
        _check_size(path, width, height)
        frame = _first_frame(container, stream, path)
        _check_size(path, frame.width, frame.height)
        moving = container.format.name
        unanchored = any(kind in moving for kind in ("mpeg", "asf", "flv", "rtsp"))
        origin = Fraction(container.start_time or 0, av.time_base) if unanchored else Fraction(0)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        time_base = stream.time_base or 1 / rate
        frames = stream.frames or round((container.duration or 0) / av.time_base * rate)
        aspect = stream.codec_context.sample_aspect_ratio
        others = tuple(other.type for other in container.streams if other.index != stream.index)
        codec = stream.codec_context.name
        return probe_of(
            frame,
            codec,
            time_base,
            rate,
            frames,
            aspect=aspect,
            origin=origin,
            streams=others,
            plays=plays,
            profile=profile,
        )


def probe_of(
    frame: av.VideoFrame,
    codec: str,
    time_base: Fraction,
    rate: Fraction,
    frames: int,
    *,
    aspect: Fraction | None = None,
    origin: Fraction = Fraction(0),
    streams: tuple[str, ...] = (),
    plays: int = 0,
    profile: bytes | None = None,
) -> VideoProbe:
    """What a first frame and what the file says about its track add up to."""
    if frame.color_trc == ColorTrc.SMPTE2084:
        raise VideoError(
            "The video is HDR of the PQ kind, in which faces cannot be changed truthfully.",
            "Convert it to HLG or SDR first.",
        )
    layout = frame.format
    full = layout.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG or layout.is_rgb
    untagged = Colorspace.ITU709 if frame.height >= LEAST_HD_ROWS else Colorspace.ITU601
    known = {Colorspace.ITU709, Colorspace.FCC, Colorspace.ITU601, SMPTE170M, Colorspace.SMPTE240M, Colorspace.BT2020}
    return VideoProbe(
        width=frame.width,
        height=frame.height,
        rotation=round(frame.rotation / 90) * 90 % 360,
        pixel_format=layout.name.replace("yuvj", "yuv"),
        bits=max(component.bits for component in layout.components),
        is_rgb=layout.is_rgb or layout.has_palette,
        has_alpha=any(component.is_alpha for component in layout.components),
        colorspace=int(frame.colorspace) if frame.colorspace in known else int(untagged),
        full_range=full,
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        aspect=aspect if aspect and aspect != 1 else None,
        codec=codec,
        time_base=time_base,
        rate=min(max(rate, SLOWEST), FASTEST),
        frames=frames,
        start_pts=frame.pts or 0,
        origin=origin,
        streams=streams,
        plays=plays,
        profile=profile,
    )


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> av.VideoFrame:
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                return frame
        except av.error.FFmpegError as error:
            if is_out_of_memory(error):
                raise
    raise VideoError(
        f"No frame of {path.name} can be decoded.", "The video is damaged or empty: get it again from where it came."
    )


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > LARGEST_PIXELS or max(width, height) > LARGEST_SIDE_PX or 0 < min(width, height) < SMALLEST_PX:
        raise VideoError(
            f"{path.name} is {width} x {height} pixels, which is not a usable size.", "Scale the video first."
        )
