"""Encoders by the names people know, and their options from one quality and one preset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.codec.codec import find_best_pix_fmt_of_list
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange

from facechange.core import OutputError
from facechange.swap.video.pictures_in import is_pattern
from facechange.swap.video.probe import VideoProbe
from facechange.swap.video.yuv import can_edit

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
ANIMATION_SUFFIXES = (".gif", ".webp", ".png", ".apng")  # made in one go from frames that were stored losslessly
ANIMATION_CODECS = ("gif", "webp", "apng", "avif")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", *ANIMATION_SUFFIXES)


@dataclass(frozen=True)
class Encoder:
    """An encoder of FFmpeg and the range of its quantiser for a quality of 0 and of 100."""

    name: str
    worst: int = 0
    best: int = 0


ENCODERS = {
    "h264": Encoder("libx264", 51, 10),
    "h265": Encoder("libx265", 51, 10),
    "av1": Encoder("libsvtav1", 63, 12),
    "prores": Encoder("prores_ks"),
    "ffv1": Encoder("ffv1"),
}
_AV1_PRESETS = dict(zip(PRESETS, ("12", "11", "10", "9", "8", "7", "5", "4", "2"), strict=True))


@dataclass(frozen=True)
class EncoderSettings:
    """An encoder and everything that is set on it: equal settings give streams that can be joined."""

    kind: str  # a key of ENCODERS
    pixel_format: str
    options: dict[str, str]


def choose_encoder(probe: VideoProbe, output: Path, kind: str | None, quality: int, preset: str) -> EncoderSettings:
    """Settings for a result named `output`.

    Without a `kind`: AV1 for WebM, ProRes and FFV1 for themselves, H.265 for more than 8 bits, and H.264 for everything
    else. `quality` is 0 to 100. Raises `OutputError` for an unknown name and for an encoder that this FFmpeg lacks, and
    as `check_kind` does.
    """
    check_kind(probe, output)
    suffix = output.suffix.lower()
    if is_pattern(output) or suffix in ANIMATION_SUFFIXES:
        kind = "ffv1"
    elif kind is None:
        by_source = {"prores": "prores", "ffv1": "ffv1"}.get(probe.codec, "h265" if probe.bits > 8 else "h264")
        fits = (
            by_source == "h265"
            or by_source == "h264"
            or (by_source, suffix) in {("prores", ".mov"), ("prores", ".mkv"), ("ffv1", ".mkv")}
        )
        kind = "av1" if suffix == ".webm" else by_source if fits else "h265" if probe.bits > 8 else "h264"
    kind = next((word for word, encoder in ENCODERS.items() if kind in (word, encoder.name)), kind)
    if kind not in ENCODERS:
        raise OutputError(f"There is no video encoder {kind!r}.", f"Use one of {', '.join(ENCODERS)}.")
    if preset not in PRESETS:
        raise OutputError(f"There is no preset {preset!r}.", f"Use one of {', '.join(PRESETS)}.")
    if ENCODERS[kind].name not in av.codecs_available:
        raise OutputError(
            f"The FFmpeg of this installation cannot write {kind}.", "Choose another --output-video-encoder."
        )
    return EncoderSettings(kind, _pixel_format(probe, kind), _options(kind, quality, preset, probe.has_alpha))


def check_kind(probe: VideoProbe, output: Path) -> None:
    """Raise `OutputError` where `output` is named like no video; .png is one where an animation stays one, else it
    would be a slip."""
    if is_pattern(output):
        return
    suffix = output.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        remedy = f"Use one of {', '.join(VIDEO_SUFFIXES)}, or frames/%04d.png for pictures."
        raise OutputError(f"The name {output.name} ends in no kind of video.", remedy)
    if suffix == ".png" and probe.codec not in ANIMATION_CODECS:
        raise OutputError(
            f"The video would become one animated PNG, {output.name}.",
            "Use .apng for that, or frames/%04d.png for pictures.",
        )


def open_encoder(
    settings: EncoderSettings, probe: VideoProbe, context: VideoCodecContext | None = None
) -> VideoCodecContext:
    """An encoder that counts frames instead of seconds; `context` is that of a container's stream, else it stands
    alone."""
    context = context or av.CodecContext.create(ENCODERS[settings.kind].name, "w")  # type: ignore[assignment]
    assert context is not None
    context.width, context.height, context.pix_fmt = probe.width, probe.height, settings.pixel_format
    context.framerate = probe.rate.limit_denominator(1001)
    context.time_base = 1 / context.framerate
    if probe.aspect:
        context.sample_aspect_ratio = probe.aspect
    from_rgb = probe.is_rgb and not av.VideoFormat(settings.pixel_format).is_rgb
    context.color_range = ColorRange.JPEG if probe.full_range and not from_rgb else ColorRange.MPEG
    context.colorspace = 0 if av.VideoFormat(settings.pixel_format).is_rgb else 1 if from_rgb else probe.colorspace
    context.color_primaries, context.color_trc = probe.primaries, probe.transfer
    context.options = dict(settings.options)
    context.flags |= Flags.global_header
    return context


def _pixel_format(probe: VideoProbe, kind: str) -> str:
    """What the encoder takes that loses least of the source; what every player knows, where the source is RGB."""
    offered = [
        layout.name for layout in av.Codec(ENCODERS[kind].name, "w").video_formats or [] if can_edit(layout.name)
    ]
    odd = probe.width % 2 or probe.height % 2
    if odd and kind in ("h264", "h265"):
        offered = [name for name in offered if "420" not in name and "422" not in name]
    if probe.pixel_format in offered:
        return probe.pixel_format
    if probe.is_rgb and kind != "ffv1":
        offered = [name for name in offered if "444" in name or ("420" in name and not odd)]
        offered = [name for name in offered if ("p10" in name) == (probe.bits > 8)] or offered
        return next((name for name in offered if "420" in name and not name.startswith("yuva")), offered[0])
    known = probe.pixel_format if probe.pixel_format != "pal8" else "bgra"
    return find_best_pix_fmt_of_list(offered, known, has_alpha=probe.has_alpha)[0].name  # type: ignore[union-attr]


def _options(kind: str, quality: int, preset: str, has_alpha: bool) -> dict[str, str]:
    encoder = ENCODERS[kind]
    quantiser = str(round(encoder.worst + (encoder.best - encoder.worst) * quality / 100))
    match kind:
        case "h264":
            return {"preset": preset, "crf": quantiser}
        case "h265":
            return {"preset": preset, "crf": quantiser, "x265-params": "log-level=none"}
        case "av1":
            return {"preset": _AV1_PRESETS[preset], "crf": quantiser}
        case "prores":
            profile = (
                "4444"
                if has_alpha
                else "proxy"
                if quality < 25
                else "lt"
                if quality < 50
                else "standard"
                if quality < 75
                else "hq"
            )
            return {"profile": profile, "vendor": "apl0"}
    return {"level": "3", "slicecrc": "1"}
