"""Frames of a camera, a stream or a file played at its own rate, always the newest."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from facechange.core import VideoError
from facechange.images.media import LOCAL_ONLY, local_name
from facechange.swap.live.latest import Latest

PATIENCE_S = 10.0  # for the next frame
USUAL_RATE = 25.0  # frames a second of a file that does not say
_CAPTURE_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_URL = re.compile(r"(rtsps?|rtmps?|https?|udp|tcp|srt)://\S+", re.IGNORECASE)

Input = int | str | Path  # a camera's number, a stream's address, a file


@dataclass(frozen=True, eq=False)
class CapturedFrame:
    """A frame and when it was there."""

    bgr: np.ndarray  # [H, W, 3] uint8, as OpenCV gives it: frames that are dropped are not worth converting
    taken_at_s: float  # of `time.monotonic`


def parse_input(text: str) -> Input:
    """A camera's number, the address of a stream, or a file. Raises `VideoError` for anything else."""
    if text.isdecimal():
        return int(text)
    if _URL.fullmatch(text):
        return text
    if Path(text).is_file():
        return Path(text)
    raise VideoError(
        f"{text} is no camera, stream or file.",
        "Give a camera's number (0 is the first), rtsp://... or the name of a video.",
    )


class Capture:
    """Reads an input in a thread of its own, for as long as the `with` block lasts. Raises `VideoError` where it cannot
    be opened."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self._stop = threading.Event()
        self._latest: Latest[CapturedFrame] = Latest()
        self._taken = 0
        self.dropped = 0  # frames that came while another was being changed
        self._reader = _open(source)
        self.rate = self._reader.get(cv2.CAP_PROP_FPS) or USUAL_RATE
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(2)  # a read that hangs ends with the process

    def next(self) -> CapturedFrame | None:
        """The newest frame that was not taken yet; None after the last one. Raises `VideoError` where none comes any
        more."""
        taken = self._latest.take(self._taken, PATIENCE_S)
        if taken is None:
            if self._latest.closed and isinstance(self._source, Path):
                return None
            raise VideoError(
                f"No picture comes from {describe_input(self._source)} any more.", "Check that it is still there."
            )
        number, frame = taken
        self.dropped += number - self._taken - 1
        self._taken = number
        return frame

    def _read(self) -> None:
        began, count = time.monotonic(), 0
        try:
            while not self._stop.is_set():
                there, bgr = self._reader.read()
                if not there:
                    break
                if isinstance(self._source, Path):  # cameras and streams keep time themselves
                    count += 1
                    self._stop.wait(max(began + count / self.rate - time.monotonic(), 0))
                self._latest.put(CapturedFrame(bgr, time.monotonic()))
        finally:
            self._latest.close()
            self._reader.release()


def describe_input(source: Input) -> str:
    """The input in words. A stream's address may hold a password, so only its host is said."""
    if isinstance(source, int):
        return f"camera {source}"
    if isinstance(source, Path):
        return source.name
    return re.sub(r"^(\w+://)(?:[^/@]*@)?([^/?]*).*", r"\1\2", source)


def _open(source: Input) -> cv2.VideoCapture:
    log_level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what it has to say is said below
    try:
        # Files and streams through FFmpeg by name: otherwise OpenCV takes a name with a % for numbered pictures.
        if isinstance(source, Path):
            reader = _open_file(source)
        else:
            reader = cv2.VideoCapture(source) if isinstance(source, int) else cv2.VideoCapture(source, cv2.CAP_FFMPEG)
    finally:
        cv2.utils.logging.setLogLevel(log_level)
    if not reader.isOpened():
        remedy = (
            "Check its number, that it is plugged in and that nothing else uses it."
            if isinstance(source, int)
            else "Check that it plays."
        )
        raise VideoError(f"No picture can be had from {describe_input(source)}.", remedy)
    reader.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # of a camera: an old frame is of no use
    return reader


def _open_file(path: Path) -> cv2.VideoCapture:
    """A file and nothing that it or its name leads to, as `pictures.media` opens one; OpenCV takes that from the
    environment alone."""
    before = os.environ.get(_CAPTURE_OPTIONS)
    os.environ[_CAPTURE_OPTIONS] = "|".join(f"{name};{value}" for name, value in LOCAL_ONLY.items())
    try:
        return cv2.VideoCapture(local_name(path), cv2.CAP_FFMPEG)
    finally:
        if before is None:
            del os.environ[_CAPTURE_OPTIONS]
        else:
            os.environ[_CAPTURE_OPTIONS] = before
