"""What an upload is, found out in a process of its own: it decodes what a stranger sent, and may crash, eat memory or
take for ever without harm."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from facechange.core import FacechangeError, PictureError
from facechange.images.kinds import is_heif, is_moving
from facechange.service.problems import Problem
from facechange.service.settings import ServiceSettings

THUMBNAIL_PX = 320
SUFFIXES = {
    "JPEG": (".jpg", "image/jpeg"),
    "PNG": (".png", "image/png"),
    "WEBP": (".webp", "image/webp"),
    "TIFF": (".tiff", "image/tiff"),
    "BMP": (".bmp", "image/bmp"),
    "GIF": (".gif", "image/gif"),
    "AVIF": (".avif", "image/avif"),
    "HEIF": (".heic", "image/heic"),
    "matroska,webm": (".mkv", "video/x-matroska"),
    "avi": (".avi", "video/x-msvideo"),
    "flv": (".flv", "video/x-flv"),
    "asf": (".wmv", "video/x-ms-wmv"),
    "mpeg": (".mpg", "video/mpeg"),
}
_WEB_CODECS = {"vp8", "vp9", "av1"}
_PRELOADED = ["facechange.images.reading", "facechange.images.writing", "facechange.swap.video.probe"]


Look = Callable[[Path, ServiceSettings], Any]  # done in the other process


@dataclass(frozen=True)
class MediaInfo:
    """What a file is, by what it holds."""

    kind: Literal["photograph", "video"]
    media_type: str
    suffix: str
    width: int
    height: int
    seconds: float | None
    thumbnail: bytes  # JPEG


def inspect_upload(path: Path, name: str, settings: ServiceSettings) -> MediaInfo:
    """Decode the file at `path`, called `name` by who sent it, in another process.

    Raises `PictureError` for what is no picture or video, is damaged, or breaks its decoder, and a `Problem` for what
    is larger than the settings allow.
    """
    found: MediaInfo = _run_apart(_examine, path, name, settings)
    return found


def draw_frames(path: Path, name: str, settings: ServiceSettings, count: int) -> list[tuple[float, bytes]]:
    """`count` frames of the video at `path`, evenly apart: the second each is shown, and a JPEG. Raises as
    `inspect_upload`."""
    found: list[tuple[float, bytes]] = _run_apart(partial(_draw_frames, count=count), path, name, settings)
    return found


def _run_apart(look: Look, path: Path, name: str, settings: ServiceSettings) -> Any:
    context: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    if sys.platform != "win32":
        context.set_forkserver_preload(_PRELOADED)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_look, args=(sender, look, str(path), settings), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(settings.decoding_seconds):
            raise PictureError(f"{name} takes too long to decode.", "Make it smaller, or convert it.")
        found: Any = receiver.recv()
    except EOFError:
        raise PictureError(f"{name} broke the decoder.", "Get the file again from where it came.") from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    done, found = found
    if done:
        return found
    status, message, remedy = found
    if status:
        raise Problem(status, message.replace(path.name, name), remedy, 3)
    raise PictureError(message.replace(str(path), name).replace(path.name, name), remedy)


def _look(sender: Connection, look: Look, path: str, settings: ServiceSettings) -> None:
    """The other process: limits first, then decoders."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (settings.decoding_bytes,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(settings.decoding_seconds) * 4 + 1,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        sender.send((True, look(Path(path), settings)))
    except FacechangeError as error:
        sender.send((False, (getattr(error, "status", 0), error.message, error.remedy)))
    except Exception:  # decoders raise almost anything
        words = f"{Path(path).name} is damaged or cut short.", "Get the file again from where it came."
        sender.send((False, (0, *words)))
    sender.close()


def _examine(path: Path, settings: ServiceSettings) -> MediaInfo:
    return _examine_video(path, settings) if is_moving(path) else _examine_photograph(path, settings)


def _examine_photograph(path: Path, settings: ServiceSettings) -> MediaInfo:
    from PIL import Image

    from facechange.images import read_picture

    with path.open("rb") as file:
        start = file.read(64)
        if is_heif(start):
            import pillow_heif

            pillow_heif.register_heif_opener()
        Image.MAX_IMAGE_PIXELS = None  # the limits are ours, on the next lines
        try:
            with Image.open(file) as image:
                size, format_name = image.size, str(image.format)
        except Exception:
            raise Problem(415, f"{path.name} is no picture or video that is known.", _KNOWN) from None
    if format_name == "MPO":  # a JPEG with further pictures
        format_name = "JPEG"
    if format_name not in SUFFIXES:
        raise Problem(415, f"{path.name} is of a kind that is not taken: {format_name}.", _KNOWN)
    _check_pixels(path, *size, settings)
    picture = read_picture(path)
    suffix, media_type = SUFFIXES[format_name]
    thumbnail = _draw_thumbnail(picture.rgb8(), picture.xmp)
    return MediaInfo("photograph", media_type, suffix, picture.width, picture.height, None, thumbnail)


_KNOWN = "Send JPEG, PNG, WebP, AVIF, HEIC, TIFF, MP4, MOV, MKV or WebM."


def _check_pixels(path: Path, width: int, height: int, settings: ServiceSettings) -> None:
    if width * height > settings.largest_pixels:
        megapixels, most = width * height / 1e6, settings.largest_pixels / 1e6
        message = f"{path.name} has {megapixels:.0f} megapixels; at most {most:.0f} are taken."
        raise Problem(413, message, "Make it smaller first.", 3)


def _examine_video(path: Path, settings: ServiceSettings) -> MediaInfo:
    from facechange.swap.video.probe import inspect_video, open_video, readable, video_stream

    probe = inspect_video(path)
    _check_pixels(path, probe.width, probe.height, settings)
    with open_video(path) as container, readable(path):
        format_name, duration = container.format.name, container.duration
        stream = video_stream(container, path.name)
        frame = next(container.decode(stream)).to_ndarray(format="rgb24")
    seconds = duration / 1e6 if duration else float(probe.frames / probe.rate) if probe.rate else None
    if seconds is not None and seconds > settings.longest_video_seconds:
        raise Problem(
            413, f"{path.name} lasts {seconds:.0f} s; at most {settings.longest_video_seconds:.0f} are taken."
        )
    suffix, media_type = _name_video(path, format_name, probe.codec)
    turned = probe.rotation in (90, -90)
    size = (probe.height, probe.width) if turned else (probe.width, probe.height)
    thumbnail = _draw_thumbnail(_turn(frame, probe.rotation), None)
    return MediaInfo("video", media_type, suffix, *size, seconds, thumbnail)


def _draw_frames(path: Path, settings: ServiceSettings, count: int) -> list[tuple[float, bytes]]:
    from facechange.images import Picture, encode_picture
    from facechange.swap.video.probe import inspect_video, open_video, readable, video_stream

    probe, drawn = inspect_video(path), []
    with open_video(path) as container, readable(path):
        stream = video_stream(container, path.name)
        seconds = container.duration / 1e6 if container.duration else float(probe.frames / (probe.rate or 25))
        for number in range(count):
            moment = seconds * (number + 0.5) / count
            container.seek(int(moment * 1e6))
            for frame in container.decode(stream):  # from the key frame before on
                if frame.time is None or frame.time >= moment:
                    break
            pixels = _turn(frame.to_ndarray(format="rgb24"), probe.rotation)
            drawn.append((round(moment, 3), encode_picture(Picture(pixels), ".jpg")))
    return drawn


def _turn(pixels: Any, degrees: int) -> Any:
    """A frame [H, W, 3] as players show it."""
    import numpy as np

    return np.ascontiguousarray(np.rot90(pixels, {90: 1, 180: 2, -180: 2, -90: 3}.get(degrees, 0)))


def _name_video(path: Path, format_name: str, codec: str) -> tuple[str, str]:
    """Suffix and media type."""
    with path.open("rb") as file:
        start = file.read(64)
    if start[4:8] == b"ftyp" and start[8:12] not in (b"avif", b"avis"):
        return (".mov", "video/quicktime") if start[8:12] == b"qt  " else (".mp4", "video/mp4")
    if start[4:8] == b"ftyp":
        return SUFFIXES["AVIF"]
    for head, name in ((b"GIF8", "GIF"), (b"\x89PNG", "PNG"), (b"RIFF", "WEBP")):
        if start.startswith(head) and start[8:12] != b"AVI ":
            return SUFFIXES[name]
    if format_name == "matroska,webm" and codec in _WEB_CODECS:
        return ".webm", "video/webm"
    if format_name not in SUFFIXES:
        raise Problem(415, f"{path.name} is of a kind that is not taken: {format_name}.", _KNOWN)
    return SUFFIXES[format_name]


def _draw_thumbnail(pixels: Any, xmp: bytes | None) -> bytes:
    """A small JPEG of [H, W, 3] uint8 that says of itself what the picture says (`xmp`): that a model made it."""
    import cv2

    from facechange.images import Picture, encode_picture

    height, width = pixels.shape[:2]
    scale = min(1.0, THUMBNAIL_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return encode_picture(Picture(small, xmp=xmp), ".jpg")
