"""Join finished segments with everything else of the source: sound, subtitles, other tracks, chapters and metadata, as
they are."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av

from facechange.core import OutputError
from facechange.images.media import create_media
from facechange.swap.video.encode import ENCODERS, EncoderSettings, open_encoder
from facechange.swap.video.frames import Window
from facechange.swap.video.journal import Journal
from facechange.swap.video.nameless import goes_on, kept_tags, nameless_setup, say_left_behind
from facechange.swap.video.pictures_in import is_pillow_animation
from facechange.swap.video.probe import VideoProbe, open_video, video_stream
from facechange.swap.video.segments import read_packets

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter
    from av.stream import Stream
    from av.video.stream import VideoStream

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_REMEMBERED = 64  # frames of the last segment; more than any encoder reorders


@dataclass
class _Result:
    container: OutputContainer
    video: VideoStream
    copied: dict[int, Stream]  # by index in the source


@dataclass(frozen=True)
class Join:
    """What a result is made of."""

    source: Path
    probe: VideoProbe
    settings: EncoderSettings
    window: Window
    nameless: bool = False  # nothing that names people or places goes on

    @property
    def offset_s(self) -> Fraction:
        """What is taken off every time: 0, unless the result starts later than the source or the source's clock says
        nothing."""
        if self.window.start_pts is not None:
            return self.window.start_pts * self.probe.time_base
        return self.probe.origin


def check_container(join: Join, path: Path) -> list[str]:
    """Write the head of the result at `path` and remove it again: the tracks that the container cannot hold, in words.

    Raises `OutputError` where it cannot hold the video, the sound or the subtitles.
    """
    with _open_source(join.source) as source:
        left_out: list[str] = []
        try:
            _open_result(join, source, path, left_out).container.close()
        finally:
            path.unlink(missing_ok=True)
    return left_out


def left_behind(join: Join) -> tuple[str, ...]:
    """What of the source does not go on into a result, in words such as "places"."""
    with _open_source(join.source) as source:
        return (
            ()
            if source is None
            else say_left_behind(source, video_stream(source, join.source.name).index, join.nameless)
        )


def write_result(join: Join, journal: Journal, path: Path) -> None:
    """Write the whole result at `path`. Raises `OutputError` where the container refuses a track, `OSError` where the
    disk does."""
    with _open_source(join.source) as source, _refusals(path):
        result = _open_result(join, source, path, [])
        with result.container as container:
            video = _video_packets(join, journal, result.video)
            waiting = next(video, None)
            for packet in _copied_packets(join, source, result.copied):
                while waiting is not None and _time(waiting) <= _time(packet):
                    container.mux(waiting)
                    waiting = next(video, None)
                container.mux(packet)
            while waiting is not None:
                container.mux(waiting)
                waiting = next(video, None)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """What FFmpeg has against packets as a sentence; what the disk has against them stays an `OSError`."""
    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        remedy = "Give the source one clock first: ffmpeg -i OLD -c copy NEW.mkv"
        raise OutputError(f"{path.suffix} cannot take the tracks of the source ({error.strerror}).", remedy) from error


def _open_source(path: Path) -> AbstractContextManager[InputContainer | None]:
    """The source for its other tracks; an animation has none."""
    return nullcontext() if is_pillow_animation(path) else open_video(path)


def _open_result(join: Join, source: InputContainer | None, path: Path, left_out: list[str]) -> _Result:
    options = {"strict": "-2"}
    if (
        source is not None
        and any("." in key for key in source.metadata)
        and path.suffix.lower() in (".mov", ".mp4", ".m4v")
    ):
        options["movflags"] = "use_metadata_tags"  # a camera's own keys would be lost
    container = create_media(path, **options)
    try:
        encoder = ENCODERS[join.settings.kind].name
        try:
            video = cast("VideoStream", container.add_stream(encoder, rate=join.probe.rate.limit_denominator(1001)))
        except ValueError as error:
            raise OutputError(
                f"{path.suffix} cannot hold {join.settings.kind}.", "Choose another encoder or extension."
            ) from error
        open_encoder(join.settings, join.probe, video.codec_context)
        video.time_base = join.probe.time_base
        if join.probe.rotation:
            video.set_display_rotation(join.probe.rotation)
        copied = {} if source is None else _copy_tracks(join, source, container, left_out)
        if source is not None:
            _copy_metadata(join, source, container, video)
        try:
            container.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
                raise
            kinds = ", ".join(
                sorted({f"{stream.type} {_codec_name(stream)}" for stream in copied.values()} | {join.settings.kind})
            )
            raise OutputError(
                f"{path.suffix} cannot hold {kinds} together.", "Use another extension, such as .mkv."
            ) from error
    except BaseException:
        _close_quietly(container)
        raise
    return _Result(container, video, copied)


def _copy_tracks(
    join: Join, source: InputContainer, container: OutputContainer, left_out: list[str]
) -> dict[int, Stream]:
    changed = video_stream(source, join.source.name).index
    copied: dict[int, Stream] = {}
    for track in source.streams:
        if track.index == changed or not goes_on(track, join.nameless):
            continue
        try:
            copy = container.add_stream_from_template(track, opaque=True)
        except (ValueError, av.error.FFmpegError, AttributeError, TypeError) as error:
            words = f"{track.type} track {track.index} ({_codec_name(track)})"
            if track.type in ("audio", "subtitle"):
                suffix = Path(source.name).suffix or ".mkv"
                remedy = f"Write to {suffix}, as the source is, or to .mkv."
                raise OutputError(f"{Path(container.name).suffix} cannot hold the {words}.", remedy) from error
            left_out.append(words)
            continue
        if join.nameless and track.type == "audio" and copy.codec_context.extradata:
            copy.codec_context.extradata = nameless_setup(_codec_name(track), copy.codec_context.extradata)
        copy.metadata.clear()
        copy.metadata.update(kept_tags(track.metadata, join.nameless))
        if track.type != "attachment":
            copy.time_base = track.time_base
            copy.disposition = track.disposition
            copied[track.index] = copy
    return copied


def _copy_metadata(join: Join, source: InputContainer, container: OutputContainer, video: VideoStream) -> None:
    container.metadata.update(kept_tags(source.metadata, join.nameless))
    track = video_stream(source, join.source.name)
    video.metadata.update(kept_tags(track.metadata, join.nameless))
    video.disposition = track.disposition
    chapters: list[Chapter] = []
    for chapter in source.chapters():
        time_base = chapter["time_base"] or Fraction(1, 1000)
        start, end = (max(round(edge - join.offset_s / time_base), 0) for edge in (chapter["start"], chapter["end"]))
        if end > start:
            chapters.append(
                {**chapter, "start": start, "end": end, "metadata": {} if join.nameless else chapter["metadata"]}
            )
    container.set_chapters(chapters)


def _video_packets(join: Join, journal: Journal, stream: VideoStream) -> Iterator[av.Packet]:
    """The encoded frames at their exact times: the encoder counted frames, and frame numbers become times here."""
    offset = round(join.offset_s / join.probe.time_base)
    step = max(round(1 / (join.probe.rate * join.probe.time_base)), 1)
    times: dict[int, int] = {}  # of frames, by number
    last_dts: int | None = None
    for entry in journal.entries():
        segment = entry.segment
        times = dict(list(times.items())[-_REMEMBERED:])
        times.update(enumerate((pts - offset for pts in segment.pts), segment.first_frame))
        first, end = min(times), segment.first_frame + len(segment.pts)
        times[end] = times[end - 1] + (segment.last_duration or step)  # until the next segment knows better
        for packet in read_packets(journal.folder, segment):
            assert packet.pts is not None and packet.dts is not None
            number, order = packet.pts, packet.dts
            dts = times[order] if order in times else times[first] + (order - first) * step
            dts = dts if last_dts is None else max(dts, last_dts + 1)
            packet.stream, packet.time_base = stream, join.probe.time_base
            packet.pts, packet.dts, packet.duration = (
                times[number],
                min(dts, times[number]),
                times[number + 1] - times[number],
            )
            last_dts = packet.dts
            yield packet


def _copied_packets(join: Join, source: InputContainer | None, copied: dict[int, Stream]) -> Iterator[av.Packet]:
    """The packets of the other tracks, bit for bit, with their times against the same zero."""
    if source is None or not copied:
        return
    start, end = (
        None if edge is None else edge * join.probe.time_base for edge in (join.window.start_pts, join.window.end_pts)
    )
    for packet in source.demux([source.streams[index] for index in copied]):
        if packet.dts is None and packet.pts is None:
            continue
        time_base = packet.time_base
        time = (packet.pts if packet.pts is not None else packet.dts or 0) * time_base
        if (start is not None and time < start) or (end is not None and time >= end):
            continue
        offset = round(join.offset_s / time_base)
        packet.pts = None if packet.pts is None else packet.pts - offset
        packet.dts = None if packet.dts is None else packet.dts - offset
        packet.stream = copied[packet.stream_index]
        yield packet


def _time(packet: av.Packet) -> Fraction:
    return (packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base


def _codec_name(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context is not None else stream.type


def _close_quietly(container: OutputContainer) -> None:
    try:
        container.close()
    except (av.error.FFmpegError, ValueError, RuntimeError):
        return  # its head was refused; that error is the one to tell
