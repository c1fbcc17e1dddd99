"""A few frames of a video, to look for a watermark in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

FRAMES_AT_MOST = 8
KEY_FRAMES_PASSED = 4  # between two looks


def sample_frames(path: Path) -> Iterator[np.ndarray]:
    """Up to eight key frames [H, W, 3] uint8 RGB of a video; none without the extra `video`, or where it cannot be decoded."""
    try:
        import av  # late: an extra
    except ImportError:
        return
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            frames = (frame for number, frame in enumerate(container.decode(stream)) if number % KEY_FRAMES_PASSED == 0)
            for frame, _ in zip(frames, range(FRAMES_AT_MOST), strict=False):
                yield frame.to_ndarray(format="rgb24")
    except av.FFmpegError:
        return
