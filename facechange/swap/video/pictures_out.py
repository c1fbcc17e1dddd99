"""Results that are pictures: GIF, WebP and PNG animations, and numbered pictures; made of frames that were stored
losslessly."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from facechange.consent import Grant
from facechange.core import ModelCard
from facechange.images import as_picture
from facechange.images.icc import nameless_icc
from facechange.images.media import create_media
from facechange.provenance import publish
from facechange.swap.video.encode import ENCODERS, open_encoder
from facechange.swap.video.journal import Journal
from facechange.swap.video.mux import Join
from facechange.swap.video.pictures_in import MILLISECOND, first_number, is_pattern, numbered
from facechange.swap.video.probe import VideoProbe
from facechange.swap.video.segments import read_packets
from facechange.swap.video.yuv import to_upright_rgb

_PALETTE = "palettegen=stats_mode=single", "paletteuse=new=1:dither=sierra2_4a"
CENTISECOND = Fraction(1, 100)
_MOST_PLAYS = _LONGEST_DELAY = 65535  # two bytes each


@dataclass(frozen=True)
class _Kind:
    """How a kind of animation is written."""

    container: str
    encoder: str
    time_base: Fraction
    formats: tuple[str, str]  # of pixels, without alpha and with it
    deep_formats: tuple[str, str] | None = None  # for more than 8 bits


_GIF = _Kind("gif", "gif", CENTISECOND, ("pal8", "pal8"))
_WEBP = _Kind("webp", "libwebp_anim", MILLISECOND, ("yuv420p", "bgra"))
_PNG = _Kind("apng", "apng", MILLISECOND, ("rgb24", "rgba"), ("rgb48be", "rgba64be"))
_KINDS = {".gif": _GIF, ".webp": _WEBP, ".png": _PNG, ".apng": _PNG}


def stored_frames(join: Join, journal: Journal) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """The finished frames and their times in seconds from the first one."""
    extradata = open_encoder(join.settings, join.probe)
    extradata.open()
    first: int | None = None
    for entry in journal.entries():
        decoder = cast(VideoCodecContext, av.CodecContext.create(ENCODERS[join.settings.kind].name, "r"))
        decoder.extradata = extradata.extradata
        decoder.width, decoder.height, decoder.pix_fmt = join.probe.width, join.probe.height, join.settings.pixel_format
        packets = read_packets(journal.folder, entry.segment)
        frames = (frame for packet in (*packets, None) for frame in decoder.decode(packet))
        for pts, frame in zip(entry.segment.pts, frames, strict=True):
            first = pts if first is None else first
            yield (pts - first) * join.probe.time_base, frame


def kept_profile(join: Join, output: Path) -> bytes | None:
    """The source's colour profile, if a result named `output` can carry one; its samples mean what they meant."""
    profile = join.probe.profile
    if not is_pattern(output) and _KINDS.get(output.suffix.lower(), _GIF) is _GIF:
        return None
    return nameless_icc(profile) if profile and join.nameless else profile


def publish_pictures(
    join: Join, journal: Journal, sources: Sequence[Path], pattern: Path, grant: Grant, card: ModelCard
) -> None:
    """Publish every finished frame; the numbers are the source's where it has some, else they start at 1.

    All are one publication, with one watermark: a frame that lost its credentials leads to those of the last.
    """
    start = first_number(join.source) if is_pattern(join.source) else 1
    for index, (_, frame) in enumerate(stored_frames(join, journal)):
        target = numbered(join.source, start + index) if is_pattern(join.source) else join.source
        picture = replace(as_picture(to_upright_rgb(frame, join.probe)), icc=kept_profile(join, pattern))
        path = numbered(pattern, start + index)
        identifier = journal.kept["identifier"]
        publish(
            picture,
            path,
            grant=grant,
            card=card,
            target=target,
            sources=sources,
            identifier=identifier,
            nameless=join.nameless,
        )


def write_animation(join: Join, journal: Journal, path: Path) -> None:
    """Write the finished frames as the animation that `path` is named, at their times and shown as often as the
    source's.

    A GIF gets the best palette for every frame.
    """
    kind, probe = _KINDS[path.suffix.lower()], join.probe
    assert journal.last is not None
    last_s = (journal.last.segment.last_duration or 1 / (probe.rate * probe.time_base)) * probe.time_base
    time_s = Fraction(0)
    with create_media(path, kind.container, **_container_options(kind, probe.plays, last_s)) as container:
        stream = cast(VideoStream, container.add_stream(kind.encoder, rate=probe.rate.limit_denominator(1001)))
        stream.codec_context.time_base = kind.time_base
        for time_s, frame in stored_frames(join, journal):
            ready = _ready(frame, probe, kind)
            if not stream.codec_context.is_open:
                stream.width, stream.height, stream.pix_fmt = ready.width, ready.height, ready.format.name
            ready.pts, ready.time_base = round(time_s / kind.time_base), kind.time_base
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    if kind is _WEBP:
        _end_webp(path, round((time_s + last_s) / MILLISECOND))
    profile = kept_profile(join, path)
    if profile is not None:
        path.write_bytes(_with_profile(path.read_bytes(), kind, profile))


def _container_options(kind: _Kind, plays: int, last_s: Fraction) -> dict[str, str]:
    """How often the animation is shown (0: for ever), and for how long its last frame is: a packet has only its
    beginning."""
    plays = min(plays, _MOST_PLAYS)
    if kind is _GIF:  # says how often it is repeated
        return {
            "loop": str(plays - 1 if plays > 1 else -plays),
            "final_delay": str(min(round(last_s / CENTISECOND), _LONGEST_DELAY)),
        }
    if kind is _PNG:
        return {"plays": str(plays), "final_delay": f"{min(round(last_s / MILLISECOND), _LONGEST_DELAY)}/1000"}
    return {"loop": str(plays)}


def _ready(frame: av.VideoFrame, probe: VideoProbe, kind: _Kind) -> av.VideoFrame:
    """A stored frame upright, as the encoder takes it."""
    deep = probe.bits > 8 and kind.deep_formats is not None
    plain, with_alpha = kind.deep_formats if deep and kind.deep_formats else kind.formats
    if probe.has_alpha and not probe.rotation:
        return _with_palette(frame.reformat(format="bgra")) if kind is _GIF else frame.reformat(format=with_alpha)
    rgb = to_upright_rgb(frame, probe)
    if rgb.dtype == np.uint16 and not deep:
        rgb = (rgb >> 8).astype(np.uint8)
    upright = av.VideoFrame.from_ndarray(rgb, format="rgb48le" if rgb.dtype == np.uint16 else "rgb24")
    return _with_palette(upright) if kind is _GIF else upright.reformat(format=plain)


def _end_webp(path: Path, end_ms: int) -> None:
    """Let the last frame of an animated WebP last until `end_ms`: libwebp, which FFmpeg does not tell, guesses."""
    with path.open("r+b") as file:
        file.seek(12)  # RIFF, length, WEBP
        starts: list[int] = []  # of the frames' durations, three bytes each
        while len(head := file.read(8)) == 8:
            if head[:4] == b"ANMF":
                starts.append(file.tell() + 12)
            length = int.from_bytes(head[4:], "little")
            file.seek(length + length % 2, os.SEEK_CUR)
        for start in starts[:-1]:
            file.seek(start)
            end_ms -= int.from_bytes(file.read(3), "little")
        for start in starts[-1:]:
            file.seek(start)
            file.write(min(max(end_ms, 0), (1 << 24) - 1).to_bytes(3, "little"))


def _with_profile(data: bytes, kind: _Kind, profile: bytes) -> bytes:
    """An animated PNG or WebP with a colour profile, which FFmpeg does not write, behind its first chunk."""
    if kind is _PNG:
        body = b"iCCPICC profile\0\0" + zlib.compress(profile)
        return data[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + data[33:]
    chunk = b"ICCP" + struct.pack("<I", len(profile)) + profile + bytes(len(profile) % 2)
    flags = bytes([data[20] | 0x20])  # of VP8X: it has a profile
    return (
        b"RIFF" + struct.pack("<I", len(data) + len(chunk) - 8) + data[8:20] + flags + data[21:30] + chunk + data[30:]
    )


def _with_palette(frame: av.VideoFrame) -> av.VideoFrame:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=CENTISECOND)
    split = graph.add("split")
    palette, use, sink = (
        graph.add(*_PALETTE[0].split("=", 1)),
        graph.add(*_PALETTE[1].split("=", 1)),
        graph.add("buffersink"),
    )
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
