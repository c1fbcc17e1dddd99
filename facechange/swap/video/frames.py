"""The frames of a video, or of a part of it, in the order in which they are shown and at their exact times."""

from __future__ import annotations

import heapq
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from facechange.core import VideoError, is_out_of_memory
from facechange.swap.video.fields import Decoded, make_whole
from facechange.swap.video.pictures_in import is_pillow_animation, read_animation
from facechange.swap.video.probe import VideoProbe, open_video, readable, video_stream
from facechange.swap.video.yuv import store_as, to_upright_rgb

_TIME = r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)"
_TRIM = re.compile(rf"(?:{_TIME})?-(?:{_TIME})?")
# of the clock: less is a flaw that is mended, more is another clock, by which sound would not be in step
LARGEST_FALL_S = 0.5
SEEK_MARGIN_S = 3  # a frame shown after a key frame may need one before it, so reading starts well before


@dataclass(frozen=True, eq=False)
class SourceFrame:
    """A frame as it is stored and as it is seen."""

    index: int  # from 0, the first frame that is kept
    pts: int  # in units of the video's time base
    duration: int  # in the same units; 0 where the file does not say
    stored: av.VideoFrame  # of its own, in the pixel format of the result
    rgb: np.ndarray  # upright, uint8 or uint16 [H, W, 3]
    repeated: bool  # it could not be decoded, and this is the one before it again
    interlaced: bool = False  # it was, and is whole here


@dataclass(frozen=True)
class Window:
    """Which part of a video is read, and what of it is already done."""

    start_pts: int | None = None  # inclusive
    end_pts: int | None = None  # exclusive
    done_frames: int = 0
    done_pts: int | None = None  # of the last frame that is done


def parse_trim(text: str | None, probe: VideoProbe) -> Window:
    """The window for `FROM-TO`, each in seconds or [h:]m:s from the first frame, either of which may be left out.

    Raises `VideoError` where the text says nothing of the kind.
    """
    if text is None:
        return Window()
    match = _TRIM.fullmatch(text.strip())
    if match is None:
        raise VideoError(f"{text!r} is no part of a video.", "Write it as 12.5-30, 1:05-1:20, 10- or -10.")
    start, end = _seconds(match.groups()[:3]), _seconds(match.groups()[3:])
    if start is not None and end is not None and end <= start:
        raise VideoError(f"{text!r} ends before it begins.", "Give the earlier time first.")
    return Window(_pts(start, probe), _pts(end, probe))


def read_frames(path: Path, probe: VideoProbe, pixel_format: str, window: Window) -> Generator[SourceFrame, None, None]:
    """The frames of `path` inside `window` after those that are done.

    A frame that the decoder gives up is replaced by the one before it, an interlaced one is made whole. Raises
    `VideoError` where the clock falls back, and where it is damaged beyond that.
    """
    with readable(path):
        yield from _read_frames(path, probe, pixel_format, window)


def read_upright(path: Path, probe: VideoProbe) -> Iterator[np.ndarray]:
    """The frames of a whole video as players show them, uint8 [H, W, 3] RGB. Raises what `read_frames` raises."""
    stored_as = "bgra" if probe.pixel_format == "pal8" else probe.pixel_format
    return (frame.rgb for frame in read_frames(path, replace(probe, bits=8), stored_as, Window()))


def _read_frames(
    path: Path, probe: VideoProbe, pixel_format: str, window: Window
) -> Generator[SourceFrame, None, None]:
    index = window.done_frames
    for (pts, duration, frame, repeated), interlaced in make_whole(_in_order(path, window)):
        if (window.start_pts is not None and pts < window.start_pts) or (
            window.done_pts is not None and pts <= window.done_pts
        ):
            continue
        if window.end_pts is not None and pts >= window.end_pts:
            return
        stored = store_as(frame, pixel_format, probe)
        yield SourceFrame(index, pts, duration, stored, to_upright_rgb(stored, probe), repeated, interlaced)
        index += 1


def _in_order(path: Path, window: Window) -> Generator[Decoded, None, None]:
    """Frames with their times, which rise strictly, from some frame at or before the first one wanted."""
    wanted = max((pts for pts in (window.start_pts, window.done_pts) if pts is not None), default=None)
    if is_pillow_animation(path):
        yield from ((frame.pts or 0, frame.duration, frame, False) for frame in read_animation(path))
        return
    if wanted is not None:
        frames = _decode(path, wanted)
        first = next(frames, None)
        if first is not None and first[0] <= wanted:
            yield first
            yield from frames
            return
        frames.close()  # the index of the file led too far: read it from its beginning
    yield from _decode(path, None)


def _decode(path: Path, seek_pts: int | None) -> Generator[Decoded, None, None]:
    with open_video(path) as container:
        stream = video_stream(container, path.name)
        time_base = stream.time_base or Fraction(1, 25)
        if seek_pts is not None:
            container.seek(max(seek_pts - round(SEEK_MARGIN_S / time_base), stream.start_time or 0), stream=stream)
        step = max(round(1 / ((stream.average_rate or stream.guessed_rate or Fraction(25)) * time_base)), 1)
        announced: list[int] = []  # a heap of the times of what was handed to the decoder and has not come out
        failures = 0
        last: tuple[int, av.VideoFrame] | None = None
        for packet in container.demux(stream):
            if packet.pts is not None and packet.size:
                heapq.heappush(announced, packet.pts)
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                if is_out_of_memory(error):  # no damage, which the frame before could stand for
                    raise
                failures += 1
                continue
            for frame in frames:
                pts = frame.pts if frame.pts is not None else (last[0] + step if last else 0)
                if last is not None and (last[0] - pts) * time_base > LARGEST_FALL_S:
                    raise VideoError(
                        f"The clock of {path.name} falls back after {float((last[0] - (stream.start_time or 0)) * time_base):.0f} s: "
                        "several recordings lie in one file.",
                        "Give them one clock first: ffmpeg -i OLD -c copy NEW.mkv",
                    )
                while announced and announced[0] <= pts:
                    lost = heapq.heappop(announced)
                    if failures and last is not None and last[0] < lost < pts:
                        failures -= 1
                        last = lost, last[1]
                        yield lost, step, last[1], True
                if last is not None and pts <= last[0]:
                    pts = last[0] + 1  # a broken clock
                last = pts, frame
                yield pts, frame.duration, frame, False
        if last is not None:
            end, frame = last
            for lost in sorted(pts for pts in announced if pts > end)[:failures]:
                yield lost, step, frame, True


def _seconds(parts: tuple[str | None, ...]) -> Fraction | None:
    hours, minutes, seconds = parts
    return None if seconds is None else int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def _pts(time_s: Fraction | None, probe: VideoProbe) -> int | None:
    return None if time_s is None else probe.start_pts + round(time_s / probe.time_base)
