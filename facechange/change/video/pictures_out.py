"""Results that are pictures: GIF and WebP animations, and numbered pictures; made of frames that were stored losslessly."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext

from facechange.change.video.encoding import ENCODERS, open_encoder
from facechange.change.video.journal import Journal
from facechange.change.video.muxing import Join
from facechange.change.video.pictures_in import MILLISECOND, first_number, is_pattern, numbered
from facechange.change.video.planes import to_upright_rgb
from facechange.change.video.segments import read_packets
from facechange.core import ModelCard
from facechange.pictures import as_picture
from facechange.pictures.media import create_media
from facechange.trust import Grant, publish

_PALETTE = "palettegen=stats_mode=single", "paletteuse=new=1:dither=sierra2_4a"
CENTISECOND = Fraction(1, 100)


def stored_frames(join: Join, journal: Journal) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """The finished frames and their times in seconds from the first one."""
    extradata = open_encoder(join.settings, join.facts)
    extradata.open()
    first: int | None = None
    for entry in journal.entries():
        decoder = cast(VideoCodecContext, av.CodecContext.create(ENCODERS[join.settings.kind].name, "r"))
        decoder.extradata = extradata.extradata
        decoder.width, decoder.height, decoder.pix_fmt = join.facts.width, join.facts.height, join.settings.pixel_format
        packets = read_packets(journal.folder, entry.segment)
        frames = (frame for packet in (*packets, None) for frame in decoder.decode(packet))
        for pts, frame in zip(entry.segment.pts, frames, strict=True):
            first = pts if first is None else first
            yield (pts - first) * join.facts.time_base, frame


def publish_pictures(join: Join, journal: Journal, pattern: Path, grant: Grant, card: ModelCard) -> None:
    """Publish every finished frame; the numbers are the source's where it has some, else they start at 1."""
    start = first_number(join.source) if is_pattern(join.source) else 1
    for index, (_, frame) in enumerate(stored_frames(join, journal)):
        target = numbered(join.source, start + index) if is_pattern(join.source) else join.source
        picture, path = as_picture(to_upright_rgb(frame, join.facts)), numbered(pattern, start + index)
        publish(picture, path, grant=grant, card=card, target=target, nameless=join.nameless)


def write_animation(join: Join, journal: Journal, path: Path) -> None:
    """Write the finished frames as a GIF, every frame with the best palette for it, or as a WebP; both play for ever."""
    gif = path.suffix.lower() == ".gif"
    time_base = CENTISECOND if gif else MILLISECOND
    with create_media(path, loop="0") as container:
        stream = container.add_stream("gif" if gif else "libwebp_anim", rate=join.facts.rate.limit_denominator(1001))
        stream.codec_context.time_base = time_base
        for time_s, frame in stored_frames(join, journal):
            rgb = to_upright_rgb(frame, join.facts)
            upright = av.VideoFrame.from_ndarray(rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8), format="rgb24")
            if join.facts.has_alpha and not join.facts.rotation:
                upright = frame.reformat(format="bgra")
            ready = _with_palette(upright) if gif else upright.reformat(format="bgra" if join.facts.has_alpha else "yuv420p")
            if not stream.codec_context.is_open:
                stream.width, stream.height, stream.pix_fmt = ready.width, ready.height, ready.format.name
            ready.pts, ready.time_base = round(time_s / time_base), time_base
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))


def _with_palette(frame: av.VideoFrame) -> av.VideoFrame:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=CENTISECOND)
    split = graph.add("split")
    palette, use, sink = graph.add(*_PALETTE[0].split("=", 1)), graph.add(*_PALETTE[1].split("=", 1)), graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    frame.pts, frame.time_base = 0, CENTISECOND
    graph.push(frame)
    graph.push(None)
    return graph.pull()  # type: ignore[return-value]
